// What is remembered of each SSRC that a peer sends with.
//
// Guarantees: bounded; an entry never goes, as forgetting one would let its packets be repeated.
// Policy: when full, a new SSRC is refused.
// Memory: inside of the object.
// Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mediacore::srtp {

// A peer has a handful: audio, video, its retransmissions, and those that its reports come from. The others are for
// media that come and go within one DTLS association.
inline constexpr std::size_t kMaxSources = 32;

template <class State>
class SourceTable {
 public:
  // Null if there is none.
  State* find(std::uint32_t ssrc) noexcept {
    for (std::size_t i = 0; i < size_; ++i) {
      if (ssrcs_[i] == ssrc) return &states_[i];
    }
    return nullptr;
  }

  bool full() const noexcept { return size_ == kMaxSources; }

  // Of an SSRC that is not there, if the table is not full.
  State& add(std::uint32_t ssrc) noexcept {
    ssrcs_[size_] = ssrc;
    return states_[size_++];
  }

 private:
  std::array<std::uint32_t, kMaxSources> ssrcs_{};
  std::array<State, kMaxSources> states_{};
  std::size_t size_ = 0;
};

}  // namespace mediacore::srtp
