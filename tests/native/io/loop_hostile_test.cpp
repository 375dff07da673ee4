// Viewers, consumers and publishers that misbehave: what it costs is counted and bounded, and nobody else pays for it.
#include <gtest/gtest.h>

#include "remote_viewer.hpp"
#include "streams.hpp"

namespace mediacore::io::testing {
namespace {

using egress::testing::config;
using egress::testing::kVideo;
using egress::testing::kViewer;

using LoopHostile = ViewerTest;

TEST_F(LoopHostile, ByesOfOneViewerAreOneEvent) {
  const Id rendition = add_rendition();
  Viewer viewer = watch(rendition, "a", config());
  settle();
  const auto reports = [&] { return loop.viewer_figures(viewer.id)->figures.egress.reports; };
  for (int i = 0; i < 100; ++i) {
    viewer.remote->send_rtcp(port(), [](rtcp::Writer& writer) {
      static_cast<void>(writer.receiver_report(kViewer, {}));
      static_cast<void>(writer.bye(std::array{kViewer}));
    });
  }
  ASSERT_TRUE(eventually([&] { return reports() == 100; }));
  EXPECT_EQ(loop.figures().events.events, 1U);
  EXPECT_EQ(count<ViewerBye>(), 1U);
}

// Another one proves that the address is its own: as a NAT gives a port of one client to the next one.
TEST_F(LoopHostile, AViewerThatLostItsAddressKeepsNobodyAwake) {
  const Id rendition = add_rendition();
  auto slow = config();
  slow.pacing.start_rate_bps = 100'000;
  slow.pacing.max_queue_us = 60'000'000;
  Viewer loser = watch(rendition, "loser", slow);
  Viewer taker = add_viewer(rendition, "taker", config());
  const Id audio = loop.add_rendition(Codec::opus, 0, 0, rendition);
  loop.attach(loser.id, rendition, audio);
  for (int i = 0; i < 64; ++i) {
    Buffer opus(1000, 0x55);
    opus[0] = 0xf8;  // CELT, 20 ms
    ASSERT_TRUE(push(audio, std::move(opus), true, i * 20'000));
  }
  ASSERT_TRUE(eventually([&] { return loop.viewer_figures(loser.id)->figures.egress.packets > 0; }));
  const auto request = ice::testing::StunBytes(ice::testing::kBindingRequest, 0x9999).bytes();
  ASSERT_TRUE(loop.send_datagram(taker.id, address_of(loser.remote->port()), request));
  settle();
  loser.remote->send(port(), ice::testing::StunBytes(ice::testing::kBindingSuccess, 0x9999).bytes());
  ASSERT_TRUE(wait_for<DestinationMoved>([&](const auto& event) { return event.viewer == loser.id; }));
  EXPECT_FALSE(loop.destination(loser.id)->known);

  // Two events that come by the clock tell how much happened between them.
  Viewer watched = add_viewer(rendition, "watched", config(), 1, 0);
  nominate(watched);
  loop.start_viewer(watched.id, config());
  ASSERT_TRUE(wait_for<ViewerSilent>());
  const std::uint64_t before = loop.figures().threads.wake_ups;
  ASSERT_TRUE(wait_for<ViewerSilent>());
  EXPECT_LT(loop.figures().threads.wake_ups - before, 100U);
}

TEST_F(LoopHostile, AnAudioPacketThatFitsNoDatagramCostsNoViewer) {
  const Id rendition = add_rendition();
  const Id audio = loop.add_rendition(Codec::opus, 0, 0, rendition);
  Viewer viewer = watch(rendition, "a", config());
  loop.attach(viewer.id, rendition, audio);
  Buffer opus(5000, 0x55);
  opus[0] = 0xf8;
  ASSERT_TRUE(push(audio, std::move(opus), true, 1'000'000));
  ASSERT_TRUE(push(rendition, key_unit(), true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  EXPECT_EQ(count<ViewerBye>(), 0U);
  EXPECT_EQ(loop.rendition_figures(audio)->refused_units, 1U);
  EXPECT_EQ(loop.figures().threads.faults, 0U);
}

TEST_F(LoopHostile, DtlsOfOneViewerTakesNoMoreThanItsShareOfPython) {
  const Id rendition = add_rendition();
  Viewer flooding = watch(rendition, "flooding", config());
  Viewer good = watch(rendition, "good", config());
  constexpr std::size_t kFlood = 3 * io::Viewer::kMostUpPerSecond;
  settle();
  count_and_forget<DatagramUp>();  // of the nominations
  std::size_t up = 0;
  const auto drops = [&] { return loop.viewer_figures(flooding.id)->quota_drops; };
  for (std::size_t sent = 0; sent < kFlood; sent += 32) {
    for (int i = 0; i < 32; ++i) flooding.remote->send(port(), std::array<std::uint8_t, 3>{22, 254, 253});
    ASSERT_TRUE(eventually([&] {
      up += count_and_forget<DatagramUp>();
      return up + drops() == sent + 32;
    }));
  }
  // Two seconds at most began meanwhile, unless the machine stood still.
  EXPECT_GT(drops(), 0U);
  good.remote->send(port(), std::array<std::uint8_t, 3>{22, 254, 253});
  EXPECT_TRUE(wait_for<DatagramUp>([&](const auto& event) { return event.viewer == good.id; }));
  EXPECT_EQ(loop.viewer_figures(good.id)->quota_drops, 0U);
}

TEST_F(LoopHostile, AFloodOfNacksIsNotRead) {
  const Id rendition = add_rendition();
  Viewer flooding = watch(rendition, "flooding", config());
  Viewer good = watch(rendition, "good", config());
  ASSERT_TRUE(push(rendition, key_unit(), true, 1'000'000));
  ASSERT_TRUE(flooding.remote->until_pictures(1));
  const auto stats = [&] { return loop.viewer_figures(flooding.id)->figures.egress; };
  std::uint64_t sent = 0;
  std::array<std::uint16_t, 64> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::uint16_t>(20 * i);
  for (std::uint32_t frame = 1; frame <= 100; ++frame) {
    for (int i = 0; i < 30; ++i, ++sent) {
      flooding.remote->send_rtcp(port(), [&](rtcp::Writer& writer) {
        static_cast<void>(writer.receiver_report(kViewer, {}));
        static_cast<void>(writer.nack(kViewer, kVideo, numbers));
      });
    }
    ASSERT_TRUE(eventually([&] { return stats().reports + stats().rtcp_limited == sent; }));
    ASSERT_TRUE(push(rendition, delta_unit(frame), false, 1'000'000 + frame * 33'000));
    ASSERT_TRUE(good.remote->until_pictures(good.remote->pictures.size() + 1)) << "frame " << frame;
  }
  EXPECT_GT(stats().rtcp_limited, 0U);
  EXPECT_GT(stats().nack_limited, 0U);
}

TEST(LoopPorts, ARangeIsNotLeft) {
  const MediaLoop first(MediaLoop::Settings{.addresses = {"127.0.0.1"}});
  const std::uint16_t taken = first.sockets(0).at(0).port;
  EXPECT_THROW(MediaLoop(MediaLoop::Settings{.addresses = {"127.0.0.1"}, .port = taken, .last_port = taken}),
               std::system_error);
  std::uint16_t free = 0;
  {
    const MediaLoop other(MediaLoop::Settings{.addresses = {"127.0.0.1"}});
    free = other.sockets(0).at(0).port;
  }
  const MediaLoop::Settings two{.addresses = {"127.0.0.1"}, .threads = 2, .port = free, .last_port = free};
  EXPECT_THROW(MediaLoop{two}, std::system_error) << "the second thread's port would be outside";
}

TEST(TapWishes, AConsumerThatNeverTakesAsksForOneKeyFrame) {
  Tap tap(2);
  std::size_t wishes = 0;
  const auto push = [&](bool is_key) {
    auto unit = std::make_shared<Unit>();
    unit->is_key = is_key;
    wishes += tap.push(unit).wants_key_frame;
  };
  for (int group = 0; group < 10; ++group) {
    for (int i = 0; i < 5; ++i) push(i == 0);
  }
  EXPECT_EQ(wishes, 1U);
  while (!tap.take(1).empty()) {
  }
  push(false);
  EXPECT_EQ(wishes, 2U) << "it takes again";
  push(false);
  EXPECT_EQ(wishes, 2U);
  push(true);
  EXPECT_EQ(tap.take(1).size(), 1U);
}

}  // namespace
}  // namespace mediacore::io::testing
