// Tells whose a datagram is, on a port that many viewers share, and where a viewer's media goes.
//
// What tells: the first byte (RFC 7983). A STUN request belongs to the viewer whose ufrag it names, and only if its
//   MESSAGE-INTEGRITY is right; a response to the viewer that sent the transaction; everything else to the viewer that
//   an authenticated STUN message came from that address for. Nothing else is let in: not forged, not unknown.
// Nomination (RFC 8445 7.3.1.5, the controlled side): an address is valid after a success response to our check from
//   it, nominated after a request with USE-CANDIDATE; both: media goes there. A later consent response moves nothing.
//   A new valid and nominated address takes media over.
// Binding requests of known viewers are answered here, so that the browser's view of the connection does not depend
//   on Python; they are handed up all the same while `handing_up` says so (aioice must see checks until it has nominated).
// Bounds: kMaxAddresses per viewer, the oldest goes; transactions die after kTransactionUs and are at most
//   kMaxTransactions per viewer.
// Policy: every datagram that is not taken is counted by cause. Nothing is allocated for a datagram that is not taken.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "core/ice/endpoint.hpp"
#include "core/stun/message.hpp"

namespace mediacore::ice {

using ViewerId = std::uint64_t;

inline constexpr std::size_t kMaxAddresses = 16;
inline constexpr std::size_t kMaxTransactions = 256;
inline constexpr std::int64_t kTransactionUs = 40'000'000;  // aioice's last retransmission is after 39.5 s

enum class Kind : std::uint8_t {
  dropped,  // counted
  rtp,      // for the viewer
  rtcp,     // for the viewer; not yet opened
  up,       // STUN or DTLS that Python must see
};

struct Verdict {
  Kind kind = Kind::dropped;
  ViewerId viewer = 0;
  bool authenticated = false;                // STUN that proved to be the viewer's
  std::span<const std::uint8_t> response{};  // to be sent back to where the datagram came from; valid until the next call
  bool moved = false;                        // the viewer's destination is another one now
  std::span<std::uint8_t> payload{};         // what is in the datagram: all of it, or what ChannelData carries
  Endpoint from{};                           // with the channel, if it was relayed
};

// Datagrams that were not taken.
struct DemuxStats {
  std::uint64_t datagrams = 0;  // all
  std::uint64_t unknown_ufrag = 0;
  std::uint64_t bad_integrity = 0;
  std::uint64_t unknown_transaction = 0;
  std::uint64_t unknown_address = 0;
  std::uint64_t malformed = 0;
  std::uint64_t answered = 0;  // binding requests answered here
};

class Demultiplexer {
 public:
  Demultiplexer();
  ~Demultiplexer();
  Demultiplexer(const Demultiplexer&) = delete;
  Demultiplexer& operator=(const Demultiplexer&) = delete;

  // False if the ufrag or id is taken.
  bool add(ViewerId viewer, std::string_view ufrag, std::string_view password);
  void remove(ViewerId viewer);

  // The viewer sent a STUN request with this transaction (to a TURN server too).
  void note_transaction(ViewerId viewer, const stun::TransactionId& id, std::int64_t now_us);

  // Datagrams from this TURN server, on this socket, are the viewer's: responses by transaction, ChannelData by channel.
  void add_relay(ViewerId viewer, const Endpoint& server);
  // ChannelData of this channel comes from, and leads to, a peer of the viewer.
  void bind_channel(ViewerId viewer, const Endpoint& server_with_channel);

  // After that, binding requests that change nothing (the same address, no new nomination) are answered only.
  void set_handing_up(ViewerId viewer, bool on);

  Verdict classify(std::span<std::uint8_t> datagram, const Endpoint& from, std::int64_t now_us);

  // Where the viewer's media goes; none before the nomination.
  std::optional<Endpoint> destination(ViewerId viewer) const;

  const DemuxStats& stats() const noexcept { return stats_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  DemuxStats stats_;
};

}  // namespace mediacore::ice
