#include "core/srtp/keys.hpp"

#include <algorithm>

namespace mediacore::srtp {

std::optional<KeyPair> split_exported(Profile profile, std::span<const std::uint8_t> exported) noexcept {
  const std::size_t key = key_bytes(profile);
  const std::size_t salt = salt_bytes(profile);
  if (exported.size() != 2 * (key + salt)) return std::nullopt;
  KeyPair pair{{profile, {}, {}}, {profile, {}, {}}};
  std::ranges::copy(exported.first(key), pair.client.key.begin());
  std::ranges::copy(exported.subspan(key, key), pair.server.key.begin());
  std::ranges::copy(exported.subspan(2 * key, salt), pair.client.salt.begin());
  std::ranges::copy(exported.last(salt), pair.server.salt.begin());
  return pair;
}

}  // namespace mediacore::srtp
