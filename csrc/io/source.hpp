// One source's socket: raw Annex B comes in, access units with the time of their first byte go out.
//
// What it does: TCP_QUICKACK is armed again after every read, because an adb server sends with Nagle's algorithm and
//   the kernel's delayed ACK would hold back a picture for up to 40 ms. A pause ends the access unit (BurstFlush); it is
//   reckoned from the kernel's time of arrival where there is one, so a reader that comes late need not wait again. That
//   is the time of the last byte; of what waited to be read, the first may have come right after the reading before.
//   Parameter sets are put before random access points. What is pending at the end may be cut in the middle of a NAL
//   unit and is not handed on: a whole unit would have been flushed when the burst ended.
// Policy: at most kReadsPerWakeup reads at a time, so that a source that floods cannot keep the others waiting.
// Memory: owns the descriptor and the parser's buffers; what is read passes through the caller's buffer.
// Threads: one owner; the figures may be read by all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/h264/access_unit_parser.hpp"
#include "core/h264/burst_flush.hpp"
#include "core/h264/parameter_sets.hpp"
#include "io/descriptor.hpp"
#include "io/figures.hpp"
#include "io/recycler.hpp"
#include "io/unit.hpp"

namespace mediacore::io {

struct SourceUnit {
  // With parameter sets, the time of its first byte, and whether it is one to begin with; the rest is the rendition's.
  std::shared_ptr<Unit> unit;
  std::shared_ptr<const h264::Sps> sps;
};

class Source {
 public:
  static constexpr std::size_t kReadBytes = std::size_t{256} << 10;  // a whole key frame of 1080p in most cases
  static constexpr std::size_t kReadsPerWakeup = 4;                  // 1 MiB: a millisecond's work
  static constexpr std::size_t kHeadBytes = 512;  // of a stream that is no H.264: an error message in plain words
  // Read later, bytes count as just come: a thread is hardly that late, and a clock that is set forward makes no
  // pause of more than this.
  static constexpr std::int64_t kOldestArrivalUs = 50'000;

  struct Settings {
    Id id;
    Id rendition;
    h264::BurstFlush flush;
  };

  Source(const Settings& settings, Descriptor socket, std::shared_ptr<SourceShared> shared);

  Id id() const noexcept { return settings_.id; }
  Id rendition() const noexcept { return settings_.rendition; }
  int descriptor() const noexcept { return socket_.get(); }

  // Reads what there is; appends the units that are whole. `buffer`: kReadBytes. `now_us`: not after the call.
  // `held_back`: it may have come at any time since the last call, not just now.
  void read(std::span<std::uint8_t> buffer, std::int64_t now_us, bool held_back, std::vector<SourceUnit>& out);
  // To be called at the deadline: reads once more, if that was not done since, and flushes if nothing came.
  void pause(std::span<std::uint8_t> buffer, std::int64_t now_us, std::vector<SourceUnit>& out);
  std::optional<std::int64_t> deadline_us() const noexcept { return deadline_us_; }

  // True once after an access unit was cut or dropped.
  bool take_damage() noexcept;
  bool ended() const noexcept { return ended_; }
  int error() const noexcept { return error_; }
  // The first bytes, if no unit came.
  std::vector<std::uint8_t> head() const;

  // What the rendition made of a unit.
  enum class Fate : std::uint8_t { handed_on, before_key, superseded };
  void count(Fate fate, bool is_key) noexcept;
  // Units that came since the last call, whatever their fate.
  std::uint64_t take_activity() noexcept { return std::exchange(recent_units_, 0); }
  bool has_key_frame() const noexcept { return has_key_frame_; }
  void note_key_frame() noexcept { has_key_frame_ = true; }
  void set_current(bool current) noexcept { figures_.current = current; }
  void set_ended() noexcept { ended_ = true; }
  void set_error(int error) noexcept { error_ = error; }
  void publish() noexcept;

  const h264::BurstFlush& flush() const noexcept { return settings_.flush; }

 private:
  struct Collector;

  bool read_once(std::span<std::uint8_t> buffer, bool held_back, std::vector<SourceUnit>& out);
  void received(std::span<const std::uint8_t> data, std::int64_t arrived_us, bool held_back,
                std::vector<SourceUnit>& out);
  void quick_ack() noexcept;
  SourceUnit unit_of(const h264::AccessUnitView& view);

  Settings settings_;
  Descriptor socket_;
  std::shared_ptr<SourceShared> shared_;
  h264::AccessUnitParser parser_;
  h264::ParameterSets sets_;
  Recycler<Unit> recycler_;
  std::vector<std::uint8_t> head_;
  SourceFigures figures_;
  std::optional<std::int64_t> deadline_us_;
  std::int64_t emptied_us_ = 0;                // nothing was left in the socket at this time or later
  std::optional<std::int64_t> first_byte_us_;  // of what is in the parser
  std::uint64_t damages_ = 0;                  // told
  std::uint64_t recent_units_ = 0;
  bool has_units_ = false;
  bool has_key_frame_ = false;
  bool quick_ack_ = true;
  bool ended_ = false;
  int error_ = 0;
};

}  // namespace mediacore::io
