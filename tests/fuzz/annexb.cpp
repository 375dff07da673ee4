// Start codes by every instruction set against the plain search, and the parser's promise: the same access units for any
// chunking of the same bytes, each made of NAL units that stand in the stream one after another.

#include <algorithm>
#include <bit>
#include <optional>
#include <random>

#include "core/h264/access_unit_parser.hpp"
#include "core/h264/start_code.hpp"
#include "nal_units.hpp"

namespace mediacore::fuzz {
namespace {

using h264::AccessUnitParser;
using h264::AccessUnitView;
using h264::ParserLimits;
using h264::ParserStats;

struct Unit {
  Buffer data;
  std::vector<std::uint32_t> nal_offsets;
  std::uint64_t position;
  bool is_idr;
  bool is_random_access;
  std::optional<h264::Sps> sps;

  friend bool operator==(const Unit&, const Unit&) = default;
};

struct Outcome {
  std::vector<Unit> units;
  ParserStats stats;
  std::size_t limits_passed = 0;
};

std::vector<std::size_t> search(h264::scan::Function scan, Bytes data, std::size_t from) {
  std::vector<std::size_t> found;
  const std::uint8_t* const end = data.data() + data.size();
  for (const std::uint8_t* at = data.data() + from; at != end;) {
    std::uint64_t codes = 0;
    at = scan(at, end, codes);
    expect((at == end) == (codes == 0), "a search ends with the data");
    for (; codes != 0; codes &= codes - 1) {
      found.push_back(static_cast<std::size_t>(at - data.data()) + static_cast<std::size_t>(std::countr_zero(codes)));
    }
    at += std::min<std::ptrdiff_t>(end - at, h264::scan::kBlockBytes);
  }
  return found;
}

void check_start_codes(Bytes data, std::size_t from) {
  std::vector<std::size_t> wanted = after_start_codes(data);
  for (std::size_t& offset : wanted) offset -= h264::kStartCodeBytes;
  std::vector<std::size_t> found;
  h264::find_start_codes(data, found);
  expect(found == wanted, "find_start_codes finds what the plain search finds");

  wanted.erase(wanted.begin(), std::lower_bound(wanted.begin(), wanted.end(), from));
  expect(h264::find_start_code(data, from) == (wanted.empty() ? data.size() : wanted.front()),
         "find_start_code from an offset");
  if (from > data.size()) return;
  std::vector<h264::scan::Function> scans{h264::scan::scalar};
#if defined(__x86_64__)
  scans.push_back(h264::scan::sse2);
  if (h264::scan::has_avx2()) scans.push_back(h264::scan::avx2);
  if (h264::scan::has_avx512()) scans.push_back(h264::scan::avx512);
#endif
  for (const auto scan : scans) expect(search(scan, data, from) == wanted, "all instruction sets agree");
}

template <class NextSize>
Outcome parse(Bytes stream, ParserLimits limits, bool complete, std::size_t largest, NextSize next_size) {
  AccessUnitParser parser(limits);
  Window window(largest);
  Outcome outcome;
  const auto keep = [&](const AccessUnitView& unit) {
    check_form(unit, limits.access_unit_bytes, limits.nal_units);
    outcome.units.push_back({{unit.data.begin(), unit.data.end()},
                             {unit.nal_offsets.begin(), unit.nal_offsets.end()},
                             unit.position,
                             unit.is_idr,
                             unit.is_random_access,
                             unit.sps ? std::optional(*unit.sps) : std::nullopt});
  };
  for (std::size_t at = 0; at < stream.size();) {
    const Bytes chunk = window.put(stream.subspan(at, std::min(next_size(), stream.size() - at)));
    at += chunk.size();
    const auto error = parser.push(chunk, complete && at == stream.size(), keep);
    if (!error) continue;
    ++outcome.limits_passed;
    expect(error->byte_offset <= chunk.size(), "a limit is passed inside the data of the push");
  }
  parser.flush(keep);
  outcome.stats = parser.stats();
  expect(outcome.stats.bytes == stream.size() && outcome.stats.units == outcome.units.size(), "counts of a parser");
  return outcome;
}

// Its NAL units follow each other in the stream, too.
void check_against_stream(const Unit& unit, const std::vector<FoundNal>& stream_nals) {
  const auto nals = nal_units_of(unit.data);
  const std::size_t first = static_cast<std::size_t>(unit.position) + nals[0].offset;
  auto at = std::lower_bound(stream_nals.begin(), stream_nals.end(), first,
                             [](const FoundNal& nal, std::size_t offset) { return nal.offset < offset; });
  expect(at != stream_nals.end() && at->offset == first, "a unit stands where it says");
  for (const FoundNal& nal : nals) {
    expect(at != stream_nals.end() && equal(nal.bytes, at->bytes), "the bytes that came in come out");
    ++at;
  }
}

void check_same(const Outcome& a, const Outcome& b) {
  expect(a.units == b.units, "the same units for any chunks");
  expect(a.stats.nal_units == b.stats.nal_units && a.stats.corrupt == b.stats.corrupt &&
             a.stats.oversize == b.stats.oversize && a.stats.dropped == b.stats.dropped &&
             a.stats.cut_units == b.stats.cut_units && a.stats.skipped_bytes == b.stats.skipped_bytes,
         "the same counts for any chunks");
  expect((a.limits_passed == 0) == (b.limits_passed == 0), "the same limits for any chunks");
}

void run(Input input) {
  const bool complete = input.flip();
  ParserLimits limits;
  if (input.flip()) limits = {.access_unit_bytes = input.pick(1, 2000), .nal_units = input.pick(1, 20)};
  std::minstd_rand random(static_cast<std::uint32_t>(input.pick(1, 255)));
  const std::size_t largest = input.flip() ? input.pick(2, 200) : 1;
  const std::size_t from = input.pick(0, 255);
  const Copy copy(input.rest());
  const Bytes stream = copy.view();
  check_start_codes(stream, from);

  const Outcome whole = parse(stream, limits, complete, stream.size(), [&] { return stream.size(); });
  expect(whole.stats.oversize >= whole.limits_passed, "a limit that is passed costs a unit");
  const auto stream_nals = nal_units_of(stream);
  for (const Unit& unit : whole.units) check_against_stream(unit, stream_nals);
  check_same(whole, parse(stream, limits, complete, largest, [&] { return 1 + random() % largest; }));
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run(mediacore::fuzz::Input({data, size}));
  return 0;
}
