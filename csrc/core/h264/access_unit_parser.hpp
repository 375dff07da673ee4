// Annex B bytes in, access units out (H.264 annex B, 7.4.1.2.3, 7.4.1.2.4). Sans-IO push parser.
//
// Guarantees
// - The same units for any chunking of the same bytes.
// - A unit is given as soon as the first bytes of the next one tell that it ended (at most 96 bytes of a slice, one
//   byte of any other NAL unit), or in the same call if the caller says that the data ends a unit (`complete`).
// - Gives the bytes that came in; inserts and reorders nothing. Zeros before and after a unit are not part of it.
// - Cost is linear in the bytes, also for pushes of one byte and for floods of zeros (zeros are counted, not kept).
// - Memory is at most Limits::access_unit_bytes + 64 KiB (4 bytes per NAL unit at the default limit) plus the
//   parameter sets (at most 32 SPS and 256 PPS, parsed). Nothing is allocated per unit after warm-up.
//
// Policy when wrong
// - A unit with a NAL unit that does not parse (forbidden bit, slice header, SPS, PPS) is dropped and counted. So is
//   every unit after it, until one that is a random access point: they would be decoded against a picture that is
//   not there.
// - A unit that passes a limit is dropped and counted likewise, and is the only thing that a push reports.
// - Bytes before the first start code are skipped and counted.
//
// What it does not: put the pictures of the scalable and multiview extensions together. A prefix NAL unit (type 14) after
//   a slice begins a unit, so base-layer pictures of several slices, each with a prefix, come as several units.
//
// Flushing (sources without frame boundaries go idle after a unit; see burst_flush.hpp)
// - `flush` gives the unit received so far, if there is a picture in it. It loses nothing: half a start code stays,
//   and so does a NAL unit whose header is not complete.
// - A flush may come too early. Bytes that then continue the flushed NAL unit, or slices that continue the flushed
//   picture, prove that the unit given was cut. The rest of that picture is dropped, `cut_units` counts it, and the
//   units up to the next random access point are dropped. A caller that sees `cut_units` grow has passed on a broken
//   picture and should ask its source for a key frame.
//
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/h264/access_unit.hpp"
#include "core/h264/byte_buffer.hpp"
#include "core/h264/nal_unit.hpp"
#include "core/h264/parse_result.hpp"
#include "core/h264/slice_header.hpp"

namespace mediacore::h264 {

struct ParserLimits {
  std::size_t access_unit_bytes = std::size_t{8} << 20;  // level 6.2 needs less; as mediacommon
  std::size_t nal_units = 16384;                         // a slice per macroblock of 1920x1080 is 8160
};

inline constexpr std::size_t kMaxAccessUnitBytes = std::size_t{1} << 30;  // offsets have 32 bits, with room
inline constexpr std::size_t kMaxNalUnits = std::size_t{1} << 24;

// Counts since construction. Units that came in = units + corrupt + oversize + dropped.
struct ParserStats {
  std::uint64_t bytes = 0;          // pushed
  std::uint64_t nal_units = 0;      // with at least a header byte
  std::uint64_t units = 0;          // access units given
  std::uint64_t corrupt = 0;        // access units dropped because a NAL unit did not parse
  std::uint64_t oversize = 0;       // access units dropped because they passed a limit
  std::uint64_t dropped = 0;        // access units dropped while waiting for a random access point
  std::uint64_t cut_units = 0;      // units that a flush gave too early
  std::uint64_t skipped_bytes = 0;  // outside any NAL unit, or the rest of a cut one
};

class AccessUnitParser {
 public:
  // Limits above kMaxAccessUnitBytes and kMaxNalUnits are lowered to these.
  explicit AccessUnitParser(ParserLimits limits = {});

  // Takes all of `data`; calls sink(const AccessUnitView&) for each unit that is complete. The sink must not throw.
  // `complete`: the frame ends with this data. A unit without a picture (parameter sets alone) is then kept as the
  // head of the next one. Returns the first limit that was passed, with its offset in `data`; all data is taken all
  // the same.
  template <class Sink>
  std::optional<ParseError> push(std::span<const std::uint8_t> data, bool complete, Sink&& sink) {
    return push_to(data, complete, receiver_of(sink));
  }

  // Calls the sink for the unit received so far, if there is one that may be given.
  template <class Sink>
  void flush(Sink&& sink) {
    flush_to(receiver_of(sink));
  }

