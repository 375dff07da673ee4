// One access unit or audio packet as it came, shared by the cache, the taps and Python.
//
// Memory: immutable once shared; the last reference frees it.
// Threads: a reference may be held by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mediacore::io {

// Of renditions, sources, viewers and taps: above 0, never used again.
using Id = std::uint64_t;

enum class Codec : std::uint8_t { h264, vp8, vp9, av1, opus };

constexpr bool is_audio(Codec codec) noexcept {
  return codec == Codec::opus;
}

struct Unit {
  std::vector<std::uint8_t> data;  // H.264: Annex B, with parameter sets before key frames
  std::int64_t pts_us = 0;
  std::int64_t received_us = 0;  // when its first byte arrived
  std::int64_t complete_us = 0;  // when it was known to be whole
  bool is_key = false;
  std::uint32_t epoch = 0;

  // For those that are used again.
  std::size_t capacity() const noexcept { return data.capacity(); }
  void reserve(std::size_t bytes) { data.reserve(bytes); }
  void reset() noexcept {
    data.clear();
    pts_us = received_us = complete_us = 0;
    is_key = false;
    epoch = 0;
  }
};

using UnitRef = std::shared_ptr<const Unit>;

}  // namespace mediacore::io
