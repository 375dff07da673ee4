#include "core/ice/endpoint.hpp"

#include <algorithm>

namespace mediacore::ice {

bool Endpoint::is_ipv4() const noexcept {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(kMapped.begin(), kMapped.end(), ip.begin());
}

}  // namespace mediacore::ice
