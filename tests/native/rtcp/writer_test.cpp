#include "core/rtcp/writer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "../rtp/bytes.hpp"

namespace mediacore::rtcp {
namespace {

using rtp::testing::Buffer;
using rtp::testing::from_hex;
using rtp::testing::to_buffer;

using Numbers = std::vector<std::uint16_t>;
using Arrivals = std::vector<Writer::Arrival>;

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::uint64_t up_to(std::uint64_t most) { return std::uniform_int_distribution<std::uint64_t>(0, most)(engine_); }
  std::uint32_t word() { return static_cast<std::uint32_t>(up_to(UINT32_MAX)); }

 private:
  std::mt19937 engine_;
};

template <class T>
T item_of(Reader& reader) {
  const auto item = reader.next();
  EXPECT_TRUE(item && std::holds_alternative<T>(*item));
  return item && std::holds_alternative<T>(*item) ? std::get<T>(*item) : T{};
}

TEST(RtcpWriter, WritesPacketAfterPacket) {
  std::array<std::uint8_t, 256> out{};
  Writer writer(out);
  EXPECT_EQ(writer.size(), 0U);
  ASSERT_TRUE(writer.sender_report(1, 2, 3, 4, 5));
  ASSERT_TRUE(writer.sdes_cname(1, "someone"));
  constexpr std::uint32_t kSsrc = 1;
  ASSERT_TRUE(writer.bye({&kSsrc, 1}));
  EXPECT_EQ(writer.size(), 28U + 20U + 8U);
  Reader reader(writer.view());
  EXPECT_EQ(item_of<SenderReport>(reader).octets, 5U);
  EXPECT_EQ(item_of<Bye>(reader).ssrc, 1U);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.error());
}

// Every packet, into every room up to what it needs.
TEST(RtcpWriter, APacketNeedsItsRoom) {
  const std::vector<ReportBlock> blocks(2);
  const Numbers lost{1, 2, 40};
  const std::vector<std::uint32_t> ssrcs{1, 2};
  const Arrivals arrivals{{1, true, 0}, {2, true, 256}, {3, false, 0}};
  const auto write = [&](std::size_t kind, Writer& writer) {
    switch (kind) {
      case 0: return writer.sender_report(1, 2, 3, 4, 5, blocks);
      case 1: return writer.receiver_report(1, blocks);
      case 2: return writer.sdes_cname(1, "abc");
      case 3: return writer.bye(ssrcs);
      case 4: return writer.nack(1, 2, lost);
      case 5: return writer.picture_loss(1, 2);
      case 6: return writer.full_intra_request(1, 2, 3);
      case 7: return writer.remb(1, 2, ssrcs);
      default: return writer.transport_feedback(1, 2, 3, 4, arrivals);
    }
  };
  constexpr std::array<std::size_t, 9> kSizes{76, 56, 16, 12, 20, 12, 20, 28, 28};
  for (std::size_t kind = 0; kind < kSizes.size(); ++kind) {
    for (std::size_t room = 0; room <= kSizes[kind]; ++room) {
      Buffer out(12 + room, 0xee);
      Writer writer(out);
      ASSERT_TRUE(writer.picture_loss(7, 8));
      const Buffer before = to_buffer(writer.view());
      EXPECT_EQ(write(kind, writer), room == kSizes[kind]) << kind;
      EXPECT_EQ(writer.size(), room == kSizes[kind] ? out.size() : 12) << kind;
      EXPECT_EQ(to_buffer(writer.view().first(12)), before);
      const bool untouched = Buffer(out.begin() + 12, out.end()) == Buffer(room, 0xee);
      EXPECT_EQ(untouched, room < kSizes[kind]);
    }
  }
}