  const ParserStats& stats() const noexcept { return stats_; }

 private:
  struct Receiver {
    void* sink;
    void (*give)(void* sink, const AccessUnitView& unit);
  };

  // Where the bytes that come belong.
  enum class Inside : std::uint8_t {
    nothing,   // before a start code
    nal_unit,  // in a NAL unit
    flushed,   // in a NAL unit whose access unit was flushed
  };

  // The NAL unit being received.
  struct PendingNal {
    std::uint64_t position = 0;              // in the stream, of the first zero of its start code
    std::size_t zeros = 0;                   // before the 01 of its start code
    const std::uint8_t* code_end = nullptr;  // after the start code, if all of it is in the data of this push
    std::size_t offset = 0;                  // of its header byte in the access unit, once accepted
    NalHeader header{};
    bool accepted = false;  // it is known which access unit it belongs to
  };

  // The access unit being received.
  struct PendingUnit {
    std::uint64_t position = 0;
    bool has_picture = false;
    bool is_idr = false;
    bool has_recovery_point = false;
    bool corrupt = false;
    bool discarding = false;  // its bytes are not kept; it will not be given
    std::shared_ptr<const Sps> sps;
  };

  // What the first bytes of a NAL unit tell.
  struct Verdict {
    bool begins_unit = false;
    bool corrupt = false;
    std::optional<SliceHeader> slice;
  };

  template <class Sink>
  static Receiver receiver_of(Sink& sink) noexcept {
    void* const self = const_cast<void*>(static_cast<const void*>(std::addressof(sink)));
    return {self, [](void* target, const AccessUnitView& unit) { (*static_cast<Sink*>(target))(unit); }};
  }

  std::optional<ParseError> push_to(std::span<const std::uint8_t> data, bool complete, Receiver receiver);
  void flush_to(Receiver receiver);

  void scan(std::span<const std::uint8_t> data, std::size_t leading_zeros);
  void begin_nal(std::size_t zeros, std::size_t code_end);
  void end_nal();
  void take(std::span<const std::uint8_t> bytes);
  void take_zeros(std::size_t count);

  std::optional<Verdict> judge(std::span<const std::uint8_t> nal, bool ended) const;
  std::optional<Verdict> judge_slice(std::span<const std::uint8_t> nal, bool ended) const;
  bool judge_head(bool ended);
  void accept(const Verdict& verdict, std::span<const std::uint8_t> first_bytes);
  void open_nal(std::span<const std::uint8_t> first_bytes);
  void follow_flush(const Verdict& verdict);
  void note_slice(const SliceHeader& slice);
  void read_parameter_set();

  std::size_t unit_size() const noexcept { return kept_.size() + run_.size(); }
  bool has_room(std::size_t bytes, std::optional<std::size_t> data_offset);
  void add(std::span<const std::uint8_t> bytes);
  void add_copy(std::span<const std::uint8_t> bytes);
  void add_zeros(std::size_t count);
  void keep_run();
  std::span<const std::uint8_t> accepted_nal();

  void finish_unit();
  void give_unit();
  void discard_unit();
  void reset_unit();
  bool may_be_given() const noexcept;
  void pass_limit(ErrorCode code, std::size_t data_offset);
  void cut();

  ParserLimits limits_;
  ParserStats stats_;
  ParameterSetTable sets_;

  Inside inside_ = Inside::nothing;
  std::size_t zeros_ = 0;  // at the end of what was pushed, not yet known to be payload or start code
  PendingNal nal_;
  ByteBuffer head_;  // first bytes of a NAL unit not yet accepted, from earlier pushes

  PendingUnit unit_;
  ByteBuffer kept_;                    // bytes of the unit from earlier pushes
  std::span<const std::uint8_t> run_;  // and those after them, in the data of this push
  std::vector<std::uint32_t> nal_offsets_;
  PictureSlices picture_;

  bool flushed_ = false;      // the picture of `picture_` was flushed, and nothing has come after it yet
  bool cut_counted_ = false;  // that flush is known to have been too early
  bool resyncing_ = false;    // units are dropped until a random access point

  // Only during a push or flush.
  std::span<const std::uint8_t> data_;
  Receiver receiver_{};
  std::optional<ParseError> limit_passed_;
};

}  // namespace mediacore::h264
