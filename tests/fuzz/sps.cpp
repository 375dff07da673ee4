// Parameter sets and the other NAL units that are read bit by bit: SPS and its low-delay rewrite (a fixed point that
// parses to the same SPS but for its restriction), PPS, SEI, slice headers; emulation prevention and Exp-Golomb codes
// there and back.

#include "core/h264/sps.hpp"

#include <cmath>
#include <memory>
#include <optional>

#include "core/h264/bit_reader.hpp"
#include "core/h264/bit_writer.hpp"
#include "core/h264/low_delay_sps.hpp"
#include "core/h264/pps.hpp"
#include "core/h264/sei.hpp"
#include "core/h264/slice_header.hpp"
#include "nal_units.hpp"

namespace mediacore::fuzz {
namespace {

using h264::Sps;
using h264::SpsColour;

void check_sps(const Sps& sps) {
  expect(sps.id <= h264::kMaxSpsId && sps.max_num_ref_frames <= h264::kMaxRefFrames, "ids and counts of an SPS");
  expect(sps.width > 0 && sps.width <= 16 * h264::kMaxSizeInMbs, "width of an SPS");
  expect(sps.height > 0 && sps.height <= 16 * h264::kMaxSizeInMbs, "height of an SPS");
  expect(sps.profile_level_id().size() == 6, "profile-level-id of an SPS");
  const auto fps = sps.fps();
  expect(!fps || (std::isfinite(*fps) && *fps > 0), "frame rate of an SPS");
}

// Without what the rewrite may change.
Sps without_restriction(Sps sps, bool with_colour) {
  if (!sps.vui) sps.vui.emplace();
  sps.vui->bitstream_restriction.reset();
  if (with_colour) {
    const h264::Vui none;
    sps.vui->video_signal_type_present_flag = none.video_signal_type_present_flag;
    sps.vui->video_format = none.video_format;
    sps.vui->video_full_range_flag = none.video_full_range_flag;
    sps.vui->colour_description_present_flag = none.colour_description_present_flag;
    sps.vui->colour_primaries = none.colour_primaries;
    sps.vui->transfer_characteristics = none.transfer_characteristics;
    sps.vui->matrix_coefficients = none.matrix_coefficients;
  }
  return sps;
}

// The bits from `begin` in the RBSP to the last one that is set.
std::vector<bool> bits_after(Bytes nal, std::size_t begin) {
  Buffer rbsp;
  h264::append_unescaped(nal, rbsp);
  std::vector<bool> bits;
  for (std::size_t bit = begin; bit < rbsp.size() * 8; ++bit) bits.push_back((rbsp[bit / 8] >> (7 - bit % 8) & 1) != 0);
  while (!bits.empty() && !bits.back()) bits.pop_back();
  return bits;
}

void check_rewrite(Bytes nal, const Sps& sps, const h264::SpsLayout& layout, const std::optional<SpsColour>& colour) {
  const auto rewritten = h264::low_delay_sps(nal, colour);
  expect(static_cast<bool>(rewritten) == !sps.vui_truncated, "an SPS that parses whole can be rewritten");
  if (!rewritten) return;
  const Copy copy(*rewritten);
  h264::SpsLayout new_layout;
  const auto again = h264::parse_sps(copy.view(), &new_layout);
  expect(static_cast<bool>(again) && !again->vui_truncated, "a rewritten SPS parses");
  const h264::Vui vui = present(again->vui, "a rewritten SPS has a VUI");
  const auto limits = present(vui.bitstream_restriction, "a rewritten SPS has a restriction");
  expect(limits.max_num_reorder_frames == 0 && limits.max_dec_frame_buffering <= sps.max_num_ref_frames,
         "a rewritten SPS has low delay");
  expect(without_restriction(*again, colour.has_value()) == without_restriction(sps, colour.has_value()),
         "a rewritten SPS is the same but for that");
  if (colour) {
    expect(vui.video_full_range_flag == colour->full_range && vui.colour_primaries == colour->primaries &&
               vui.transfer_characteristics == colour->transfer && vui.matrix_coefficients == colour->matrix,
           "a rewritten SPS has the colour");
  }
  if (h264::parse_nal_header(nal[0]).type == h264::NalType::subset_sps) {
    expect(bits_after(copy.view(), new_layout.end) == bits_after(nal, layout.end), "an extension is kept");
  }
  const auto twice = h264::low_delay_sps(copy.view(), colour);
  expect(static_cast<bool>(twice) && *twice == *rewritten, "the rewrite is a fixed point");
  if (!equal(*rewritten, nal)) expect(after_start_codes(copy.view()).empty(), "no start code in a rewritten SPS");
}

void check_emulation_prevention(Bytes rbsp, Input& input) {
  Buffer nal{0x67};
  h264::append_escaped(rbsp, nal);
  for (std::size_t at = 0; at + 3 <= nal.size(); ++at) {
    expect(nal[at] != 0 || nal[at + 1] != 0 || nal[at + 2] > 2, "no three bytes that Annex B forbids");
  }
  const std::size_t size = nal.size();
  expect(size < 3 || nal[size - 1] != 0 || nal[size - 2] != 0, "no zeros that could belong to a start code");
  Buffer back;
  h264::append_unescaped(Bytes(nal).subspan(1), back);
  expect(equal(back, rbsp), "emulation prevention goes in and out again");

  // Bit by bit it is the same, whatever the widths.
  const Copy copy(nal);
  h264::BitReader in(copy.view());
  in.bits(8);
  h264::BitWriter out;
  std::size_t left = rbsp.size() * 8;
  while (left > 0) {
    const std::size_t count = std::min(left, input.empty() ? std::size_t{7} : input.pick(1, 32));
    out.bits(in.bits(static_cast<unsigned>(count)), static_cast<unsigned>(count));
    left -= count;
    expect(in.bit_position() == 8 + rbsp.size() * 8 - left, "position of a reader");
  }
  expect(in.ok() && equal(out.bytes(), rbsp), "bits are those of the bytes");
  expect(in.bits(1) == 0 && !in.ok(), "a reader ends with its bytes");
}

void check_exp_golomb(std::uint32_t value) {
  if (value == UINT32_MAX) return;
  h264::BitWriter out;
  out.ue(value);
  out.flag(true);
  Buffer nal;
  h264::append_escaped(out.bytes(), nal);
  h264::BitReader in(nal);
  expect(in.ue() == value && in.ok(), "ue(v) goes in and out again");
}

void run(Input input) {
  const std::optional<SpsColour> colour{{static_cast<std::uint8_t>(input.pick(0, 255)),
                                         static_cast<std::uint8_t>(input.pick(0, 255)),
                                         static_cast<std::uint8_t>(input.pick(0, 255)), input.flip()}};
  check_exp_golomb(static_cast<std::uint32_t>(input.pick(0, UINT32_MAX)));
  const Copy slice(input.take(input.pick(0, 64)));
  const Copy pps(input.take(input.pick(0, 64)));
  Input widths = input;
  const Copy nal(input.rest());

  h264::ParameterSetTable sets;
  h264::SpsLayout layout;
  if (const auto sps = h264::parse_sps(nal.view(), &layout)) {
    check_sps(*sps);
    expect(layout.vui_present_flag < layout.end, "positions in an SPS");
    check_rewrite(nal.view(), *sps, layout, std::nullopt);
    check_rewrite(nal.view(), *sps, layout, colour);
    sets.sps[sps->id] = std::make_shared<const Sps>(*sps);
  } else {
    expect(sps.error().byte_offset <= nal.view().size(), "an error is where the bytes are");
    expect(!h264::low_delay_sps(nal.view()), "what does not parse is not rewritten");
  }
  for (const Bytes candidate : {pps.view(), nal.view()}) {
    const auto parsed = h264::parse_pps(candidate);
    if (!parsed) {
      expect(parsed.error().byte_offset <= candidate.size(), "an error is where the bytes are");
      continue;
    }
    expect(parsed->sps_id <= h264::kMaxSpsId, "ids of a PPS");
    sets.pps[parsed->id] = *parsed;
  }
  for (const Bytes candidate : {slice.view(), nal.view()}) {
    h264::has_recovery_point(candidate);
    const auto header = h264::parse_slice_header(candidate, sets);
    if (header) {
      expect(header->complete == (header->sps != nullptr), "a slice header is whole if its sets are known");
      h264::PictureSlices picture;
      picture.begin(*header);
      picture.ends_before(*header);
    } else {
      expect(header.error().byte_offset <= candidate.size(), "an error is where the bytes are");
    }
  }
  check_emulation_prevention(nal.view(), widths);
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run(mediacore::fuzz::Input({data, size}));
  return 0;
}
