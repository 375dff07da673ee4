#include "core/h264/parameter_sets.hpp"

#include <bitset>
#include <optional>

#include "core/h264/access_unit.hpp"

namespace mediacore::h264 {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 4> kStartCode{0, 0, 0, 1};

std::optional<std::size_t> sps_id(Bytes nal) {
  const auto sps = parse_sps(nal);
  if (!sps) return std::nullopt;
  return sps->id;
}

std::optional<std::size_t> pps_id(Bytes nal) {
  const auto pps = parse_pps(nal);
  if (!pps) return std::nullopt;
  return pps->id;
}

void append(Bytes bytes, std::vector<std::uint8_t>& out) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <std::size_t Size>
void append_missing(const std::array<std::vector<std::uint8_t>, Size>& sets, const std::bitset<Size>& present,
                    std::vector<std::uint8_t>& out) {
  for (std::size_t id = 0; id < Size; ++id) {
    if (sets[id].empty() || present[id]) continue;
    append(kStartCode, out);
    append(sets[id], out);
  }
}

template <std::size_t Size>
bool any_missing(const std::array<std::vector<std::uint8_t>, Size>& sets, const std::bitset<Size>& present) noexcept {
  for (std::size_t id = 0; id < Size; ++id) {
    if (!sets[id].empty() && !present[id]) return true;
  }
  return false;
}

}  // namespace

void ParameterSets::observe(Bytes data, std::span<const std::uint32_t> nal_offsets) {
  for (std::size_t i = 0; i < nal_offsets.size(); ++i) {
    const NalType type = parse_nal_header(data[nal_offsets[i]]).type;
    if (type != NalType::sps && type != NalType::pps) continue;
    const NalUnit unit = nal_unit_at(data, nal_offsets, i);
    if (unit.size > kMaxParameterSetBytes) continue;
    const Bytes nal = data.subspan(unit.offset, unit.size);
    if (type == NalType::sps) {
      if (const auto id = sps_id(nal)) sps_[*id].assign(nal.begin(), nal.end());
    } else if (const auto id = pps_id(nal)) {
      pps_[*id].assign(nal.begin(), nal.end());
    }
  }
}

bool ParameterSets::complete(Bytes data, std::span<const std::uint32_t> nal_offsets,
                             std::vector<std::uint8_t>& out) const {
  std::bitset<kMaxSpsId + 1> has_sps;
  std::bitset<kMaxPpsId + 1> has_pps;
  std::size_t sps_at = 0;  // number of the NAL unit that missing SPS stand before
  std::size_t pps_at = 0;  // likewise; after the last SPS
  for (std::size_t i = 0; i < nal_offsets.size(); ++i) {
    const NalUnit unit = nal_unit_at(data, nal_offsets, i);
    const Bytes nal = data.subspan(unit.offset, unit.size);
    const auto type = static_cast<NalType>(unit.type);
    if (type == NalType::access_unit_delimiter && i == 0) {
      sps_at = pps_at = 1;
    } else if (type == NalType::sps) {
      if (const auto id = sps_id(nal)) has_sps.set(*id);
      pps_at = i + 1;
    } else if (type == NalType::pps) {
      if (const auto id = pps_id(nal)) has_pps.set(*id);
    }
  }
  if (!any_missing(sps_, has_sps) && !any_missing(pps_, has_pps)) return false;

  const auto end_of = [&](std::size_t count) -> std::size_t {
    if (count == 0) return 0;
    const NalUnit last = nal_unit_at(data, nal_offsets, count - 1);
    return std::size_t{last.offset} + last.size;
  };
  const std::size_t first_cut = end_of(sps_at);
  const std::size_t second_cut = end_of(pps_at);
  out.clear();
  append(data.first(first_cut), out);
  append_missing(sps_, has_sps, out);
  append(data.subspan(first_cut, second_cut - first_cut), out);
  append_missing(pps_, has_pps, out);
  append(data.subspan(second_cut), out);
  return true;
}

}  // namespace mediacore::h264
