// Compound RTCP packets from anybody: every item is read to its end, and what was read can be written and read again.
// And the other way: what is written from any values comes back.

#include <array>
#include <variant>

#include "core/rtcp/reader.hpp"
#include "core/rtcp/writer.hpp"
#include "input.hpp"

namespace mediacore::fuzz {
namespace {

using rtcp::ReportBlock;
using rtcp::Writer;
using Arrivals = std::vector<Writer::Arrival>;
using Numbers = std::vector<std::uint16_t>;

constexpr std::size_t kRoom = 1 << 18;
// Statuses that are written: many take milliseconds. Few inputs go beyond the longest run.
constexpr std::size_t kManyStatuses = 500;
constexpr std::size_t kMostStatuses = rtcp::StatusChunk::kMaxRun + 1'000;

// One for all runs, as it is large.
std::span<std::uint8_t> room() {
  static Buffer bytes(kRoom);
  return bytes;
}

// The only item of what was written.
template <class T>
T read_back(const Writer& writer) {
  rtcp::Reader reader(writer.view());
  const auto item = reader.next();
  expect(!reader.next() && !reader.error() && reader.skipped() == 0, "what was written is one item");
  const T* value = item ? std::get_if<T>(&*item) : nullptr;
  expect(value != nullptr, "what was written is of its kind");
  return value == nullptr ? T{} : *value;
}

std::vector<ReportBlock> blocks_of(const rtcp::ReportBlocks& reports) {
  std::vector<ReportBlock> blocks;
  blocks.reserve(reports.size());
  for (std::size_t i = 0; i < reports.size(); ++i) blocks.push_back(reports[i]);
  expect(blocks.size() <= rtcp::kMaxCount, "report blocks");
  return blocks;
}

void expect_same(const rtcp::ReportBlocks& reports, const std::vector<ReportBlock>& blocks) {
  expect(reports.size() == blocks.size(), "as many report blocks");
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const ReportBlock a = reports[i];
    const ReportBlock& b = blocks[i];
    expect(a.ssrc == b.ssrc && a.fraction_lost == b.fraction_lost && a.cumulative_lost == b.cumulative_lost &&
               a.highest_sequence == b.highest_sequence && a.jitter == b.jitter && a.last_sr == b.last_sr &&
               a.delay_since_last_sr == b.delay_since_last_sr,
           "a report block comes back");
  }
}

Numbers numbers_of(const rtcp::Nack& nack) {
  Numbers numbers;
  nack.for_each([&](std::uint16_t number) { numbers.push_back(number); });
  expect(!numbers.empty() && numbers.size() <= 17 * nack.pairs.size() / 4, "numbers of a NACK");
  return numbers;
}

Numbers sorted_once(Numbers numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

Arrivals arrivals_of(const rtcp::TransportFeedback& feedback) {
  Arrivals arrivals;
  std::uint16_t expected = feedback.base_sequence;
  feedback.for_each([&](std::uint16_t sequence, bool received, std::int32_t delta) {
    expect(sequence == expected++, "sequence numbers follow one another");
    expect(received || delta == 0, "what did not arrive has no delta");
    arrivals.push_back({sequence, received, delta});
  });
  expect(arrivals.size() == feedback.status_count && arrivals.size() <= rtcp::kMaxStatuses, "count of statuses");
  std::size_t at = 0;
  std::size_t received_ones = 0;
  feedback.for_each_received([&](std::uint16_t sequence, std::int32_t delta) {
    while (at < arrivals.size() && !arrivals[at].received) ++at;
    expect(at < arrivals.size() && arrivals[at].sequence == sequence && arrivals[at].delta_250us == delta,
           "those that arrived, told alone");
    ++at;
    ++received_ones;
  });
  expect(received_ones == feedback.received, "count of those that arrived");
  return arrivals;
}

// Only those that arrived.
void check_lean(const rtcp::TransportFeedback& feedback) {
  std::size_t received = 0;
  feedback.for_each_received([&](std::uint16_t sequence, std::int32_t) {
    expect(static_cast<std::uint16_t>(sequence - feedback.base_sequence) < feedback.status_count, "a number told of");
    ++received;
  });
  expect(received == feedback.received, "count of those that arrived");
}

void expect_same(const rtcp::TransportFeedback& feedback, const Arrivals& arrivals) {
  const Arrivals again = arrivals_of(feedback);
  expect(again.size() == arrivals.size(), "as many statuses");
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    expect(again[i].sequence == arrivals[i].sequence && again[i].received == arrivals[i].received &&
               (!arrivals[i].received || again[i].delta_250us == arrivals[i].delta_250us),
           "a status comes back");
  }
}

// What was read is written and read again.
struct WriteAgain {
  void operator()(const rtcp::SenderReport& report) const {
    const auto blocks = blocks_of(report.reports);
    Writer writer(room());
    expect(writer.sender_report(report.ssrc, report.ntp, report.rtp_timestamp, report.packets, report.octets, blocks),
           "an SR is written");
    const auto again = read_back<rtcp::SenderReport>(writer);
    expect(again.ssrc == report.ssrc && again.ntp == report.ntp && again.rtp_timestamp == report.rtp_timestamp &&
               again.packets == report.packets && again.octets == report.octets,
           "an SR comes back");
    expect_same(again.reports, blocks);
  }
  void operator()(const rtcp::ReceiverReport& report) const {
    const auto blocks = blocks_of(report.reports);
    Writer writer(room());
    expect(writer.receiver_report(report.ssrc, blocks), "an RR is written");
    const auto again = read_back<rtcp::ReceiverReport>(writer);
    expect(again.ssrc == report.ssrc, "an RR comes back");
    expect_same(again.reports, blocks);
  }
  void operator()(const rtcp::Nack& nack) const {
    const Numbers numbers = numbers_of(nack);
    Writer writer(room());
    expect(writer.nack(1, nack.media_ssrc, numbers), "a NACK is written");
    const auto again = read_back<rtcp::Nack>(writer);
    expect(again.media_ssrc == nack.media_ssrc, "the SSRC of a NACK comes back");
    // In order of the mask, and those that were told twice maybe once: the same numbers all the same.
    expect(sorted_once(numbers_of(again)) == sorted_once(numbers), "the numbers of a NACK come back");
  }
  void operator()(const rtcp::PictureLoss& loss) const {
    Writer writer(room());
    expect(writer.picture_loss(1, loss.media_ssrc), "a PLI is written");
    expect(read_back<rtcp::PictureLoss>(writer).media_ssrc == loss.media_ssrc, "a PLI comes back");
  }
  void operator()(const rtcp::FullIntraRequest& request) const {
    Writer writer(room());
    expect(writer.full_intra_request(1, request.media_ssrc, request.sequence_number), "an FIR is written");
    const auto again = read_back<rtcp::FullIntraRequest>(writer);
    expect(again.media_ssrc == request.media_ssrc && again.sequence_number == request.sequence_number,
           "an FIR comes back");
  }
  void operator()(const rtcp::Remb& remb) const {
    Writer writer(room());
    expect(writer.remb(1, remb.bitrate_bps, {}), "a REMB is written");
    expect(read_back<rtcp::Remb>(writer).bitrate_bps == remb.bitrate_bps, "a REMB comes back");
  }
  void operator()(const rtcp::TransportFeedback& feedback) const {
    if (feedback.status_count > kManyStatuses) return check_lean(feedback);
    const Arrivals arrivals = arrivals_of(feedback);
    Writer writer(room());
    expect(writer.transport_feedback(1, 2, feedback.reference_time_64ms, feedback.feedback_count, arrivals),
           "transport feedback is written");
    const auto again = read_back<rtcp::TransportFeedback>(writer);
    expect(again.reference_time_64ms == feedback.reference_time_64ms && again.feedback_count == feedback.feedback_count,
           "times of transport feedback come back");
    expect_same(again, arrivals);
    expect(again.deltas.size() <= feedback.deltas.size(), "deltas take no more bytes");
  }
  void operator()(const rtcp::Bye& bye) const {
    Writer writer(room());
    expect(writer.bye({&bye.ssrc, 1}), "a BYE is written");
    expect(read_back<rtcp::Bye>(writer).ssrc == bye.ssrc, "a BYE comes back");
  }
};

void check_reading(Bytes data) {
  rtcp::Reader reader(data);
  std::size_t items = 0;
  while (const auto item = reader.next()) {
    ++items;
    expect(!reader.error(), "an error ends the reading");
    std::visit(WriteAgain{}, *item);
  }
  expect(items + reader.skipped() <= data.size() / rtcp::kHeaderBytes, "an item has bytes");
  expect(!reader.next(), "the end stays the end");
  const auto error = reader.error();
  expect(!error || error->byte_offset <= data.size(), "an error is where the bytes are");
  expect(error.has_value() || !data.empty(), "nothing is an error");
}

// Arrivals from the bytes: two each.
void check_writing_feedback(Input& input, bool with_many) {
  Arrivals arrivals;
  auto sequence = static_cast<std::uint16_t>(input.pick(0, 65'535));
  const auto time = static_cast<std::int32_t>(input.pick(0, 0xffffff)) - 0x800000;
  const std::size_t most = with_many ? kMostStatuses : kManyStatuses;
  while (arrivals.size() < most) {
    const Bytes pair = input.take(2);
    if (pair.size() < 2) break;
    const std::uint8_t kind = pair[0];
    // Mostly one; the highest kinds are runs.
    const std::size_t count =
        std::min(kind < 0xf0 ? std::size_t{1} : std::size_t{1} << (kind & 0xf), most - arrivals.size());
    const bool received = (kind & 3) != 0;
    const std::int32_t delta = (kind & 3) == 1 ? (pair[1] << 8) - 32'768 + kind : pair[1];
    for (std::size_t i = 0; i < count; ++i) arrivals.push_back({sequence++, received, delta});
  }
  Writer writer(room());
  expect(writer.transport_feedback(1, 2, time, 3, arrivals) == !arrivals.empty(), "feedback is written");
  if (arrivals.empty()) return;
  const auto feedback = read_back<rtcp::TransportFeedback>(writer);
  expect(feedback.reference_time_64ms == time, "reference time");
  expect_same(feedback, arrivals);
  Buffer small(writer.size() - 1);
  Writer cramped(small);
  expect(!cramped.transport_feedback(1, 2, time, 3, arrivals) && cramped.size() == 0, "a packet needs its room");
}

// Numbers from the bytes: steps of one byte, so that they are in order but over the wrap.
void check_writing_nack(Input& input) {
  Numbers lost;
  auto number = static_cast<std::uint16_t>(input.pick(0, 65'535));
  std::size_t distance = 0;
  for (const std::uint8_t step : input.rest()) {
    lost.push_back(number);
    number = static_cast<std::uint16_t>(number + step);
    distance += step;
    if (distance > 60'000) break;
  }
  Writer writer(room());
  expect(writer.nack(1, 2, lost) == !lost.empty(), "a NACK is written");
  if (lost.empty()) return;
  lost.erase(std::unique(lost.begin(), lost.end()), lost.end());
  expect(numbers_of(read_back<rtcp::Nack>(writer)) == lost, "a NACK comes back");
}

void run(Input input) {
  const std::size_t kind = input.pick(0, 255);
  switch (kind & 3) {
    case 0: return check_writing_feedback(input, kind == 252);
    case 1: return check_writing_nack(input);
    default: {
      const Copy data(input.rest());
      return check_reading(data.view());
    }
  }
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run(mediacore::fuzz::Input({data, size}));
  return 0;
}
