// A stream in pushes of any size, with flushes and ends of frames anywhere: parser, BurstFlush and ParameterSets together,
// as a source uses them.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/h264/access_unit_parser.hpp"
#include "core/h264/burst_flush.hpp"
#include "core/h264/parameter_sets.hpp"
#include "nal_units.hpp"

namespace mediacore::fuzz {
namespace {

using h264::AccessUnitView;

bool is_parameter_set(const FoundNal& nal) {
  const auto type = h264::parse_nal_header(nal.bytes[0]).type;
  return type == h264::NalType::sps || type == h264::NalType::pps;
}

class Source {
 public:
  explicit Source(Input input)
      : limits_{limits_from(input)},
        idle_us_(static_cast<std::int64_t>(input.pick(0, 5000))),
        most_idle_us_(std::max(idle_us_, static_cast<std::int64_t>(input.pick(0, 100'000)))),
        parser_(limits_),
        burst_(idle_us_, most_idle_us_),
        actions_(input.take_back(input.pick(0, kMostActions))),
        stream_(input.rest()) {}

  void run() {
    stream_begins_ = after_start_codes(stream_.view());
    while (at_ < stream_.view().size()) {
      if (actions_.empty()) {
        push(kLargestPush, false);
        continue;
      }
      const std::size_t action = actions_.pick(0, 255);
      const std::size_t size = std::size_t{1} << (action / 4 % 8);
      switch (action % 4) {
        case 0: push(size, false); break;
        case 1: push(size + 2, true); break;
        case 2: push(size + 1, false); [[fallthrough]];
        default: flush(action >= 128); break;
      }
    }
    push(0, true);
    flush(true);
    check_counts();
  }

 private:
  static constexpr std::size_t kMostActions = 255;
  static constexpr std::size_t kLargestPush = 256;

  static h264::ParserLimits limits_from(Input& input) {
    if (!input.flip()) return {};
    const std::size_t bytes = input.pick(1, 2000);
    return {.access_unit_bytes = bytes, .nal_units = input.pick(1, 20)};
  }

  auto receiver() {
    return [this](const AccessUnitView& unit) {
      ++given_;
      check_form(unit, limits_.access_unit_bytes, limits_.nal_units);
      check_origin(unit);
      check_parameter_sets(unit);
    };
  }

  void push(std::size_t size, bool complete) {
    const Bytes chunk = window_.put(stream_.view().subspan(at_, std::min(size, stream_.view().size() - at_)));
    at_ += chunk.size();
    now_us_ += static_cast<std::int64_t>(size * 37 % 3000);
    const auto deadline = burst_.observe(now_us_, chunk);
    expect(deadline.has_value() || chunk.empty(), "bytes have a deadline");
    if (deadline) {
      deadline_us_ = *deadline;
      expect(chunk.empty() || deadline_us_ == now_us_ + burst_.idle_us(), "the deadline is the idle time away");
    }
    expect(burst_.idle_us() >= idle_us_ && burst_.idle_us() <= most_idle_us_, "the idle time is within its bounds");
    const auto error = parser_.push(chunk, complete, receiver());
    expect(!error || error->byte_offset <= chunk.size(), "a limit is passed inside the data of the push");
  }

  void flush(bool in_time) {
    if (in_time) now_us_ = std::max(now_us_, deadline_us_);
    const std::size_t before = given_;
    parser_.flush(receiver());
    expect(given_ - before <= 1, "a flush gives one unit at most");
    ++flushes_;
    if (given_ > before) burst_.flushed(now_us_);
  }

  // The NAL units of a unit stand in the stream, in this order; the last one may be cut by a flush.
  void check_origin(const AccessUnitView& unit) {
    const auto nals = nal_units_of(unit.data);
    const std::size_t first = static_cast<std::size_t>(unit.position) + nals[0].offset;
    auto begin = std::lower_bound(stream_begins_.begin(), stream_begins_.end(), first);
    expect(begin != stream_begins_.end() && *begin == first, "a unit stands where it says");
    expect(unit.position >= end_of_last_, "units do not overlap");
    for (const FoundNal& nal : nals) {
      const auto holds = [&](std::size_t at) {
        return stream_.view().size() - at >= nal.bytes.size() &&
               equal(nal.bytes, stream_.view().subspan(at, nal.bytes.size()));
      };
      begin = std::find_if(begin, stream_begins_.end(), holds);
      expect(begin != stream_begins_.end(), "the bytes that came in come out");
      end_of_last_ = *begin + nal.bytes.size();
      ++begin;
    }
  }

  void check_parameter_sets(const AccessUnitView& unit) {
    sets_.observe(unit.data, unit.nal_offsets);
    Buffer completed{0xee};
    if (!sets_.complete(unit.data, unit.nal_offsets, completed)) {
      expect(completed == Buffer{0xee}, "a unit that lacks nothing is left alone");
      return;
    }
    const auto before = nal_units_of(unit.data);
    const auto after = nal_units_of(completed);
    std::vector<std::uint32_t> offsets;
    auto next = before.begin();
    for (const FoundNal& nal : after) {
      offsets.push_back(static_cast<std::uint32_t>(nal.offset));
      if (next != before.end() && equal(nal.bytes, next->bytes)) {
        ++next;
      } else {
        expect(is_parameter_set(nal), "nothing but parameter sets is put in");
      }
    }
    expect(next == before.end(), "a completed unit has all it had, in order");
    if (h264::parse_nal_header(before[0].bytes[0]).type == h264::NalType::access_unit_delimiter) {
      expect(equal(after[0].bytes, before[0].bytes), "a delimiter stays first");
    }
    Buffer again;
    expect(!sets_.complete(completed, offsets, again), "a completed unit lacks nothing");
  }

  void check_counts() const {
    const h264::ParserStats& stats = parser_.stats();
    expect(stats.bytes == stream_.view().size() && stats.units == given_, "counts of a parser");
    expect(stats.cut_units <= flushes_ && burst_.wrong_flushes() <= flushes_, "only a flush can be wrong");
    expect(stats.skipped_bytes <= stats.bytes, "no more is skipped than came");
  }

  h264::ParserLimits limits_;
  std::int64_t idle_us_;
  std::int64_t most_idle_us_;
  h264::AccessUnitParser parser_;
  h264::BurstFlush burst_;
  h264::ParameterSets sets_;
  Input actions_;
  Copy stream_;
  Window window_{kLargestPush};
  std::vector<std::size_t> stream_begins_;
  std::size_t at_ = 0;
  std::int64_t now_us_ = 0;
  std::int64_t deadline_us_ = 0;
  std::uint64_t end_of_last_ = 0;
  std::size_t given_ = 0;
  std::size_t flushes_ = 0;
};

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::Source(mediacore::fuzz::Input({data, size})).run();
  return 0;
}
