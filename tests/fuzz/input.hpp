// What a fuzz target makes of its input, and how it says that something does not hold.
//
// Bytes are taken from the front, choices from the back, so that a corpus file is a stream with some bytes after it and
// a mutation of the one is none of the other.
// Memory: copies have exactly the size of what they hold, so that AddressSanitizer sees each byte read beyond.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace mediacore::fuzz {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

// Ends the program if `holds` is false; libFuzzer then saves the input.
inline void expect(bool holds, const char* what) {
  if (holds) return;
  static_cast<void>(std::fprintf(stderr, "does not hold: %s\n", what));
  std::abort();
}

// The value that must be there.
template <class T>
T present(const std::optional<T>& value, const char* what) {
  expect(value.has_value(), what);
  return value.has_value() ? *value : T();
}

inline bool equal(Bytes a, Bytes b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

class Input {
 public:
  explicit Input(Bytes bytes) noexcept : left_(bytes) {}

  // A number of `least` to `most`; `least` when the input is used up.
  std::size_t pick(std::size_t least, std::size_t most) noexcept {
    std::size_t value = 0;
    for (std::size_t range = most - least; range > 0 && !left_.empty(); range >>= 8) {
      value = (value << 8) | left_.back();
      left_ = left_.first(left_.size() - 1);
    }
    return most - least == SIZE_MAX ? value : least + value % (most - least + 1);
  }

  bool flip() noexcept { return pick(0, 1) != 0; }

  // The next bytes, fewer at the end.
  Bytes take(std::size_t count) noexcept {
    const Bytes front = left_.first(std::min(count, left_.size()));
    left_ = left_.subspan(front.size());
    return front;
  }

  // The last bytes as an input of their own.
  Input take_back(std::size_t count) noexcept {
    const Bytes back = left_.last(std::min(count, left_.size()));
    left_ = left_.first(left_.size() - back.size());
    return Input(back);
  }

  bool empty() const noexcept { return left_.empty(); }
  Bytes rest() noexcept { return take(left_.size()); }

 private:
  Bytes left_;
};

// A copy that dies with this object: a view of it that is kept is found.
class Copy {
 public:
  explicit Copy(Bytes bytes) : block_(std::make_unique<std::uint8_t[]>(bytes.size())), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), block_.get());
  }

  Bytes view() const noexcept { return {block_.get(), size_}; }

 private:
  std::unique_ptr<std::uint8_t[]> block_;  // NOLINT(*-avoid-c-arrays): a vector may have more room than it needs
  std::size_t size_;
};

// One block for many chunks, as a reader's buffer: a chunk stands at its end, so that reading beyond is found, and the
// next one takes its place, so that a view that was kept shows other bytes. Cheaper than a copy for each.
class Window {
 public:
  explicit Window(std::size_t most) : block_(std::make_unique<std::uint8_t[]>(most)), most_(most) {}

  Bytes put(Bytes chunk) noexcept {
    std::fill_n(block_.get(), most_ - chunk.size(), std::uint8_t{0xcc});
    std::copy(chunk.begin(), chunk.end(), block_.get() + (most_ - chunk.size()));
    return {block_.get() + (most_ - chunk.size()), chunk.size()};
  }

 private:
  std::unique_ptr<std::uint8_t[]> block_;  // NOLINT(*-avoid-c-arrays): as above
  std::size_t most_;
};

}  // namespace mediacore::fuzz
