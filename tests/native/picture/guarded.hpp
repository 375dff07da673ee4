// Memory whose neighbours may not be touched: a page before it and a page behind it end the program.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace mediacore::picture {

class Guarded {
 public:
  explicit Guarded(std::size_t most) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    inner_bytes_ = (most + page - 1) / page * page;
    bytes_ = inner_bytes_ + 2 * page;
    void* const all = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) throw std::bad_alloc();  // NOLINT(*-int-to-ptr)
    all_ = static_cast<std::uint8_t*>(all);
    inner_ = all_ + page;
    if (mprotect(inner_, inner_bytes_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(all_, bytes_); }

  // The first or the last `bytes`: what is before or behind them is guarded.
  std::uint8_t* front() const noexcept { return inner_; }
  std::uint8_t* back(std::size_t bytes) const noexcept { return inner_ + inner_bytes_ - bytes; }

 private:
  std::size_t inner_bytes_ = 0;
  std::size_t bytes_ = 0;
  std::uint8_t* all_ = nullptr;
  std::uint8_t* inner_ = nullptr;
};

}  // namespace mediacore::picture
