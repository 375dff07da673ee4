// SRTP and SRTCP: openers get arbitrary bytes, sealed packets in any order, and sealed packets that were changed. What
// opens is what was sealed, once; nothing else opens, and nothing else changes what opens.

#include "core/srtp/srtp.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/rtp/byte_order.hpp"
#include "core/srtp/packet_index.hpp"
#include "input.hpp"

namespace mediacore::fuzz {
namespace {

using srtp::Profile;
using srtp::Refusal;

constexpr std::size_t kMostActions = 64;
constexpr std::uint32_t kSsrc = 0x11223344;

srtp::KeyMaterial keys_of(Profile profile) {
  srtp::KeyMaterial keys{profile, {}, {}};
  for (std::size_t i = 0; i < srtp::key_bytes(profile); ++i) keys.key[i] = static_cast<std::uint8_t>(i + 1);
  for (std::size_t i = 0; i < srtp::salt_bytes(profile); ++i) keys.salt[i] = static_cast<std::uint8_t>(0xf0 - i);
  return keys;
}

struct Sealed {
  Buffer plain;
  Buffer bytes;
  std::uint64_t index = 0;
};

// RTP of one sender: what there is to say about it besides what it has in common with RTCP.
class Rtp {
 public:
  static constexpr std::uint64_t kWindow = 1024;
  using Opener = srtp::RtpOpener;

  Rtp(Profile profile, Input& input) : sealer_(keys_of(profile)), next_(input.pick(0, 0xffff)) {
    if (input.flip()) next_ |= 0xff00;  // a wrap is near
  }

  Sealed seal(Input& input) {
    const std::size_t csrcs = input.pick(0, 15);
    const bool extension = input.flip();
    const std::size_t words = extension ? input.pick(0, 20) : 0;
    Sealed packet;
    packet.index = next_;
    const Bytes payload = input.take(input.pick(0, 300));
    Buffer& plain = packet.plain;
    plain.resize(12 + 4 * csrcs, 0x33);
    plain[0] = static_cast<std::uint8_t>(0x80 | (extension ? 0x10 : 0) | csrcs);
    rtp::store_be<2>(next_ & 0xffff, &plain[2]);
    rtp::store_be<4>(kSsrc, &plain[8]);
    if (extension) plain.insert(plain.end(), {0xbe, 0xde, 0, static_cast<std::uint8_t>(words)});
    plain.resize(plain.size() + 4 * words, 0x44);
    const std::size_t header_bytes = plain.size();
    plain.insert(plain.end(), payload.begin(), payload.end());
    packet.bytes = plain;
    packet.bytes.resize(plain.size() + srtp::kMaxRtpOverhead);
    const std::size_t size = sealer_.seal(packet.bytes, header_bytes, plain.size(), packet.index);
    expect(size > plain.size() && size <= packet.bytes.size(), "a packet is sealed");
    packet.bytes.resize(size);
    expect(std::equal(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(header_bytes), packet.bytes.begin()),
           "the header stays");
    next_ += input.flip() ? input.pick(1, 0x7fff) : 1;
    return packet;
  }

  // Whether a receiver can tell the index of such a packet.
  static bool is_told(std::optional<std::uint64_t> highest, std::uint64_t index) {
    const auto low = static_cast<std::uint16_t>(index);
    return index == (highest ? srtp::estimate_index(*highest, low) : low);
  }

 private:
  srtp::RtpSealer sealer_;
  std::uint64_t next_;
};

class Rtcp {
 public:
  static constexpr std::uint64_t kWindow = 128;
  using Opener = srtp::RtcpOpener;

  Rtcp(Profile profile, Input& input)
      : next_(input.flip() ? 0 : srtp::kRtcpIndexes - input.pick(1, 40)),
        sealer_(keys_of(profile), static_cast<std::uint32_t>(next_)) {}

  Sealed seal(Input& input) {
    const Bytes rest = input.take(input.pick(0, 300));
    Sealed packet;
    packet.index = next_;
    packet.plain = {0x80, 200, 0, 0, 0x11, 0x22, 0x33, 0x44};
    packet.plain.insert(packet.plain.end(), rest.begin(), rest.end());
    packet.bytes = packet.plain;
    packet.bytes.resize(packet.plain.size() + srtp::kMaxRtcpOverhead);
    const auto size = sealer_.seal(packet.bytes, packet.plain.size());
    expect(size.has_value() == (next_ < srtp::kRtcpIndexes), "a packet is sealed, but for used up indexes");
    packet.bytes.resize(size.value_or(0));
    if (size) ++next_;
    return packet;
  }

