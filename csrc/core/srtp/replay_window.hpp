// Which indexes have been seen, of the last `Bits` up to the highest one (RFC 3711 3.3.2).
//
// Guarantees: an index is accepted once at most.
// Policy: what is below the window counts as too old, seen or not.
// Threads: one owner.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/srtp/srtp.hpp"

namespace mediacore::srtp {

template <std::size_t Bits>
class ReplayWindow {
 public:
  static_assert(Bits >= 64 && Bits % 64 == 0, "RFC 3711 3.3.2 asks for 64 at least");

  std::uint64_t highest() const noexcept { return highest_; }

  // Why a packet with this index must not be accepted.
  std::optional<Refusal> refusal(std::uint64_t index) const noexcept {
    if (!any_ || index > highest_) return std::nullopt;
    if (highest_ - index >= Bits) return Refusal::too_old;
    if ((seen_[word(index)] & bit(index)) != 0) return Refusal::repeated;
    return std::nullopt;
  }

  // After authentication, of an index that is not refused.
  void accept(std::uint64_t index) noexcept {
    if (!any_ || index > highest_) {
      if (!any_ || index - highest_ >= Bits) {
        seen_.fill(0);
      } else {
        for (std::uint64_t skipped = highest_ + 1; skipped < index; ++skipped) seen_[word(skipped)] &= ~bit(skipped);
      }
      highest_ = index;
      any_ = true;
    }
    seen_[word(index)] |= bit(index);
  }

 private:
  // A ring: an index's bit is the one of the index `Bits` before it.
  static constexpr std::size_t word(std::uint64_t index) noexcept {
    return static_cast<std::size_t>(index / 64 % (Bits / 64));
  }
  static constexpr std::uint64_t bit(std::uint64_t index) noexcept { return std::uint64_t{1} << (index % 64); }

  std::array<std::uint64_t, Bits / 64> seen_{};
  std::uint64_t highest_ = 0;
  bool any_ = false;
};

}  // namespace mediacore::srtp