TEST(RtcpWriter, RefusesWhatHasNoPlace) {
  Buffer out(1 << 17);
  Writer writer(out);
  EXPECT_FALSE(writer.sender_report(1, 2, 3, 4, 5, std::vector<ReportBlock>(32)));
  EXPECT_FALSE(writer.receiver_report(1, std::vector<ReportBlock>(32)));
  EXPECT_FALSE(writer.sdes_cname(1, std::string(256, 'a')));
  EXPECT_FALSE(writer.bye(std::vector<std::uint32_t>(32)));
  EXPECT_FALSE(writer.nack(1, 2, {}));
  EXPECT_FALSE(writer.remb(1, 2, std::vector<std::uint32_t>(256)));
  EXPECT_FALSE(writer.transport_feedback(1, 2, 3, 4, {}));
  EXPECT_FALSE(writer.transport_feedback(1, 2, 3, 4, Arrivals{{1, true, 32'768}}));
  EXPECT_FALSE(writer.transport_feedback(1, 2, 3, 4, Arrivals{{1, true, -32'769}}));
  EXPECT_FALSE(writer.transport_feedback(1, 2, 3, 4, Arrivals{{1, true, 0}, {3, true, 0}}));
  EXPECT_FALSE(writer.transport_feedback(1, 2, 3, 4, Arrivals{{1, true, 0}, {1, true, 0}}));
  Arrivals many(kMaxStatuses + 1);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].sequence = static_cast<std::uint16_t>(i);
  EXPECT_FALSE(writer.transport_feedback(1, 2, 3, 4, many));
  EXPECT_EQ(writer.size(), 0U);
  // The most of each.
  many.pop_back();
  EXPECT_TRUE(writer.transport_feedback(1, 2, 3, 4, many));
  EXPECT_TRUE(writer.transport_feedback(1, 2, 3, 4, Arrivals{{65'535, true, 32'767}, {0, true, -32'768}}));
  EXPECT_TRUE(writer.sender_report(1, 2, 3, 4, 5, std::vector<ReportBlock>(31)));
  EXPECT_TRUE(writer.sdes_cname(1, std::string(255, 'a')));
  EXPECT_TRUE(writer.bye(std::vector<std::uint32_t>(31)));
  EXPECT_TRUE(writer.bye({}));
  EXPECT_TRUE(writer.remb(1, 2, std::vector<std::uint32_t>(255)));
  EXPECT_TRUE(writer.transport_feedback(1, 2, 3, 4, Arrivals{{1, false, 1 << 20}}));
}

TEST(RtcpWriter, ManyLostPacketsFitInOnePacket) {
  Numbers lost;
  for (unsigned i = 0; i < 65'536; ++i) lost.push_back(static_cast<std::uint16_t>(i));
  Buffer out(1 << 17);
  Writer writer(out);
  ASSERT_TRUE(writer.nack(1, 2, lost));
  EXPECT_EQ(writer.size(), 12U + 4 * 3856U);  // 17 packets a pair
  Reader reader(writer.view());
  Numbers read;
  item_of<Nack>(reader).for_each([&](std::uint16_t number) { read.push_back(number); });
  EXPECT_EQ(read, lost);
}

TEST(RtcpWriter, CumulativeLossStaysAtTheEndOfItsRange) {
  const auto lost = [](std::int32_t value) {
    std::array<std::uint8_t, 64> out{};
    Writer writer(out);
    const ReportBlock block{.ssrc = 1,
                            .fraction_lost = 0xff,
                            .cumulative_lost = value,
                            .highest_sequence = 0,
                            .jitter = 0,
                            .last_sr = 0,
                            .delay_since_last_sr = 0};
    EXPECT_TRUE(writer.receiver_report(1, {&block, 1}));
    Reader reader(writer.view());
    const ReportBlock read = item_of<ReceiverReport>(reader).reports[0];
    EXPECT_EQ(read.fraction_lost, 0xff);
    return read.cumulative_lost;
  };
  EXPECT_EQ(lost(-1), -1);
  EXPECT_EQ(lost(0x7fffff), 0x7fffff);
  EXPECT_EQ(lost(0x800000), 0x7fffff);
  EXPECT_EQ(lost(-0x800001), -0x800000);
}

TEST(RtcpWriter, RembIsRoundedDown) {
  const auto through = [](std::uint64_t bitrate) {
    std::array<std::uint8_t, 64> out{};
    Writer writer(out);
    EXPECT_TRUE(writer.remb(1, bitrate, {}));
    Reader reader(writer.view());
    return item_of<Remb>(reader).bitrate_bps;
  };
  for (const std::uint64_t exact : {0ULL, 1ULL, 262'143ULL, 262'144ULL, 3'000'000ULL, 1ULL << 63}) {
    EXPECT_EQ(through(exact), exact);
  }
  EXPECT_EQ(through(262'145), 262'144U);
  EXPECT_EQ(through(UINT64_MAX), 0x3ffffULL << 46);
  Random random(3);
  for (int i = 0; i < 2'000; ++i) {
    const std::uint64_t bitrate = random.up_to(UINT64_MAX) >> random.up_to(63);
    const std::uint64_t read = through(bitrate);
    ASSERT_LE(read, bitrate);
    ASSERT_LE(bitrate - read, bitrate >> 17);
  }
}

// Pairs of a list in order, over the wrap: none can be left out.
TEST(RtcpWriter, NackRoundTrip) {
  Random random(5);
  std::array<std::uint8_t, 2048> out{};
  for (int i = 0; i < 5'000; ++i) {
    Numbers lost;
    auto number = static_cast<std::uint16_t>(random.up_to(65'535));
    for (std::uint64_t n = random.up_to(60) + 1; n > 0; --n) {
      lost.push_back(number);
      number = static_cast<std::uint16_t>(number + 1 + random.up_to(random.up_to(3) == 0 ? 40 : 3));
    }
    std::size_t pairs = 0;
    for (std::size_t at = 0; at < lost.size(); ++pairs) {
      const std::uint16_t first = lost[at];
      while (at < lost.size() && static_cast<std::uint16_t>(lost[at] - first) <= 16) ++at;
    }
    Writer writer(out);
    ASSERT_TRUE(writer.nack(1, 2, lost));
    ASSERT_EQ(writer.size(), 12 + 4 * pairs);
    Reader reader(writer.view());
    const auto nack = item_of<Nack>(reader);
    Numbers read;
    nack.for_each([&](std::uint16_t each) { read.push_back(each); });
    ASSERT_EQ(read, lost);
  }
}

TEST(RtcpWriter, NackOutOfOrderAndTwice) {
  std::array<std::uint8_t, 64> out{};
  Writer writer(out);
  ASSERT_TRUE(writer.nack(1, 2, Numbers{9, 9, 10, 10, 3}));
  EXPECT_EQ(to_buffer(writer.view()), from_hex("81cd 0004 00000001 00000002 0009 0001 0003 0000"));
}

TEST(RtcpWriter, ReportsRoundTrip) {
  Random random(7);
  std::array<std::uint8_t, 1024> out{};
  for (int i = 0; i < 500; ++i) {
    std::vector<ReportBlock> blocks(random.up_to(31));
    for (ReportBlock& block : blocks) {
      block = {.ssrc = random.word(),
               .fraction_lost = static_cast<std::uint8_t>(random.up_to(255)),
               .cumulative_lost = static_cast<std::int32_t>(random.up_to(0xffffff)) - 0x800000,
               .highest_sequence = random.word(),
               .jitter = random.word(),
               .last_sr = random.word(),
               .delay_since_last_sr = random.word()};
    }
    Writer writer(out);
    const std::uint64_t ntp = random.up_to(UINT64_MAX);
    ASSERT_TRUE(writer.sender_report(1, ntp, 3, 4, 5, blocks));
    Reader reader(writer.view());
    const auto report = item_of<SenderReport>(reader);
    ASSERT_EQ(report.ntp, ntp);
    ASSERT_EQ(report.reports.size(), blocks.size());
    for (std::size_t n = 0; n < blocks.size(); ++n) {
      const ReportBlock read = report.reports[n];
      ASSERT_EQ(read.ssrc, blocks[n].ssrc);
      ASSERT_EQ(read.fraction_lost, blocks[n].fraction_lost);
      ASSERT_EQ(read.cumulative_lost, blocks[n].cumulative_lost);
      ASSERT_EQ(read.highest_sequence, blocks[n].highest_sequence);
      ASSERT_EQ(read.jitter, blocks[n].jitter);
      ASSERT_EQ(read.last_sr, blocks[n].last_sr);
      ASSERT_EQ(read.delay_since_last_sr, blocks[n].delay_since_last_sr);
    }
  }
}

// Arrivals as networks make them: runs of lost and of regular ones, now and then late or alone.
Arrivals random_arrivals(Random& random) {
  Arrivals arrivals;
  auto sequence = static_cast<std::uint16_t>(random.up_to(65'535));
  for (std::uint64_t phases = random.up_to(8) + 1; phases > 0; --phases) {
    const std::uint64_t kind = random.up_to(4);
    for (std::uint64_t n = random.up_to(kind == 0 ? 9'000 : 40) + 1; n > 0; --n) {
      const bool received = kind == 1 || (kind == 2 && random.up_to(3) != 0) || kind > 2;
      std::int32_t delta = static_cast<std::int32_t>(random.up_to(255));
      if (kind == 3 || (kind == 4 && random.up_to(4) == 0)) {
        delta = static_cast<std::int32_t>(random.up_to(65'535)) - 32'768;
      }
      arrivals.push_back({sequence++, received, received ? delta : 0});
      if (arrivals.size() == kMaxStatuses) return arrivals;
    }
  }
  return arrivals;
}

TEST(RtcpWriter, TransportFeedbackRoundTrip) {
  Random random(11);
  Buffer out(1 << 17);
  for (int i = 0; i < 150; ++i) {
    const Arrivals arrivals = random_arrivals(random);
    const std::int32_t time = static_cast<std::int32_t>(random.up_to(0xffffff)) - 0x800000;
    Writer writer(out);
    ASSERT_TRUE(writer.transport_feedback(1, 2, time, static_cast<std::uint8_t>(i), arrivals));
    Reader reader(writer.view());
    const auto feedback = item_of<TransportFeedback>(reader);
    ASSERT_FALSE(reader.next());
    ASSERT_FALSE(reader.error());
    ASSERT_EQ(feedback.base_sequence, arrivals[0].sequence);
    ASSERT_EQ(feedback.status_count, arrivals.size());
    ASSERT_EQ(feedback.reference_time_64ms, time);
    ASSERT_EQ(feedback.feedback_count, i & 0xff);
    std::size_t at = 0;
    feedback.for_each([&](std::uint16_t sequence, bool received, std::int32_t delta) {
      ASSERT_EQ(sequence, arrivals[at].sequence);
      ASSERT_EQ(received, arrivals[at].received);
      ASSERT_EQ(delta, arrivals[at].delta_250us);
      ++at;
    });
    ASSERT_EQ(at, arrivals.size());
  }
}

// Bytes of the chunks of such arrivals: 's' small delta, 'l' large delta, '.' not received.
std::size_t chunk_bytes(const std::string& statuses) {
  Arrivals arrivals;
  for (const char c : statuses) {
    arrivals.push_back({static_cast<std::uint16_t>(arrivals.size()), c != '.', c == 'l' ? 1'000 : 0});
  }
  Buffer out(1 << 17);
  Writer writer(out);
  EXPECT_TRUE(writer.transport_feedback(1, 2, 3, 4, arrivals));
  Reader reader(writer.view());
  return item_of<TransportFeedback>(reader).chunks.size();
}

TEST(RtcpWriter, ChoosesTheChunkThatTellsOfMost) {
  EXPECT_EQ(chunk_bytes("s"), 2U);
  EXPECT_EQ(chunk_bytes(std::string(8'191, 's')), 2U);
  EXPECT_EQ(chunk_bytes(std::string(8'192, 's')), 4U);
  EXPECT_EQ(chunk_bytes(std::string(32'768, '.')), 10U);
  EXPECT_EQ(chunk_bytes("s.s.s.s.s.s.s."), 2U);  // one bit each
  EXPECT_EQ(chunk_bytes("s.s.s.s.s.s.s.s"), 4U);
  EXPECT_EQ(chunk_bytes("s.ls.ls"), 2U);               // two bits each
  EXPECT_EQ(chunk_bytes("llllllllllllllllllll"), 2U);  // a run
  EXPECT_EQ(chunk_bytes("s.s.s.s"
                        "l......"),
            4U);  // two bits each, twice
  EXPECT_EQ(chunk_bytes(std::string(100, 's') + ".s.s"), 4U);
}

}  // namespace
}  // namespace mediacore::rtcp
