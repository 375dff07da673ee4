// How large payloads may be, and the sizes of the parts that a frame is cut into.
//
// The first, the last and the only packet of a frame may have less room than the others, because they carry more header
// extensions. With the default split whole packets then still have equal sizes, the last one a shorter one: what UDP
// segmentation offload (GSO) takes in one call.
// Threads: plain values; FragmentSizes has one owner.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace mediacore::rtp {

// 1200 bytes and an RTP header, extensions, SRTP tag, UDP, IPv6 and a tunnel's headers are below 1280.
inline constexpr std::size_t kDefaultPayloadBytes = 1200;
inline constexpr std::size_t kMaxPayloadBytes = 65'495;  // 65 535 less IPv4 (20), UDP (8) and RTP (12) headers
// Larger frames are refused; level 6.2 of H.264 needs less.
inline constexpr std::size_t kMaxFrameBytes = std::size_t{1} << 30;

enum class Split : std::uint8_t {
  equal,     // all parts of one size, the last one shorter
  balanced,  // sizes differ by one at most, the larger parts last: as libwebrtc
};

struct PayloadLimits {
  std::size_t payload_bytes = kDefaultPayloadBytes;
  std::size_t first_reduction = 0;                             // of the first packet of a frame
  std::size_t last_reduction = 0;                              // of the last packet of a frame
  std::optional<std::size_t> single_reduction = std::nullopt;  // of a lone packet; none: the sum of the other two
  Split split = Split::equal;

  // What one packet can hold.
  std::size_t room(bool first, bool last) const noexcept {
    if (first && last) return payload_bytes - single_reduction.value_or(first_reduction + last_reduction);
    return payload_bytes - (first ? first_reduction : 0) - (last ? last_reduction : 0);
  }

  // `least` is what the payload format needs. Reductions may take a quarter, so that every packet has room for data.
  bool valid(std::size_t least) const noexcept {
    const std::size_t quarter = payload_bytes / 4;
    return payload_bytes >= least && payload_bytes <= kMaxPayloadBytes && first_reduction <= quarter &&
           last_reduction <= quarter && first_reduction + last_reduction <= quarter &&
           single_reduction.value_or(0) <= quarter;
  }
};

// The sizes of the parts of something that is cut, one after another.
class FragmentSizes {
 public:
  // `capacity`: what a packet without a reduction holds; `reductions`: of the first and the last part. There will be
  // `least_count` parts at least, of one byte each at least: `bytes` must not be less.
  FragmentSizes(std::size_t bytes, std::size_t capacity, std::size_t first_reduction, std::size_t last_reduction,
                std::size_t least_count, Split split) noexcept
      : left_(bytes), first_reduction_(first_reduction) {
    // Parts are equal with the reductions counted in.
    const std::size_t total = bytes + first_reduction + last_reduction;
    count_ = std::max((total + capacity - 1) / capacity, least_count);
    size_ = total / count_;
    if (split == Split::balanced) {
      larger_ = total % count_;
    } else {
      size_ = (total + count_ - 1) / count_;
      count_ = std::max((total + size_ - 1) / size_, least_count);
    }
  }

  bool done() const noexcept { return left_ == 0; }

  std::size_t next() noexcept {
    if (count_ == larger_) {
      ++size_;
      larger_ = 0;
    }
    std::size_t size = left_;
    if (count_ > 1) {
      const std::size_t after = count_ - 1;  // the parts to come have a byte at least
      const std::size_t most = left_ > after ? left_ - after : 1;
      size = std::min(size_ > first_reduction_ ? size_ - first_reduction_ : 1, most);
    }
    first_reduction_ = 0;
    left_ -= size;
    --count_;
    return size;
  }

 private:
  std::size_t left_;
  std::size_t first_reduction_;  // of the next part
  std::size_t count_ = 0;        // parts to come
  std::size_t size_ = 0;         // of one part, reductions counted in
  std::size_t larger_ = 0;       // so many parts at the end are one byte larger
};

}  // namespace mediacore::rtp
