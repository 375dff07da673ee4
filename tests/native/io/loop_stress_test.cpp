// Everything at once, and everything away at any time: what the sanitizers look at.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "io/clock.hpp"
#include "remote_viewer.hpp"
#include "streams.hpp"

namespace mediacore::io::testing {
namespace {

using egress::testing::config;
using h264::operator+;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::size_t threads() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

using LoopStress = ViewerTest;

TEST_F(LoopStress, AThousandComeAndGoWithoutATrace) {
  const Id rendition = add_rendition();
  settle();
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 1000; ++i) {
    const Id other = add_rendition();
    Device device;
    add_source(other, device);
    const Id viewer = loop.add_viewer(rendition, "viewer" + std::to_string(i), kPassword, 0, 0);
    loop.start_viewer(viewer, config());
    loop.attach(viewer, rendition, 0);
    if (i % 10 == 0) loop.open_relay_socket(viewer, "127.0.0.1", endpoint_of("127.0.0.1", 9, 0).value());
    const Id tap = loop.add_tap(rendition, 4, true);
    push(rendition, i % 7 == 0 ? key_unit() : delta_unit(1), i % 7 == 0, i);
    if (i % 2 == 0) device.close();
    for (const Id id : {viewer, tap, other}) remove(id);
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(loop.rendition_figures(rendition)->viewers, 0U);
  EXPECT_EQ(loop.rendition_figures(rendition)->taps, 0U);
  EXPECT_EQ(loop.figures().threads.faults, 0U);
}

TEST(LoopLife, LeavesNothingBehind) {
  {
    MediaLoop warm_up({.addresses = {"127.0.0.1"}});
  }
  const std::size_t descriptors = open_descriptors();
  const std::size_t before = threads();
  for (int i = 0; i < 20; ++i) {
    MediaLoop loop({.addresses = {"127.0.0.1", "127.0.0.2"}, .threads = 3});
    const Id rendition = loop.add_rendition(Codec::h264, kReplayBytes, kGopBytes, 0);
    Device device;
    loop.add_source(rendition, device.give(), 2000, 0);
    loop.add_viewer(rendition, "a", kPassword, 0, 0);
    loop.add_tap(rendition, 4, true);
    // Some are closed before their commands were carried out.
    if (i % 2 == 0) loop.close();
  }
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_EQ(threads(), before);
}

class LoopRaces : public ViewerTest {
 protected:
  LoopRaces() : ViewerTest(MediaLoop::Settings{.addresses = {"127.0.0.1"}, .threads = 2}) {}
};

// Pushes, reads, figures, removals and comings from several threads; the loop is closed under them.
TEST_F(LoopRaces, ClosedUnderEverybody) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 16, true);
  Viewer viewer = watch(rendition, "steady", config());
  std::atomic<bool> go{true};
  const auto work = [&](auto&& step) {
    return std::thread([&go, step] {
      for (int i = 0; go; ++i) {
        try {
          step(i);
        } catch (const LoopClosed&) {
          return;
        } catch (const QueueFull&) {
          std::this_thread::yield();
        }
      }
    });
  };
  std::vector<std::thread> workers;
  workers.push_back(work([&](int i) { push(rendition, i % 30 == 0 ? key_unit() : delta_unit(1), i % 30 == 0, i); }));
  workers.push_back(work([&](int) {
    loop.take_packets(tap, 8);
    loop.viewer_figures(viewer.id);
    loop.rendition_figures(rendition);
    loop.tap_figures(tap);
    loop.figures();
    loop.destination(viewer.id);
  }));
  workers.push_back(work([&](int i) {
    const Id other = loop.add_viewer(rendition, "v" + std::to_string(i), kPassword, 0, 0);
    loop.start_viewer(other, config());
    loop.attach(other, rendition, 0);
    loop.remove(other, 0);
  }));
  workers.push_back(work([&](int) {
    const Id other = loop.add_rendition(Codec::h264, kReplayBytes, kGopBytes, 0);
    Device device;
    loop.add_source(other, device.give(), 2000, 0);
    device.write(key_unit() + delta_unit(1));
    const Id second = loop.add_tap(other, 2, false);
    loop.take_packets(second, 8);
    loop.remove(other, 0);
    loop.remove(second, 0);
  }));
  workers.push_back(work([&](int) { loop.take_events(); }));
  EXPECT_TRUE(viewer.remote->until_pictures(200));
  loop.close();
  go = false;
  for (std::thread& worker : workers) worker.join();
}

// A device that sends noise, cut anywhere, with and without pauses.
TEST_F(LoopRaces, NoiseFromDevicesEndsNothing) {
  const Id rendition = add_rendition();
  const Id tap = loop.add_tap(rendition, 8, false);
  unsigned seed = 7;
  const auto next = [&seed] { return seed = seed * 1'664'525 + 1'013'904'223; };
  for (int i = 0; i < 50; ++i) {
    Device device;
    add_source(rendition, device, 100);
    Buffer stream;
    for (int k = 0; k < 20; ++k) stream = stream + (k % 5 == 0 ? key_unit(200) : delta_unit(1, 300));
    for (int k = 0; k < 20; ++k) stream[next() % stream.size()] = static_cast<std::uint8_t>(next() >> 24);
    device.write(std::span(stream).first(stream.size() / 2));
    loop.take_packets(tap, 100);
    device.write(std::span(stream).subspan(stream.size() / 2));
    device.close();
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(wait_for<SourceEnded>());
  }
  const auto figures = loop.tap_figures(tap);
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->pushed,
            figures->delivered + figures->queued + figures->dropped_slow + figures->dropped_before_key);
  EXPECT_EQ(loop.figures().threads.faults, 0U);
}

// Datagrams of all kinds from somebody unknown.
TEST_F(LoopRaces, NoiseFromOutsideIsCountedAndChangesNothing) {
  const Id rendition = add_rendition();
  Viewer viewer = watch(rendition, "a", config());
  UdpPort stranger = open_port("127.0.0.1");
  unsigned seed = 11;
  constexpr std::size_t kSent = 2000;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(loop.sockets(*loop.thread_of(rendition)).at(0).port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::uint64_t before = loop.figures().threads.datagrams_in;
  for (std::size_t i = 0; i < kSent; ++i) {
    Buffer noise(1 + i % 200);
    for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>((seed = seed * 1'664'525 + 1'013'904'223) >> 24);
    if (i % 4 == 0) noise[0] = static_cast<std::uint8_t>(noise[0] % 4);
    sendto(stranger.descriptor(), noise.data(), noise.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  ASSERT_TRUE(push(rendition, key_unit(), true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  EXPECT_TRUE(eventually([&] { return loop.figures().threads.datagrams_in - before >= kSent / 2; }));
  const auto demux = loop.figures().threads.demux;
  EXPECT_GE(demux.malformed + demux.unknown_address + demux.unknown_ufrag + demux.unknown_transaction, kSent / 2);
  EXPECT_EQ(count<DatagramUp>(), 2U) << "the viewer's own: an answer and a check";
}

}  // namespace
}  // namespace mediacore::io::testing
