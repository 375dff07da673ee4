// How fast do H.264 access units become RTP packets, next to libavformat's muxer and to copying the bytes alone?
//
//   bench_rtp [--json] FILE.h264...
//
// Both make whole packets in memory, 12 bytes of header and 1200 of payload at most, from access units that are at
// hand. That nothing is lost, and how many packets there are, is looked at first.
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string_view>

#include "core/h264/start_code.hpp"
#include "core/rtp/h264_depacketizer.hpp"
#include "core/rtp/h264_packetizer.hpp"
#include "core/rtp/packet.hpp"
#include "race.hpp"
#include "stream_file.hpp"

#ifdef MEDIACORE_HAVE_LIBAV
extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/log.h>
}
#endif

namespace mediacore::benchmarks {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint32_t kTicksPerFrame = 3000;

// What a contestant made of a stream: NAL units by way of a depacketizer, and a count.
class Received {
 public:
  void packet(Bytes data) {
    const auto packet = rtp::parse_packet(data);
    if (!packet) return;
    ++packets;
    const rtp::Header& header = packet->header;
    const auto error = depacketizer_.push({header.sequence_number, header.timestamp, header.marker}, packet->payload,
                                          [this](const rtp::FrameView& frame) { keep(frame.data); });
    if (error) throw std::runtime_error(std::string(rtp::describe(error->code)));
  }

