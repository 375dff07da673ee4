#include "core/rtp/depacketizer.hpp"

#include <gtest/gtest.h>

#include <random>

#include "bytes.hpp"
#include "core/rtp/av1.hpp"
#include "core/rtp/cut_frame.hpp"
#include "core/rtp/h264_depacketizer.hpp"
#include "core/rtp/opus.hpp"
#include "core/rtp/vp8.hpp"
#include "core/rtp/vp9.hpp"

namespace mediacore::rtp {
namespace {

using testing::Buffer;
using testing::from_hex;
using testing::to_buffer;
using testing::operator+;

// The only frame of these payloads, or the first error.
template <class Depacketizer>
struct Outcome {
  explicit Outcome(std::initializer_list<const char*> payloads) {
    Depacketizer depacketizer;
    std::uint16_t number = 0;
    for (const char* payload : payloads) {
      ++number;
      const PacketInfo info{{number}, {}, number == payloads.size()};
      const auto failed = depacketizer.push(info, from_hex(payload), [&](const FrameView& view) {
        frame = to_buffer(view.data);
        is_key = view.is_key;
      });
      if (failed && !error) error = failed;
    }
  }

  std::optional<Buffer> frame;
  std::optional<Error> error;
  bool is_key = false;
};

TEST(H264Depacketizer, TakesEachKindOfPacket) {
  using O = Outcome<H264Depacketizer>;
  EXPECT_EQ(O({"909090"}).frame, from_hex("00000001 909090"));
  EXPECT_EQ(O({"78 0002 6701 0002 6802"}).frame, from_hex("00000001 6701 00000001 6802"));
  EXPECT_EQ(O({"7c85aabb", "7c45ccdd"}).frame, from_hex("00000001 65aabbccdd"));
  EXPECT_EQ(O({"3cc1e700cafe"}).frame, from_hex("00000001 21e700cafe"));  // S and E together, from a camera
  EXPECT_EQ(O({"00000001 0102 000001 0304"}).frame, from_hex("00000001 0102 000001 0304"));
  EXPECT_EQ(O({"0a"}).frame, from_hex("00000001 0a"));
  EXPECT_TRUE(O({"7c85aabb", "7c45ccdd"}).is_key);
  EXPECT_FALSE(O({"41aa"}).is_key);
}

TEST(H264Depacketizer, RefusesWhatDoesNotAddUp) {
  using O = Outcome<H264Depacketizer>;
  EXPECT_EQ(O({""}).error, (Error{ErrorCode::empty, 0}));
  EXPECT_EQ(O({"9c"}).error, (Error{ErrorCode::truncated, 1}));
  EXPECT_EQ(O({"ff0000"}).error, (Error{ErrorCode::unsupported_type, 0}));
  EXPECT_EQ(O({"18"}).error, (Error{ErrorCode::cut_entry, 1}));
  EXPECT_EQ(O({"d827"}).error, (Error{ErrorCode::cut_entry, 1}));
  EXPECT_EQ(O({"382727"}).error, (Error{ErrorCode::cut_entry, 3}));
  EXPECT_EQ(O({"180000"}).error, (Error{ErrorCode::empty_entry, 1}));
  EXPECT_EQ(O({"18000305ff000000"}).error, (Error{ErrorCode::empty_entry, 6}));
  EXPECT_EQ(O({"7c05aa"}).error, (Error{ErrorCode::start_missing, 1}));
  EXPECT_EQ(O({"7c85aa", "7c85aa"}).error, (Error{ErrorCode::start_unexpected, 1}));
  EXPECT_EQ(O({"7c85aa", "7c01aa"}).error, (Error{ErrorCode::fragment_mismatch, 1}));
  EXPECT_EQ(O({"7c85aa"}).error, (Error{ErrorCode::not_finished, 0}));
}

TEST(Vp8Depacketizer, Descriptors) {
  using O = Outcome<Vp8Depacketizer>;
  EXPECT_EQ(O({"10 00aa", "00 bb"}).frame, from_hex("00aabb"));
  EXPECT_EQ(O({"90 80 8001 01aa"}).frame, from_hex("01aa"));
  EXPECT_EQ(O({"90 f0 8001 05 1f 00aa"}).frame, from_hex("00aa"));
  EXPECT_EQ(O({"90 20 40 00aa"}).frame, from_hex("00aa"));
  EXPECT_TRUE(O({"10 00"}).is_key);
  EXPECT_FALSE(O({"10 01"}).is_key);
  EXPECT_EQ(O({"10"}).error, (Error{ErrorCode::truncated, 1}));
  EXPECT_EQ(O({"90"}).error, (Error{ErrorCode::truncated, 1}));
  EXPECT_EQ(O({"9080"}).error, (Error{ErrorCode::truncated, 2}));
  EXPECT_EQ(O({"90f08001"}).error, (Error{ErrorCode::truncated, 4}));
  EXPECT_EQ(O({"00aa"}).error, (Error{ErrorCode::start_missing, 0}));
  EXPECT_EQ(O({"11aa"}).error, (Error{ErrorCode::start_missing, 0}));
  EXPECT_EQ(O({"1000aa", "1000bb"}).error, (Error{ErrorCode::start_unexpected, 0}));
}

TEST(Vp9Depacketizer, Descriptors) {
  using O = Outcome<Vp9Depacketizer>;
  EXPECT_EQ(O({"88 01 aa", "c4 01 bb"}).frame, from_hex("aabb"));
  EXPECT_EQ(O({"fc 8001 00 03 05 02 aa"}).frame, from_hex("aa"));                // layer, three references
  EXPECT_EQ(O({"ae 8001 0000 18 014000c0 01 04 01 aa"}).frame, from_hex("aa"));  // structure with a group
  EXPECT_EQ(O({"8e 01 30 00010001 00020002 aa"}).frame, from_hex("aa"));         // two layers' sizes
  EXPECT_TRUE(O({"8c 01 aa"}).is_key);
  EXPECT_FALSE(O({"cc 01 aa"}).is_key);
  EXPECT_EQ(O({"8c01"}).error, (Error{ErrorCode::truncated, 2}));
  EXPECT_EQ(O({"8e 01 ff"}).error, (Error{ErrorCode::truncated, 3}));
  EXPECT_EQ(O({"dc 01 03 05 07 02 aa"}).error, (Error{ErrorCode::value_out_of_range, 4}));
  EXPECT_EQ(O({"80 01 aa"}).error, (Error{ErrorCode::start_missing, 0}));
  EXPECT_EQ(O({"88 01 aa", "88 01 aa"}).error, (Error{ErrorCode::start_unexpected, 0}));
  EXPECT_EQ(O({"88 01 aa"}).error, (Error{ErrorCode::not_finished, 0}));
}

TEST(Av1Depacketizer, Elements) {
  using O = Outcome<Av1Depacketizer>;
  EXPECT_EQ(O({"10 30aa"}).frame, from_hex("3201aa"));
  EXPECT_EQ(O({"00 02 30aa 01 28"}).frame, from_hex("3201aa 2a00"));
  EXPECT_EQ(O({"50 30aa", "90 bb"}).frame, from_hex("3202aabb"));
  EXPECT_EQ(O({"50 34", "d0 40", "90 bb"}).frame, from_hex("36 40 01 bb"));  // cut inside the header
  EXPECT_EQ(O({"20 01 10 30aa"}).frame, from_hex("3201aa"));                 // a temporal delimiter is dropped
  EXPECT_TRUE(O({"18 30aa"}).is_key);
  EXPECT_FALSE(O({"10 30aa"}).is_key);
  EXPECT_EQ(O({"10"}).error, (Error{ErrorCode::truncated, 1}));
  EXPECT_EQ(O({"90 aa"}).error, (Error{ErrorCode::start_missing, 0}));
  EXPECT_EQ(O({"98 aa"}).error, (Error{ErrorCode::fragment_mismatch, 0}));
  EXPECT_EQ(O({"50 30aa", "10 30aa"}).error, (Error{ErrorCode::start_unexpected, 0}));
  EXPECT_EQ(O({"00 05 30aa"}).error, (Error{ErrorCode::cut_entry, 2}));
  EXPECT_EQ(O({"00 00 30"}).error, (Error{ErrorCode::empty_entry, 2}));
  EXPECT_EQ(O({"30 0130 0130"}).error, (Error{ErrorCode::cut_entry, 5}));
  EXPECT_EQ(O({"10 b0aa"}).error, (Error{ErrorCode::forbidden_bit, 1}));
  EXPECT_EQ(O({"50 30aa"}).error, (Error{ErrorCode::not_finished, 0}));
}

TEST(OpusDepacketizer, EachPacketIsAFrame) {
  OpusDepacketizer depacketizer;
  std::size_t frames = 0;
  for (std::uint16_t number = 0; number < 3; ++number) {
    EXPECT_FALSE(
        depacketizer.push({{number}, {number * 960U}, false}, from_hex("78aabb"), [&](const FrameView&) { ++frames; }));
  }
  EXPECT_EQ(frames, 3U);
}

// Counts add up, views stay inside the limit, whatever comes.
template <class Format>
void push_noise() {
  std::mt19937 random(11);
  const auto up_to = [&](unsigned most) { return std::uniform_int_distribution<unsigned>(0, most)(random); };
  const std::vector<Buffer> heads{{},
                                  from_hex("7c85"),
                                  from_hex("7c05"),
                                  from_hex("780002"),
                                  from_hex("10"),
                                  from_hex("9080"),
                                  from_hex("88"),
                                  from_hex("ce"),
                                  from_hex("5030"),
                                  from_hex("d0"),
                                  from_hex("08")};
  for (int run = 0; run < 60; ++run) {
    Depacketizer<Format> depacketizer(500);
    std::uint64_t given = 0;
    std::uint16_t number = 65'500;
    std::uint32_t timestamp = 0;
    for (int i = 0; i < 300; ++i) {
      Buffer payload = heads[up_to(static_cast<unsigned>(heads.size() - 1))];
      for (unsigned n = up_to(30); n > 0; --n) payload.push_back(static_cast<std::uint8_t>(up_to(255)));
      if (up_to(9) == 0) timestamp += 3000;
      number = static_cast<std::uint16_t>(number + (up_to(9) == 0 ? up_to(3) : 1));
      static_cast<void>(depacketizer.push({{number}, {timestamp}, up_to(4) == 0}, payload, [&](const FrameView& view) {
        ++given;
        ASSERT_TRUE(!view.data.empty() && view.data.size() <= 500);
      }));
    }
    EXPECT_EQ(depacketizer.stats().packets, 300U);
    EXPECT_EQ(depacketizer.stats().frames, given);
  }
}

TEST(Depacketizer, StandsNoise) {
  push_noise<H264Format>();
  push_noise<Vp8Format>();
  push_noise<Vp9Format>();
  push_noise<Av1Format>();
  push_noise<OpusFormat>();
}

TEST(Packetizers, StandNoise) {
  std::mt19937 random(13);
  const auto up_to = [&](unsigned most) { return std::uniform_int_distribution<unsigned>(0, most)(random); };
  PayloadBuffer out;
  Vp8Packetizer vp8({.payload_bytes = 64});
  Vp9Packetizer vp9({.payload_bytes = 64});
  Av1Packetizer av1({.payload_bytes = 64, .first_reduction = 8, .last_reduction = 8});
  for (int i = 0; i < 20'000; ++i) {
    Buffer frame;
    for (unsigned n = up_to(200); n > 0; --n)
      frame.push_back(static_cast<std::uint8_t>(up_to(255) & (i % 2 == 0 ? 0x3f : 0xff)));
    if (!frame.empty() && i % 4 == 0) frame[0] = 0x82;
    static_cast<void>(vp8.packetize(frame, out));
    ASSERT_EQ(out.empty(), frame.empty());
    static_cast<void>(vp9.packetize(frame, out));
    static_cast<void>(av1.packetize(frame, out));
    for (std::size_t k = 0; k < out.size(); ++k) ASSERT_LE(out[k].size(), 64U);
    static_cast<void>(opus_ticks(frame));
  }
}

}  // namespace
}  // namespace mediacore::rtp
