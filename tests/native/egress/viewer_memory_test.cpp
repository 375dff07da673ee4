// Sending takes no memory once the rings have their size: the heap is looked at before and after thousands of packets.
#include <gtest/gtest.h>

#include <vector>

#include "core/egress/viewer_egress.hpp"
#include "frames.hpp"
#include "viewer.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEDIACORE_SANITIZED_HEAP
#include <atomic>

// Of the sanitizers' allocator_interface.h, which GCC does not install. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*after_malloc)(const volatile void*, std::size_t),
                                                         void (*before_free)(const volatile void*));
// NOLINTEND(bugprone-reserved-identifier)
#else
#include <malloc.h>
#endif

namespace mediacore::egress {
namespace {

using testing::at;
using testing::config;
using testing::frame;
using testing::unpaced;

// Blocks that were asked for, from the first call on; where they cannot be counted, the bytes that are held.
std::size_t heap_use() {
#ifdef MEDIACORE_SANITIZED_HEAP
  static std::atomic<std::size_t> blocks{0};
  static const int installed = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, std::size_t) { ++blocks; }, [](const volatile void*) {});
  EXPECT_NE(installed, 0) << "the sanitizer takes no more hooks";
  return blocks;
#else
  return mallinfo2().uordblks;
#endif
}

class FixedSink final : public PacketSink {
 public:
  std::uint8_t* reserve(std::size_t /*capacity*/) override { return buffer_.data(); }
  void commit(std::size_t /*size*/) override { ++packets; }

  std::size_t packets = 0;

 private:
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(2'000);
};

class EgressMemory : public ::testing::TestWithParam<bool> {};

TEST_P(EgressMemory, SendingTakesNoneAfterWarmUp) {
  EgressConfig given = GetParam() ? config() : unpaced();
  ViewerEgress egress(given, at(0));
  FixedSink sink;
  std::vector<FrameRef> frames;
  frames.reserve(16);
  for (std::int64_t i = 0; i < 16; ++i) frames.push_back(frame({.is_key = i == 0, .packets = 4, .payload_bytes = 800}));
  const FrameRef audio = frame({.payload_bytes = 100});
  std::int64_t now_us = 0;
  const auto send = [&](int count) {
    for (std::int64_t i = 0; i < count; ++i) {
      now_us += 10'000;
      egress.send(frames[static_cast<std::size_t>(i) % frames.size()], at(now_us));
      egress.send_audio(audio, at(now_us));
      egress.poll(at(now_us), sink);
    }
  };
  send(1'600);
  const std::size_t packets = sink.packets;
  const std::size_t before = heap_use();
  send(3'200);
  const std::size_t after = heap_use();
  EXPECT_EQ(after, before);
  EXPECT_GE(sink.packets - packets, 3'200U * 5);
}

INSTANTIATE_TEST_SUITE_P(Pacing, EgressMemory, ::testing::Bool(),
                         [](const auto& pacing) { return pacing.param ? "on" : "off"; });

}  // namespace
}  // namespace mediacore::egress