  // NAL units, without delimiters and filler, each after a start code.
  void keep(Bytes unit) {
    for (std::size_t code = h264::find_start_code(unit); code < unit.size();) {
      const std::size_t begin = code + 3;
      code = h264::find_start_code(unit, begin);
      std::size_t end = code;
      while (end > begin && unit[end - 1] == 0) --end;
      if (end == begin || (unit[begin] & 0x1f) == 9 || (unit[begin] & 0x1f) == 12) continue;
      nals.insert(nals.end(), {0, 0, 1});
      nals.insert(nals.end(), unit.begin() + static_cast<std::ptrdiff_t>(begin),
                  unit.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }

  std::vector<std::uint8_t> nals;
  std::size_t packets = 0;

 private:
  rtp::H264Depacketizer depacketizer_;
};

class Ours {
 public:
  void send(const StreamFile& stream, Received* receiver = nullptr) {
    for (const Bytes unit : stream.units) {
      if (packetizer_.packetize(unit, packets_)) throw std::runtime_error("not packetized");
      header_.timestamp = header_.timestamp.plus(kTicksPerFrame);
      for (std::size_t i = 0; i < packets_.size(); ++i) {
        header_.marker = i + 1 == packets_.size();
        header_.sequence_number = header_.sequence_number.next();
        const std::span<std::uint8_t> packet = packets_.packet(i);
        rtp::write_fixed_header(header_, packet.first<rtp::kFixedHeaderBytes>());
        if (receiver != nullptr) receiver->packet(packet);
      }
    }
  }

 private:
  rtp::H264Packetizer packetizer_;
  rtp::PayloadBuffer packets_{rtp::kFixedHeaderBytes};
  rtp::Header header_{.payload_type = 96, .ssrc = 1};
};

#ifdef MEDIACORE_HAVE_LIBAV
class Libavformat {
 public:
  Libavformat() {
    constexpr int kPacketBytes = rtp::kFixedHeaderBytes + rtp::kDefaultPayloadBytes;
    av_log_set_level(AV_LOG_ERROR);
    check(avformat_alloc_output_context2(&context_, nullptr, "rtp", nullptr), "no rtp muxer");
    auto* const buffer = static_cast<unsigned char*>(av_malloc(kPacketBytes));
    context_->pb = avio_alloc_context(buffer, kPacketBytes, 1, this, nullptr, &write, nullptr);
    context_->pb->max_packet_size = kPacketBytes;
    context_->packet_size = kPacketBytes;
    AVStream* const stream = avformat_new_stream(context_, nullptr);
    stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    stream->codecpar->codec_id = AV_CODEC_ID_H264;
    stream->codecpar->width = 720;  // must be there, and is not looked at
    stream->codecpar->height = 1280;
    stream->time_base = {1, 90'000};
    check(avformat_write_header(context_, nullptr), "the rtp muxer does not start");
    packet_ = av_packet_alloc();
  }
  Libavformat(const Libavformat&) = delete;
  Libavformat& operator=(const Libavformat&) = delete;
  ~Libavformat() {
    av_packet_free(&packet_);
    av_write_trailer(context_);
    av_freep(static_cast<void*>(&context_->pb->buffer));
    avio_context_free(&context_->pb);
    avformat_free_context(context_);
  }

  void send(const StreamFile& stream, Received* receiver = nullptr) {
    receiver_ = receiver;
    for (const Bytes unit : stream.units) {
      packet_->data = const_cast<std::uint8_t*>(unit.data());
      packet_->size = static_cast<int>(unit.size());
      packet_->pts = packet_->dts = time_;
      time_ += kTicksPerFrame;
      check(av_write_frame(context_, packet_), "not packetized");
    }
    receiver_ = nullptr;
  }

 private:
  static void check(int result, const char* what) {
    if (result < 0) throw std::runtime_error(what);
  }

  static int write(void* self, std::uint8_t* data, int size) {
    Received* const receiver = static_cast<Libavformat*>(self)->receiver_;
    const bool is_rtcp = size > 1 && data[1] >= 192 && data[1] <= 223;  // sender reports go the same way (RFC 5761)
    if (receiver != nullptr && !is_rtcp) receiver->packet({data, static_cast<std::size_t>(size)});
    return size;
  }

  AVFormatContext* context_ = nullptr;
  AVPacket* packet_ = nullptr;
  std::int64_t time_ = 0;
  Received* receiver_ = nullptr;
};
#endif

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

Report measure(const StreamFile& stream) {
  Received wanted;
  for (const Bytes unit : stream.units) wanted.keep(unit);
  const auto ours = std::make_shared<Ours>();
  Received received;
  ours->send(stream, &received);
  require(received.nals == wanted.nals, stream.name + ": mediacore lost NAL units");
  std::vector<Contestant> contestants{
      {"mediacore", [&stream, ours] { ours->send(stream); }, static_cast<double>(received.packets)}};
#ifdef MEDIACORE_HAVE_LIBAV
  const auto theirs = std::make_shared<Libavformat>();
  Received by_libavformat;
  theirs->send(stream, &by_libavformat);
  require(by_libavformat.nals == wanted.nals, stream.name + ": libavformat lost NAL units");
  contestants.push_back(
      {"libavformat rtp", [&stream, theirs] { theirs->send(stream); }, static_cast<double>(by_libavformat.packets)});
#else
  std::fprintf(stderr, "libavformat is not installed: no peer\n");
#endif
  const auto copy = std::make_shared<std::vector<std::uint8_t>>(std::size_t{1} << 20);
  contestants.push_back({"limit: memcpy of the units",
                         [&stream, copy] {
                           for (const Bytes unit : stream.units) {
                             std::memcpy(copy->data(), unit.data(), std::min(unit.size(), copy->size()));
                             asm volatile("" : : "r"(copy->data()) : "memory");  // the copy is wanted
                           }
                         },
                         static_cast<double>(received.packets)});
  return race("RTP packets of " + stream.name, "packet", contestants);
}

int run(std::span<char*> arguments) {
  bool json = false;
  std::vector<Report> reports;
  for (const char* argument : arguments) {
    if (std::string_view(argument) == "--json") {
      json = true;
    } else {
      const StreamFile stream(argument);
      reports.push_back(measure(stream));
    }
  }
  require(!reports.empty(), "usage: bench_rtp [--json] FILE.h264...");
  print(reports, json);
  return 0;
}

}  // namespace
}  // namespace mediacore::benchmarks

int main(int argc, char** argv) {
  try {
    return mediacore::benchmarks::run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
