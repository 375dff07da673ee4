// The figures that may be read at any time while the loop's thread writes them, by object.
//
// Memory: shared by the thread's object and the front's registry; they outlive the object until it is removed.
// Threads: the loop's thread writes, anyone reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/egress/viewer_egress.hpp"
#include "core/ice/demultiplexer.hpp"
#include "core/ice/endpoint.hpp"
#include "io/delays.hpp"
#include "io/send_batch.hpp"
#include "io/snapshot.hpp"

namespace mediacore::io {

struct RenditionFigures {
  std::uint64_t units = 0;
  std::uint64_t bytes = 0;
  std::uint64_t key_frames = 0;
  std::uint64_t key_frame_wishes = 0;  // told to Python
  std::uint64_t viewers = 0;
  std::uint64_t taps = 0;
  double fps = 0;
  std::uint64_t bitrate_bps = 0;
  std::uint64_t gop_bytes = 0;      // cached
  std::uint64_t late_units = 0;     // sent more than kLateUs after their time
  std::uint64_t refused_units = 0;  // not to be cut into payloads: no bitstream of this codec
  std::uint64_t lost_units = 0;     // no memory for them
  // How long what waits for a viewer will take at its pace: of the viewers whose media flows. Without any, -1 and 0.
  std::int64_t least_queue_us = -1;
  std::int64_t most_queue_us = 0;
};

// What waits to be sent at its time, counted where it is pushed and where it leaves.
class Ahead {
 public:
  // False, and nothing counted, if there would be more than that.
  bool take(std::size_t bytes, std::size_t most_units, std::size_t most_bytes) noexcept {
    // Counted first, so that those who push from several threads stay within the bound together. Relaxed: these are
    // counts, the units themselves go through a queue with a lock.
    const bool fits = units_.fetch_add(1, std::memory_order_relaxed) < most_units;
    if (bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= most_bytes && fits) return true;
    give_back(bytes);
    return false;
  }

  void give_back(std::size_t bytes) noexcept {
    units_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::size_t> units_{0};
  std::atomic<std::size_t> bytes_{0};
};

struct RenditionShared {
  Snapshot<RenditionFigures> figures;
  Ahead ahead;
};

struct SourceFigures {
  std::uint64_t bytes = 0;
  std::uint64_t units = 0;  // handed on to the rendition
  std::uint64_t key_frames = 0;
  std::uint64_t cut_units = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t oversize = 0;
  std::uint64_t dropped = 0;  // by the parser, waiting for a random access point
  std::uint64_t wrong_flushes = 0;
  std::uint64_t before_key = 0;
  std::uint64_t superseded = 0;
  std::uint64_t skipped_bytes = 0;
  std::int64_t idle_us = 0;  // the pause that ends a unit now
  bool current = false;
  bool ended = false;
};

struct SourceShared {
  Snapshot<SourceFigures> figures;
};

struct ViewerFigures {
  egress::EgressStats egress;
  std::int64_t heard_us = -1;  // last authenticated message; -1: none yet
  std::uint64_t replays = 0;
};

// Where a viewer's media goes.
struct Destination {
  ice::Endpoint endpoint;
  bool known = false;
};

struct ViewerShared {
  Snapshot<ViewerFigures> figures;
  Snapshot<Destination> destination;
  Delays handed;   // access unit whole -> its last datagram handed to the kernel
  Delays arrival;  // its first byte arrived -> the same
  Delays nack;     // datagram with a NACK arrived -> retransmission handed to the kernel
  // Datagrams for Python: counted by the event queue.
  std::atomic<std::uint64_t> datagrams_up{0};
  std::atomic<std::uint64_t> quota_drops{0};
  std::atomic<std::size_t> datagrams_queued{0};
};

struct ThreadFigures {
  std::uint64_t wake_ups = 0;
  std::uint64_t commands = 0;
  std::uint64_t datagrams_in = 0;
  std::uint64_t faults = 0;        // an object was ended, or a unit lost, because of an exception
  std::uint64_t rtp_in = 0;        // nobody sends us media: dropped
  std::uint64_t no_keys = 0;       // SRTCP before the keys: dropped
  std::uint64_t rtcp_refused = 0;  // of all viewers: forged, repeated or malformed
  std::uint64_t rtcp_limited = 0;  // of all viewers: more than is read
  ice::DemuxStats demux;
  SendStats send;
};

inline ThreadFigures& operator+=(ThreadFigures& sum, const ThreadFigures& one) noexcept {
  sum.wake_ups += one.wake_ups;
  sum.commands += one.commands;
  sum.datagrams_in += one.datagrams_in;
  sum.faults += one.faults;
  sum.rtp_in += one.rtp_in;
  sum.no_keys += one.no_keys;
  sum.rtcp_refused += one.rtcp_refused;
  sum.rtcp_limited += one.rtcp_limited;
  sum.demux.datagrams += one.demux.datagrams;
  sum.demux.unknown_session += one.demux.unknown_session;
  sum.demux.unknown_ufrag += one.demux.unknown_ufrag;
  sum.demux.bad_integrity += one.demux.bad_integrity;
  sum.demux.unknown_transaction += one.demux.unknown_transaction;
  sum.demux.unknown_address += one.demux.unknown_address;
  sum.demux.malformed += one.demux.malformed;
  sum.demux.indications += one.demux.indications;
  sum.demux.answered += one.demux.answered;
  sum.send.calls += one.send.calls;
  sum.send.messages += one.send.messages;
  sum.send.packets += one.send.packets;
  sum.send.bytes += one.send.bytes;
  sum.send.dropped_full += one.send.dropped_full;
  sum.send.dropped_error += one.send.dropped_error;
  sum.send.dropped_closed += one.send.dropped_closed;
  sum.send.gso_refused += one.send.gso_refused;
  return sum;
}

}  // namespace mediacore::io