  static bool is_told(std::optional<std::uint64_t>, std::uint64_t) { return true; }

 private:
  std::uint64_t next_;
  srtp::RtcpSealer sealer_;
};

// The plain packet, if it opens. The copy has exactly the packet's size.
template <class Opener>
std::optional<Buffer> open(Opener& opener, Bytes packet) {
  Buffer copy(packet.begin(), packet.end());
  auto refusal = static_cast<Refusal>(0xff);
  const auto size = opener.open(copy, refusal);
  expect(size.has_value() == (refusal == static_cast<Refusal>(0xff)), "a refusal has a reason");
  if (!size) {
    expect(refusal <= Refusal::too_many_sources, "a reason is one of those there are");
    return std::nullopt;
  }
  expect(*size < packet.size(), "what opens gets shorter");
  copy.resize(*size);
  return copy;
}

Buffer changed(Input& input, Buffer bytes) {
  switch (input.pick(0, 3)) {
    case 0: bytes.resize(input.pick(0, bytes.size())); break;
    case 1: {
      const Bytes more = input.take(input.pick(1, 40));
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(input.pick(0, bytes.size())), more.begin(), more.end());
      break;
    }
    default:
      for (std::size_t count = input.pick(1, 4); count > 0 && !bytes.empty(); --count) {
        bytes[input.pick(0, bytes.size() - 1)] ^= static_cast<std::uint8_t>(1U << input.pick(0, 7));
      }
  }
  return bytes;
}

template <class Protocol>
void run(Input& input, Profile profile) {
  Protocol sender(profile, input);
  typename Protocol::Opener opener(keys_of(profile));
  typename Protocol::Opener witness(keys_of(profile));  // sees only what was sealed
  std::vector<Sealed> sent;
  std::set<std::uint64_t> accepted;
  // Byte by byte: libFuzzer reads what memcmp is given, and would use sealed packets as arbitrary bytes in other runs.
  const auto same = [](std::uint8_t left, std::uint8_t right) { return left == right; };
  const auto is_sent = [&](Bytes bytes) {
    return std::ranges::any_of(sent,
                               [&](const Sealed& packet) { return std::ranges::equal(packet.bytes, bytes, same); });
  };
  const auto deliver = [&](const Sealed& packet) {
    std::optional<std::uint64_t> highest;
    if (!accepted.empty()) highest = *accepted.rbegin();
    const bool too_old = highest && packet.index + Protocol::kWindow <= *highest;
    const bool opens = !too_old && !accepted.contains(packet.index) && Protocol::is_told(highest, packet.index);
    const auto plain = open(opener, packet.bytes);
    expect(plain.has_value() == opens, "a sealed packet opens once, within the window");
    expect(!plain || *plain == packet.plain, "what opens is what was sealed");
    expect(open(witness, packet.bytes) == plain, "what was not sealed changes nothing");
    if (plain) accepted.insert(packet.index);
  };
  for (std::size_t action = 0; action < kMostActions && !input.empty(); ++action) {
    switch (input.pick(0, 7)) {
      case 0:
      case 1: {
        const Bytes bytes = input.take(input.pick(0, 120));
        expect(is_sent(bytes) || !open(opener, bytes), "bytes that were not sealed do not open");
        break;
      }
      case 2:
      case 3:
        if (!sent.empty()) deliver(sent[input.pick(0, sent.size() - 1)]);
        break;
      case 4:
      case 5:
        if (!sent.empty()) {
          const Buffer bytes = changed(input, sent[input.pick(0, sent.size() - 1)].bytes);
          expect(is_sent(bytes) || !open(opener, bytes), "a changed packet does not open");
        }
        break;
      default: {
        Sealed packet = sender.seal(input);
        if (packet.bytes.empty()) break;
        sent.push_back(std::move(packet));
        if (input.flip()) deliver(sent.back());
      }
    }
  }
}

void run_any(Input input) {
  constexpr std::array kProfiles{Profile::aes128_cm_sha1_80, Profile::aead_aes_128_gcm, Profile::aead_aes_256_gcm};
  const Profile profile = kProfiles[input.pick(0, kProfiles.size() - 1)];
  return input.flip() ? run<Rtp>(input, profile) : run<Rtcp>(input, profile);
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run_any(mediacore::fuzz::Input({data, size}));
  return 0;
}
