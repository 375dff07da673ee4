#include "core/h264/access_unit_parser.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/h264/sei.hpp"
#include "core/h264/start_code.hpp"

namespace mediacore::h264 {
namespace {

using Bytes = std::span<const std::uint8_t>;

// zero_byte and start_code_prefix_one_3bytes: zeros beyond these are not kept at the beginning of a unit.
constexpr std::size_t kMostLeadingZeros = 3;
constexpr std::array<std::uint8_t, 1> kOne{1};

std::size_t count_leading_zeros(Bytes data) noexcept {
  std::size_t count = 0;
  for (std::uint64_t word = 0; data.size() - count >= sizeof word; count += sizeof word) {
    std::memcpy(&word, data.data() + count, sizeof word);
    if (word != 0) break;
  }
  while (count < data.size() && data[count] == 0) ++count;
  return count;
}

std::size_t count_trailing_zeros(Bytes data) noexcept {
  std::size_t end = data.size();
  for (std::uint64_t word = 0; end >= sizeof word; end -= sizeof word) {
    std::memcpy(&word, data.data() + end - sizeof word, sizeof word);
    if (word != 0) break;
  }
  while (end > 0 && data[end - 1] == 0) --end;
  return data.size() - end;
}

}  // namespace

AccessUnitParser::AccessUnitParser(ParserLimits limits)
    : limits_{std::min(limits.access_unit_bytes, kMaxAccessUnitBytes), std::min(limits.nal_units, kMaxNalUnits)} {}

std::optional<ParseError> AccessUnitParser::push_to(Bytes data, bool complete, Receiver receiver) {
  data_ = data;
  receiver_ = receiver;
  limit_passed_.reset();
  const std::size_t leading_zeros = count_leading_zeros(data);
  if (leading_zeros == data.size()) {
    zeros_ += data.size();
  } else {
    scan(data, leading_zeros);
  }
  if (complete) {
    end_nal();
    zeros_ = 0;
    inside_ = Inside::nothing;
    flushed_ = false;
    if (unit_.has_picture || unit_.discarding) finish_unit();
  }
  keep_run();
  nal_.code_end = nullptr;
  stats_.bytes += data.size();
  data_ = {};
  return limit_passed_;
}

void AccessUnitParser::flush_to(Receiver receiver) {
  receiver_ = receiver;
  if (!unit_.has_picture || !may_be_given()) return;
  if (inside_ == Inside::nal_unit && nal_.accepted) {
    end_nal();
    inside_ = Inside::flushed;
  }
  give_unit();
  reset_unit();
  flushed_ = true;
  cut_counted_ = false;
}

// Splits `data`, which has a byte that is not zero at `leading_zeros`, at its start codes.
void AccessUnitParser::scan(Bytes data, std::size_t leading_zeros) {
  const std::size_t first_run = zeros_ + leading_zeros;
  std::size_t begin = 0;
  if (first_run >= 2 && data[leading_zeros] == 1) {
    begin = leading_zeros + 1;
    begin_nal(first_run, begin);
  } else {
    take_zeros(zeros_);
  }
  zeros_ = 0;
  StartCodes codes(data, begin);
  while (true) {
    const std::size_t code = codes.next();
    const Bytes between = data.subspan(begin, code - begin);
    const std::size_t zeros = count_trailing_zeros(between);
    take(between.first(between.size() - zeros));
    if (code == data.size()) {
      zeros_ = zeros;
      return;
    }
    begin = code + kStartCodeBytes;
    begin_nal(zeros + 2, begin);
  }
}

// A start code of `zeros` zeros ends at `code_end` in the data of this push.
void AccessUnitParser::begin_nal(std::size_t zeros, std::size_t code_end) {
  end_nal();
  inside_ = Inside::nal_unit;
  head_.clear();
  nal_ = {};
  nal_.zeros = zeros;
  nal_.position = stats_.bytes + code_end - 1 - zeros;
  if (zeros < code_end) nal_.code_end = data_.data() + code_end;
}

void AccessUnitParser::end_nal() {
  if (inside_ != Inside::nal_unit) return;
  if (!nal_.accepted && !head_.empty()) judge_head(true);
  if (nal_.accepted && !unit_.discarding && inside_ == Inside::nal_unit) read_parameter_set();
}

// Bytes of this push that are not a start code; the last one is not zero.
void AccessUnitParser::take(Bytes bytes) {
  if (bytes.empty()) return;
  if (inside_ != Inside::nal_unit) {
    if (inside_ == Inside::flushed && is_picture_data(nal_.header.type)) cut();
    stats_.skipped_bytes += bytes.size();
  } else if (nal_.accepted) {
    add(bytes);
  } else if (head_.empty()) {
    if (const auto verdict = judge(bytes, false)) {
      accept(*verdict, bytes);
    } else {
      head_.append(bytes, kSliceHeaderBytes);
    }
  } else {
    const std::size_t wanted = std::min(bytes.size(), kSliceHeaderBytes - head_.size());
    head_.append(bytes.first(wanted), kSliceHeaderBytes);
    if (judge_head(false)) take(bytes.subspan(wanted));
  }
}

// Zeros of earlier pushes that turned out to be no part of a start code.
void AccessUnitParser::take_zeros(std::size_t count) {
  if (count == 0) return;
  if (inside_ != Inside::nal_unit) {
    stats_.skipped_bytes += count;
    return;
  }
  if (nal_.accepted) {
    add_zeros(count);
    return;
  }
  const std::size_t wanted = std::min(count, kSliceHeaderBytes - head_.size());
  head_.append_zeros(wanted, kSliceHeaderBytes);
  if (judge_head(false)) take_zeros(count - wanted);
}

// What a NAL unit does, by its first bytes; none if more of them are needed.
std::optional<AccessUnitParser::Verdict> AccessUnitParser::judge(Bytes nal, bool ended) const {
  const NalHeader header = parse_nal_header(nal[0]);
  if (has_slice_header(header.type)) return judge_slice(nal, ended);
  Verdict verdict;
  verdict.corrupt = header.forbidden;
  verdict.begins_unit = opens_access_unit(header.type) && (unit_.has_picture || unit_.discarding || flushed_);
  return verdict;
}

std::optional<AccessUnitParser::Verdict> AccessUnitParser::judge_slice(Bytes nal, bool ended) const {
  const Bytes window = nal.first(std::min(nal.size(), kSliceHeaderBytes));
  const auto slice = parse_slice_header(window, sets_);
  Verdict verdict;
  if (!slice) {
    const bool more_may_help = slice.error().code == ErrorCode::truncated && nal.size() < kSliceHeaderBytes;
    if (more_may_help && !ended) return std::nullopt;
    // Which picture it is part of cannot be told: it spoils the one that is there.
    verdict.corrupt = true;
    return verdict;
  }
  verdict.slice = *slice;
  verdict.corrupt = slice->nal.forbidden;
  verdict.begins_unit = unit_.has_picture || flushed_ ? picture_.ends_before(*slice) : unit_.discarding;
  return verdict;
}

// Judges the NAL unit by the bytes in `head_`; true if it was accepted.
bool AccessUnitParser::judge_head(bool ended) {
  const auto verdict = judge(head_.view(), ended);
  if (!verdict) return false;
  accept(*verdict, head_.view());
  return true;
}

void AccessUnitParser::accept(const Verdict& verdict, Bytes first_bytes) {
  nal_.header = parse_nal_header(first_bytes[0]);
  nal_.accepted = true;
  ++stats_.nal_units;
  if (flushed_) {
    follow_flush(verdict);
    if (inside_ != Inside::nal_unit) {
      stats_.skipped_bytes += first_bytes.size();
      return;
    }
  } else if (verdict.begins_unit) {
    finish_unit();
  }
  if (verdict.corrupt) unit_.corrupt = true;
  if (verdict.slice) {
    note_slice(*verdict.slice);
  } else if (has_slice_header(nal_.header.type)) {
    unit_.has_picture = true;  // a damaged one: what follows must not be taken for its head
  }
  if (!unit_.discarding) open_nal(first_bytes);
}

// The first NAL unit after a flush: a new unit begins, or the flush was too early.
void AccessUnitParser::follow_flush(const Verdict& verdict) {
  if (verdict.begins_unit || verdict.corrupt) {
    flushed_ = false;
  } else if (is_picture_data(nal_.header.type)) {
    cut();
    flushed_ = false;
    unit_.has_picture = true;
    unit_.discarding = true;
  } else {
    inside_ = Inside::nothing;  // end of sequence, filler and the like: of no use without the unit they end
  }
}

void AccessUnitParser::note_slice(const SliceHeader& slice) {
  if (unit_.has_picture) {
    picture_.add(slice);
  } else {
    picture_.begin(slice);
    unit_.has_picture = true;
    if (slice.sps != nullptr) unit_.sps = *slice.sps;
  }
  if (slice.is_idr()) unit_.is_idr = true;
}

// Adds the start code and the first bytes of a NAL unit to the unit.
void AccessUnitParser::open_nal(Bytes first_bytes) {
  const std::size_t zeros = nal_offsets_.empty() ? std::min(nal_.zeros, kMostLeadingZeros) : nal_.zeros;
  if (nal_offsets_.empty()) unit_.position = nal_.position + (nal_.zeros - zeros);
  if (nal_offsets_.size() >= limits_.nal_units) {
    const bool here = nal_.code_end != nullptr;
    pass_limit(ErrorCode::too_many_nal_units, here ? static_cast<std::size_t>(nal_.code_end - data_.data()) : 0);
    return;
  }
  if (nal_.code_end != nullptr) {
    add({nal_.code_end - 1 - zeros, zeros + 1});
  } else {
    add_zeros(zeros);
    add_copy(kOne);
  }
  if (unit_.discarding) return;
  nal_.offset = unit_size();
  nal_offsets_.push_back(static_cast<std::uint32_t>(nal_.offset));
  if (head_.empty()) {
    add(first_bytes);
  } else {
    add_copy(first_bytes);
  }
}

// At the end of a NAL unit: what the following ones are read by.
void AccessUnitParser::read_parameter_set() {
  switch (nal_.header.type) {
    case NalType::sps: {
      auto sps = parse_sps(accepted_nal());
      if (!sps) {
        unit_.corrupt = true;
        return;
      }
      auto& known = sets_.sps[sps->id];
      if (known == nullptr || *known != *sps) known = std::make_shared<const Sps>(std::move(*sps));
      return;
    }
    case NalType::pps: {
      const auto pps = parse_pps(accepted_nal());
      if (pps) {
        sets_.pps[pps->id] = *pps;
      } else {
        unit_.corrupt = true;
      }
      return;
    }
    case NalType::sei:
      if (!unit_.has_picture && has_recovery_point(accepted_nal())) unit_.has_recovery_point = true;
      return;
    default: return;
  }
}

// `data_offset`: where the bytes stand in the data of this push; none if they are of earlier ones.
bool AccessUnitParser::has_room(std::size_t bytes, std::optional<std::size_t> data_offset) {
  if (unit_.discarding) return false;
  const std::size_t room = limits_.access_unit_bytes - std::min(unit_size(), limits_.access_unit_bytes);
  if (bytes <= room) return true;
  pass_limit(ErrorCode::access_unit_too_large, data_offset ? *data_offset + room : 0);
  return false;
}

// Adds bytes of this push without copying them as long as they follow each other.
void AccessUnitParser::add(Bytes bytes) {
  if (bytes.empty() || !has_room(bytes.size(), static_cast<std::size_t>(bytes.data() - data_.data()))) return;
  if (!run_.empty() && run_.data() + run_.size() == bytes.data()) {
    run_ = {run_.data(), run_.size() + bytes.size()};
  } else {
    keep_run();
    run_ = bytes;
  }
}

void AccessUnitParser::add_copy(Bytes bytes) {
  if (!has_room(bytes.size(), std::nullopt)) return;
  keep_run();
  kept_.append(bytes, limits_.access_unit_bytes);
}

void AccessUnitParser::add_zeros(std::size_t count) {
  if (!has_room(count, std::nullopt)) return;
  keep_run();
  kept_.append_zeros(count, limits_.access_unit_bytes);
}

void AccessUnitParser::keep_run() {
  kept_.append(run_, limits_.access_unit_bytes);
  run_ = {};
}

// All bytes of the NAL unit that has just ended, in one piece.
Bytes AccessUnitParser::accepted_nal() {
  if (nal_.offset < kept_.size()) {
    keep_run();
    return kept_.view().subspan(nal_.offset);
  }
  return run_.subspan(nal_.offset - kept_.size());
}

bool AccessUnitParser::may_be_given() const noexcept {
  if (unit_.discarding || unit_.corrupt) return false;
  return !resyncing_ || unit_.is_idr || unit_.has_recovery_point;
}

// The unit has ended: gives it, or drops and counts it.
void AccessUnitParser::finish_unit() {
  if (may_be_given()) {
    give_unit();
  } else if (unit_.corrupt && !unit_.discarding) {
    ++stats_.corrupt;
    resyncing_ = true;
  } else if (!unit_.discarding) {
    ++stats_.dropped;
  }
  reset_unit();
}

void AccessUnitParser::give_unit() {
  if (!kept_.empty()) keep_run();
  AccessUnitView view;
  view.data = kept_.empty() ? run_ : kept_.view();
  view.nal_offsets = nal_offsets_;
  view.position = unit_.position;
  view.is_idr = unit_.is_idr;
  view.is_random_access = unit_.is_idr || unit_.has_recovery_point;
  view.sps = std::move(unit_.sps);
  ++stats_.units;
  resyncing_ = false;
  receiver_.give(receiver_.sink, view);
}

void AccessUnitParser::discard_unit() {
  kept_.clear();
  run_ = {};
  nal_offsets_.clear();
  unit_.discarding = true;
}

void AccessUnitParser::reset_unit() {
  discard_unit();
  unit_ = {};
}

void AccessUnitParser::pass_limit(ErrorCode code, std::size_t data_offset) {
  if (!limit_passed_) limit_passed_ = ParseError{code, data_offset};
  ++stats_.oversize;
  resyncing_ = true;
  discard_unit();
}

// The unit given by the last flush was not whole.
void AccessUnitParser::cut() {
  if (!cut_counted_) ++stats_.cut_units;
  cut_counted_ = true;
  resyncing_ = true;
}

}  // namespace mediacore::h264
