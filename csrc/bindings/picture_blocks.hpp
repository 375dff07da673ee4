// Blocks of memory for decoded pictures, which Python sees as read-only buffers and gives back by forgetting them.
//
// Guarantees: a block that is handed out has been written to before, so that filling it costs no page fault.
// Policy: up to kKeptBlocks of one size are kept; a block of another size replaces them.
// Threads: any. Memory: a block keeps the pool alive, so the order in which they go does not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace mediacore::bindings {

class PictureBlocks : public std::enable_shared_from_this<PictureBlocks> {
 public:
  // What a reader, an encoder and a viewer hold at the same time.
  static constexpr std::size_t kKeptBlocks = 6;
  static constexpr std::size_t kAlignment = 64;

  struct Free {
    void operator()(std::uint8_t* block) const noexcept { ::operator delete[](block, std::align_val_t{kAlignment}); }
  };
  using Memory = std::unique_ptr<std::uint8_t[], Free>;  // NOLINT(*-avoid-c-arrays)

  class Block {
   public:
    Block(std::shared_ptr<PictureBlocks> pool, Memory memory, std::size_t bytes) noexcept
        : pool_(std::move(pool)), memory_(std::move(memory)), bytes_(bytes) {}
    Block(Block&&) noexcept = default;
    Block& operator=(Block&&) = delete;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() {
      if (memory_) pool_->give_back(std::move(memory_), bytes_);
    }

    std::uint8_t* data() const noexcept { return memory_.get(); }
    std::size_t bytes() const noexcept { return bytes_; }

   private:
    std::shared_ptr<PictureBlocks> pool_;
    Memory memory_;
    std::size_t bytes_;
  };

  std::shared_ptr<Block> take(std::size_t bytes) {
    Memory memory;
    {
      const std::lock_guard lock(mutex_);
      if (bytes == kept_bytes_ && !kept_.empty()) {
        memory = std::move(kept_.back());
        kept_.pop_back();
      }
    }
    if (!memory) {
      memory.reset(static_cast<std::uint8_t*>(::operator new[](bytes, std::align_val_t{kAlignment})));
      std::memset(memory.get(), 0, bytes);
    }
    return std::make_shared<Block>(shared_from_this(), std::move(memory), bytes);
  }

 private:
  void give_back(Memory memory, std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    if (bytes != kept_bytes_) {
      kept_bytes_ = bytes;
      for (Memory& block : kept_) block.reset();
      kept_.clear();
    }
    if (kept_.size() < kKeptBlocks) kept_.push_back(std::move(memory));
  }

  std::mutex mutex_;
  std::size_t kept_bytes_ = 0;
  std::vector<Memory> kept_ = [] {
    std::vector<Memory> kept;
    kept.reserve(kKeptBlocks);  // so that giving back never fails
    return kept;
  }();
};

}  // namespace mediacore::bindings
