// Values that one thread writes often and others read at any time, always whole (a seqlock).
//
// Guarantees: the writer never waits and never fails; a reader gets a value as it was written at one time.
// Policy: a reader that meets a write tries again; when the writer was interrupted in the middle of one, it yields.
// Threads: one writer, any readers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <type_traits>

namespace mediacore::io {

template <class T>
class Snapshot {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr std::size_t kWords = (sizeof(T) + 7) / 8;
  static constexpr unsigned kTriesBeforeYield = 64;  // a write takes less

  using Words = std::array<std::uint64_t, kWords>;

 public:
  Snapshot() noexcept { write(T{}); }

  void write(const T& value) noexcept {
    Words words{};
    std::memcpy(words.data(), &value, sizeof value);
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);  // only this thread changes it
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    // Release: who sees a new word (acquire, in `read`) sees the odd number before it as well.
    for (std::size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    // Release: who sees the even number (acquire, in `read`) sees all new words.
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  T read() const noexcept {
    Words words;
    for (unsigned tries = 0;; ++tries) {
      const std::uint64_t before = sequence_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
      // The acquires above keep this load behind them.
      if (before % 2 == 0 && sequence_.load(std::memory_order_relaxed) == before) break;
      if (tries >= kTriesBeforeYield) std::this_thread::yield();
    }
    T value;
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof value);
    return value;
  }

 private:
  std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace mediacore::io
