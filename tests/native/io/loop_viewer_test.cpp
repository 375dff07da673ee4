// Viewers of the media loop, from the source's socket to the browser's, and back.
#include <gtest/gtest.h>

#include <set>

#include "io/clock.hpp"
#include "remote_viewer.hpp"
#include "streams.hpp"

namespace mediacore::io::testing {
namespace {

using egress::testing::config;
using egress::testing::kRtx;
using egress::testing::kVideo;
using egress::testing::kViewer;
using egress::testing::unpaced;
using h264::operator+;

std::vector<Buffer> data_of(const std::vector<Picture>& pictures) {
  std::vector<Buffer> data;
  for (const Picture& picture : pictures) data.push_back(picture.data);
  return data;
}

using LoopViewer = ViewerTest;

TEST_F(LoopViewer, GetsWhatTheDeviceSends) {
  const Id rendition = add_rendition();
  Device device;
  add_source(rendition, device);
  Viewer viewer = watch(rendition, "a", config());
  const std::vector<Buffer> sent{key_unit(3000), delta_unit(1, 100), delta_unit(2, 5000), delta_unit(3)};
  for (const Buffer& unit : sent) {
    device.write(unit);
    ASSERT_TRUE(viewer.remote->until_pictures(viewer.remote->pictures.size() + 1));
  }
  EXPECT_EQ(data_of(viewer.remote->pictures), sent);
  EXPECT_EQ(viewer.remote->refused, 0U);
  ASSERT_TRUE(eventually([&] { return loop.viewer_figures(viewer.id)->figures.egress.frames == sent.size(); }));
  const auto figures = loop.viewer_figures(viewer.id);
  EXPECT_GE(figures->handed.p50_us, 0);
  EXPECT_GE(figures->arrival.p50_us, figures->handed.p50_us);
  const auto destination = loop.destination(viewer.id);
  ASSERT_TRUE(destination && destination->known);
  EXPECT_EQ(destination->endpoint, address_of(viewer.remote->port()));
}

TEST_F(LoopViewer, ManySeeOneStreamCutOnce) {
  const Id rendition = add_rendition();
  std::vector<Viewer> viewers;
  for (int i = 0; i < 8; ++i)
    viewers.push_back(watch(rendition, std::string(1, static_cast<char>('a' + i)), unpaced()));
  settle();
  const std::uint64_t calls = loop.figures().threads.send.calls;
  const Buffer key = key_unit(20'000);
  ASSERT_TRUE(push(rendition, key, true, 1'000'000));
  for (Viewer& viewer : viewers) {
    ASSERT_TRUE(viewer.remote->until_pictures(1));
    EXPECT_EQ(viewer.remote->pictures[0].data, key);
  }
  EXPECT_LE(loop.figures().threads.send.calls - calls, 2U) << "all of them in one call";
  EXPECT_EQ(loop.rendition_figures(rendition)->viewers, 8U);
}

TEST_F(LoopViewer, ARenditionTellsTheLeastAndTheLongestQueueOfItsViewers) {
  const Id rendition = add_rendition();
  EXPECT_EQ(loop.rendition_figures(rendition)->least_queue_us, -1);
  EXPECT_EQ(loop.rendition_figures(rendition)->most_queue_us, 0);
  auto slow = config();
  slow.pacing.start_rate_bps = 100'000;
  slow.pacing.max_queue_us = 60'000'000;
  const Viewer behind = watch(rendition, "behind", slow);
  ASSERT_TRUE(push(rendition, key_unit(200'000), true, 1'000'000));
  ASSERT_TRUE(eventually([&] { return loop.rendition_figures(rendition)->most_queue_us > 100'000; }));
  EXPECT_GT(loop.rendition_figures(rendition)->least_queue_us, 0);
  const Viewer quick = watch(rendition, "quick", unpaced());
  ASSERT_TRUE(eventually([&] {
    const auto figures = loop.rendition_figures(rendition);
    return figures->least_queue_us == 0 && figures->most_queue_us > 0;
  }));
  remove(behind.id);
  EXPECT_EQ(loop.rendition_figures(rendition)->most_queue_us, 0);
  remove(quick.id);
  EXPECT_EQ(loop.rendition_figures(rendition)->least_queue_us, -1);
}

TEST_F(LoopViewer, WhoComesLateBeginsWithTheCachedPictures) {
  const Id rendition = add_rendition();
  std::vector<Buffer> sent{key_unit(), delta_unit(1), delta_unit(2), delta_unit(3)};
  for (std::size_t i = 0; i < sent.size(); ++i) {
    ASSERT_TRUE(push(rendition, sent[i], i == 0, 1'000'000 + static_cast<std::int64_t>(i) * 33'000));
  }
  Viewer viewer = watch(rendition, "late", config());
  ASSERT_TRUE(viewer.remote->until_pictures(4));
  sent.push_back(delta_unit(4));
  ASSERT_TRUE(push(rendition, sent.back(), false, 1'132'000));
  ASSERT_TRUE(viewer.remote->until_pictures(5));
  EXPECT_EQ(data_of(viewer.remote->pictures), sent);
  const auto& pictures = viewer.remote->pictures;
  EXPECT_EQ(pictures[3].timestamp - pictures[0].timestamp, 270U) << "1 ms apart, so that they show at once";
  EXPECT_EQ(pictures[4].timestamp - pictures[3].timestamp, 2970U);
  EXPECT_EQ(count<KeyFrameWanted>(), 0U);
  EXPECT_EQ(loop.viewer_figures(viewer.id)->figures.replays, 1U);
}

TEST_F(LoopViewer, WaitsForAKeyFrameIfTheCachedPicturesAreMany) {
  const Id rendition = add_rendition(100);
  ASSERT_TRUE(push(rendition, key_unit(400), true, 1'000'000));
  Viewer viewer = watch(rendition, "late", config());
  const auto wanted = wait_for<KeyFrameWanted>();
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->rendition, rendition);
  ASSERT_TRUE(push(rendition, delta_unit(1), false, 1'033'000));
  ASSERT_TRUE(push(rendition, key_unit(500), true, 1'066'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  EXPECT_EQ(viewer.remote->pictures[0].data, key_unit(500));
}

TEST_F(LoopViewer, GetsTheCachedPicturesIfThereIsNoKeyFrame) {
  const Id rendition = add_rendition(100);
  ASSERT_TRUE(push(rendition, key_unit(400), true, 1'000'000));
  Viewer viewer = watch(rendition, "late", config());
  ASSERT_TRUE(wait_for<KeyFrameWanted>());
  loop.key_frame_unavailable(rendition);
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  EXPECT_EQ(viewer.remote->pictures[0].data, key_unit(400));
}

TEST_F(LoopViewer, BeforeTheFirstPictureNobodyIsAsked) {
  const Id rendition = add_rendition();
  Viewer viewer = watch(rendition, "early", config());
  settle();
  EXPECT_EQ(count<KeyFrameWanted>(), 0U);
  ASSERT_TRUE(push(rendition, key_unit(), true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
}

TEST_F(LoopViewer, APictureLossIsRepairedByAReplayOnceAndByAKeyFrameThen) {
  const Id rendition = add_rendition();
  ASSERT_TRUE(push(rendition, key_unit(), true, 1'000'000));
  Viewer viewer = add_viewer(rendition, "a", config());
  nominate(viewer);
  loop.start_viewer(viewer.id, config());
  ASSERT_TRUE(push(rendition, delta_unit(1), false, 1'033'000));
  loop.attach(viewer.id, rendition, 0);
  ASSERT_TRUE(viewer.remote->until_pictures(2)) << "the first replay, of this attachment";
  viewer.remote->send_rtcp(port(), [](rtcp::Writer& writer) { writer.picture_loss(kViewer, kVideo); });
  EXPECT_TRUE(wait_for<KeyFrameWanted>()) << "replayed within the last 2 s";
  EXPECT_EQ(loop.viewer_figures(viewer.id)->figures.replays, 1U);
  EXPECT_EQ(loop.viewer_figures(viewer.id)->figures.egress.key_frame_requests, 1U);
}

TEST_F(LoopViewer, WishesOfManyAreMerged) {
  const Id rendition = add_rendition();
  std::vector<Viewer> viewers;
  for (int i = 0; i < 4; ++i) viewers.push_back(watch(rendition, std::string(1, static_cast<char>('a' + i)), config()));
  ASSERT_TRUE(push(rendition, key_unit(2 << 20), true, 1'000'000));  // too large for a replay
  for (Viewer& viewer : viewers) {
    viewer.remote->send_rtcp(port(), [](rtcp::Writer& writer) { writer.picture_loss(kViewer, kVideo); });
  }
  ASSERT_TRUE(eventually([&] {
    return std::ranges::all_of(viewers, [&](const Viewer& viewer) {
      return loop.viewer_figures(viewer.id)->figures.egress.key_frame_requests == 1;
    });
  }));
  EXPECT_GE(count<KeyFrameWanted>(), 1U);
  EXPECT_LE(loop.rendition_figures(rendition)->key_frame_wishes, 4U);
}

TEST_F(LoopViewer, LostPacketsComeAgain) {
  const Id rendition = add_rendition();
  Viewer viewer = watch(rendition, "a", unpaced());
  ASSERT_TRUE(push(rendition, key_unit(8000), true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  const std::vector<std::uint16_t> lost{viewer.remote->numbers[kVideo][1], viewer.remote->numbers[kVideo][3]};
  viewer.remote->send_rtcp(port(), [&](rtcp::Writer& writer) { writer.nack(kViewer, kVideo, lost); });
  ASSERT_TRUE(viewer.remote->until([&] { return viewer.remote->numbers[kRtx].size() == 2; }));
  ASSERT_TRUE(eventually([&] { return loop.viewer_figures(viewer.id)->nack.p50_us >= 0; }));
  EXPECT_EQ(loop.viewer_figures(viewer.id)->figures.egress.retransmitted, 2U);
}

TEST_F(LoopViewer, MovesBetweenRenditionsOnOneTimeline) {
  const Id first = add_rendition();
  const Id second = loop.add_rendition(Codec::h264, kReplayBytes, kGopBytes, first);
  Viewer viewer = watch(first, "a", config());
  ASSERT_TRUE(push(first, key_unit(100), true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  ASSERT_TRUE(push(second, key_unit(200), true, 1'010'000));
  loop.attach(viewer.id, second, 0);
  ASSERT_TRUE(viewer.remote->until_pictures(2));
  ASSERT_TRUE(push(first, delta_unit(1), false, 1'033'000));
  ASSERT_TRUE(push(second, delta_unit(1), false, 1'043'000));
  ASSERT_TRUE(viewer.remote->until_pictures(3));
  const auto& pictures = viewer.remote->pictures;
  EXPECT_EQ(pictures[1].data, key_unit(200));
  EXPECT_EQ(pictures[2].data, delta_unit(1));
  EXPECT_EQ(pictures[1].timestamp - pictures[0].timestamp, 900U);
  EXPECT_EQ(pictures[2].timestamp - pictures[1].timestamp, 2970U);
  const auto& numbers = viewer.remote->numbers[kVideo];
  EXPECT_EQ(std::set(numbers.begin(), numbers.end()).size(), numbers.size()) << "no number twice";
  EXPECT_EQ(viewer.remote->refused, 0U);
  loop.detach(viewer.id);
  ASSERT_TRUE(push(second, key_unit(), true, 1'076'000));
  settle();
  EXPECT_EQ(loop.rendition_figures(second)->viewers, 0U);
  EXPECT_EQ(loop.viewer_figures(viewer.id)->figures.egress.frames, 3U);
}

TEST_F(LoopViewer, StaysWhenItsRenditionGoes) {
  const Id first = add_rendition();
  Viewer viewer = watch(first, "a", config());
  ASSERT_TRUE(push(first, key_unit(), true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  remove(first);
  const Id second = add_rendition();
  loop.attach(viewer.id, second, 0);
  ASSERT_TRUE(push(second, key_unit(300), true, 2'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(2));
  EXPECT_EQ(viewer.remote->pictures[1].data, key_unit(300));
}

TEST_F(LoopViewer, IsToldByeAndForgotten) {
  const Id rendition = add_rendition();
  Viewer viewer = watch(rendition, "a", config());
  ASSERT_TRUE(push(rendition, key_unit(), true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  remove(viewer.id);
  EXPECT_TRUE(viewer.remote->until([&] { return viewer.remote->goodbyes == 1; }));
  EXPECT_FALSE(loop.viewer_figures(viewer.id));
  EXPECT_EQ(loop.rendition_figures(rendition)->viewers, 0U);
  viewer.remote->check(port(), false);
  EXPECT_TRUE(eventually([&] { return loop.figures().threads.demux.unknown_ufrag == 1; }));
}

TEST_F(LoopViewer, IsToldByeWhenTheLoopCloses) {
  const Id rendition = add_rendition();
  Viewer viewer = watch(rendition, "a", config());
  ASSERT_TRUE(push(rendition, key_unit(), true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until_pictures(1));
  loop.close();
  EXPECT_TRUE(viewer.remote->until([&] { return viewer.remote->goodbyes == 1; }));
}

TEST_F(LoopViewer, GetsReportsAndIsHeard) {
  const Id rendition = add_rendition();
  Viewer viewer = watch(rendition, "a", config());
  ASSERT_TRUE(push(rendition, key_unit(), true, 1'000'000));
  EXPECT_TRUE(viewer.remote->until([&] { return viewer.remote->sender_reports >= 1; }));
  const std::int64_t heard_us = loop.viewer_figures(viewer.id)->figures.heard_us;
  viewer.remote->send_rtcp(port(), [](rtcp::Writer& writer) {
    rtcp::ReportBlock block{};
    block.ssrc = kVideo;
    writer.receiver_report(kViewer, std::array{block});
  });
  ASSERT_TRUE(eventually([&] { return loop.viewer_figures(viewer.id)->figures.egress.reports == 1; }));
  EXPECT_GT(loop.viewer_figures(viewer.id)->figures.heard_us, heard_us);
}

TEST_F(LoopViewer, SilenceIsToldAgainAndAgain) {
  const Id rendition = add_rendition();
  Viewer viewer = add_viewer(rendition, "a", config(), 300'000, 700'000);
  nominate(viewer);
  loop.start_viewer(viewer.id, config());
  const auto quiet = wait_for<ViewerSilent>();
  ASSERT_TRUE(quiet);
  EXPECT_EQ(quiet->viewer, viewer.id);
  EXPECT_GE(quiet->silent_us, 300'000);
  const auto silent = wait_for<ViewerSilent>([](const ViewerSilent& event) { return event.silent_us >= 700'000; });
  ASSERT_TRUE(silent);
  viewer.remote->check(port(), false);
  ASSERT_TRUE(eventually([&] { return loop.viewer_figures(viewer.id)->silent_us < 300'000; }));
}

TEST_F(LoopViewer, SaysBye) {
  const Id rendition = add_rendition();
  Viewer viewer = watch(rendition, "a", config());
  settle();
  viewer.remote->send_rtcp(port(), [](rtcp::Writer& writer) { writer.bye(std::array{kViewer}); });
  const auto bye = wait_for<ViewerBye>();
  ASSERT_TRUE(bye);
  EXPECT_EQ(bye->viewer, viewer.id);
}

TEST_F(LoopViewer, ItsStunAndDtlsComeUpWithinAQuota) {
  const Id rendition = add_rendition();
  Viewer viewer = add_viewer(rendition, "a", config());
  viewer.remote->check(port(), false);
  const auto check = wait_for<DatagramUp>();
  ASSERT_TRUE(check);
  EXPECT_EQ(check->viewer, viewer.id);
  EXPECT_EQ(check->from, address_of(viewer.remote->port()));
  Buffer dtls(100, 22);
  constexpr std::size_t kSent = 100;
  for (std::size_t i = 0; i < kSent; ++i) viewer.remote->send(port(), dtls);
  ASSERT_TRUE(eventually([&] {
    const auto figures = loop.viewer_figures(viewer.id);
    return figures->datagrams_up + figures->quota_drops == 1 + kSent;
  }));
  EXPECT_EQ(loop.viewer_figures(viewer.id)->quota_drops, kSent - EventQueue::kDatagramsPerViewer);
  EXPECT_EQ(count<DatagramUp>(), EventQueue::kDatagramsPerViewer);
  viewer.remote->send(port(), dtls);
  EXPECT_TRUE(wait_for<DatagramUp>()) << "taken, so there is room again";
}

TEST_F(LoopViewer, AnswersThatWereGivenNativelyAreNotSentAgain) {
  const Id rendition = add_rendition();
  Viewer viewer = add_viewer(rendition, "a", config());
  viewer.remote->check(port(), false);
  ASSERT_TRUE(viewer.remote->until([&] { return viewer.remote->stun.size() == 1; })) << "without Python";
  const auto success = ice::testing::StunBytes(ice::testing::kBindingSuccess, 0x1001).bytes();
  EXPECT_TRUE(loop.send_datagram(viewer.id, address_of(viewer.remote->port()), success));
  const Buffer dtls(100, 22);
  EXPECT_TRUE(loop.send_datagram(viewer.id, address_of(viewer.remote->port()), dtls));
  const auto received = receive(viewer.remote->port(), 1);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].data, dtls);
}

TEST_F(LoopViewer, OneThatNeverReadsHarmsNoOther) {
  const Id rendition = add_rendition();
  Viewer stuck = watch(rendition, "stuck", unpaced());
  Viewer fine = watch(rendition, "fine", unpaced());
  const int small = 1;
  setsockopt(stuck.remote->port().descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(push(rendition, i == 0 ? key_unit(60'000) : delta_unit(1, 20'000), i == 0, 1'000'000 + i * 33'000));
    ASSERT_TRUE(fine.remote->until_pictures(static_cast<std::size_t>(i) + 1));
  }
  EXPECT_EQ(fine.remote->pictures.size(), 30U);
}

TEST_F(LoopViewer, ATakenUfragIsToldAndNoViewer) {
  const Id rendition = add_rendition();
  loop.add_viewer(rendition, "same", kPassword, 0, 0);
  loop.add_viewer(rendition, "same", kPassword, 0, 0);
  const auto failed = wait_for<Done>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->token, 0U);
  EXPECT_NE(failed->error.find("same"), std::string::npos);
}

class LoopThreads : public ViewerTest {
 protected:
  LoopThreads() : ViewerTest(MediaLoop::Settings{.addresses = {"127.0.0.1"}, .threads = 2}) {}
};

TEST_F(LoopThreads, ShareTheRenditions) {
  const Id first = add_rendition();
  const Id second = add_rendition();
  EXPECT_NE(loop.thread_of(first), loop.thread_of(second));
  const Id beside = loop.add_rendition(Codec::opus, 0, kGopBytes, first);
  EXPECT_EQ(loop.thread_of(first), loop.thread_of(beside));
  const Id viewer = loop.add_viewer(second, "a", kPassword, 0, 0);
  EXPECT_THROW(loop.attach(viewer, first, 0), std::invalid_argument);
  EXPECT_THROW(loop.attach(viewer, second, beside), std::invalid_argument);
  EXPECT_THROW(loop.attach(viewer, beside, 0), std::invalid_argument);
  loop.attach(viewer, second, 0);
}

TEST_F(LoopViewer, HearsSoundBesideThePictures) {
  const Id video = add_rendition();
  const Id audio = add_rendition(0, Codec::opus);
  Viewer viewer = add_viewer(video, "a", config());
  nominate(viewer);
  loop.start_viewer(viewer.id, config());
  loop.attach(viewer.id, video, audio);
  ASSERT_TRUE(push(audio, Buffer{0x78, 1, 2, 3}, true, 1'000'000));
  ASSERT_TRUE(viewer.remote->until([&] { return viewer.remote->numbers[egress::testing::kAudio].size() == 1; }));
}

}  // namespace
}  // namespace mediacore::io::testing
