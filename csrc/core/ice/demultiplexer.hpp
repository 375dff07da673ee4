// Tells whose a datagram is, on a port that many viewers share, and where a viewer's media goes.
//
// What tells: the first byte (RFC 7983). A STUN request belongs to the viewer whose ufrag it names, and only if its
//   MESSAGE-INTEGRITY is right; a response to the viewer that sent the transaction, and only if it comes from where the
//   request went (RFC 8445 7.2.5.2.1: else a viewer could name somebody else's address as its own); everything else to the
//   viewer that an authenticated STUN message came from that address for. Nothing else is let in: not forged, not unknown.
// Sessions: with a session map, the ufrag is `<session id>+<number>`, and a request from an address that is not its viewer's
//   yet is let in only while the map knows the session; every authentic STUN message touches it, so that it does not expire.
//   The map is the one that Python looks into, and asked without the GIL; it is asked for existence only. The credentials
//   and addresses stay here, with their one owner: they change with a viewer's transport, not with the session.
// Nomination: see address_book.hpp. Relays, and the sockets they need: see relays.hpp.
// Binding requests of known viewers are answered here, so that the browser's view of the connection does not depend
//   on Python; they are handed up all the same while `handing_up` says so (aioice must see checks until it has nominated).
//   Not answered here, but handed up, is what needs a decision: a role conflict (the sender does not say that it controls),
//   or an attribute that must be understood and is not known.
// ChannelData of a bound channel is as if it came from Endpoint{server, channel}: Verdict::payload is what it carries, and
//   what is sent back to Verdict::from has to be wrapped again (SendBatch does that for each endpoint with a channel). The
//   mapped address in such a response is the peer's, as bind_channel told. Other data of the server goes up as it is.
// Bounds: kMaxAddresses per viewer, the oldest goes; transactions die after kTransactionUs and are at most
//   kMaxTransactions per viewer.
// Policy: every datagram that is not taken is counted by cause. Nothing is allocated for a datagram that is not taken; an
//   unknown ufrag or address costs a look into a hash table (and what the parser of STUN costs).
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "core/ice/address_book.hpp"
#include "core/ice/endpoint.hpp"
#include "core/ice/relays.hpp"
#include "core/ice/transactions.hpp"
#include "core/ice/viewer_id.hpp"
#include "core/sessions/session_map.hpp"
#include "core/stun/message.hpp"

namespace mediacore::ice {

enum class Kind : std::uint8_t {
  dropped,  // nothing to hand on: not taken and counted, or a request that was answered, which is all
  rtp,      // for the viewer
  rtcp,     // for the viewer; not yet opened
  up,  // STUN or DTLS that Python must see: the whole datagram, ChannelData too, as the TURN client there unwraps it
};

struct Verdict {
  Kind kind = Kind::dropped;
  ViewerId viewer = 0;
  bool authenticated = false;  // STUN that proved to be the viewer's
  bool moved = false;          // the viewer's destination is another one now
  ViewerId displaced = 0;      // another viewer, whose destination this address was: it has none now
  // To be sent back to `from`, if not empty; valid until the next call.
  std::span<const std::uint8_t> response;
  std::span<std::uint8_t> payload;  // what is in the datagram: all of it, or what ChannelData carries
  Endpoint from;                    // with the channel, if it was relayed
};

// Datagrams that were not taken, by cause; and those that were answered here.
struct DemuxStats {
  std::uint64_t datagrams = 0;  // all
  std::uint64_t unknown_ufrag = 0;
  std::uint64_t unknown_session = 0;  // the ufrag's viewer is still here, its session is gone
  std::uint64_t bad_integrity = 0;
  std::uint64_t unknown_transaction = 0;  // or an answer from another address than the one that was asked
  std::uint64_t unknown_address = 0;
  std::uint64_t malformed = 0;    // or of a kind that has no business here
  std::uint64_t indications = 0;  // STUN that wants no answer (keep-alives)
  std::uint64_t answered = 0;     // binding requests answered here
};

class Demultiplexer {
 public:
  // `sessions`, if there are any, outlive it.
  explicit Demultiplexer(const sessions::SessionMap* sessions = nullptr);
  ~Demultiplexer();
  Demultiplexer(const Demultiplexer&) = delete;
  Demultiplexer& operator=(const Demultiplexer&) = delete;

  // False if the ufrag or id is taken, or one of them or the password is empty.
  bool add(ViewerId viewer, std::string_view ufrag, std::string_view password);
  void remove(ViewerId viewer);

  // To be asked for each STUN, DTLS or TURN datagram that Python sends for the viewer; requests in it (in ChannelData too)
  // are noted. False: do not send it, it answers a binding request that was answered here.
  bool note_sent(ViewerId viewer, std::span<const std::uint8_t> datagram, const Endpoint& to, std::int64_t now_us);
  // The viewer sent a STUN request with this transaction (to a TURN server too).
  void note_transaction(ViewerId viewer, const stun::TransactionId& id, const Endpoint& to, std::int64_t now_us);

  // Nothing is let in on this socket but what comes from the viewer's relays. False: another viewer's.
  bool dedicate_socket(ViewerId viewer, std::uint16_t socket);
  // Before the socket is closed: what was heard on it counts no more. The viewer may have lost its destination.
  void release_socket(ViewerId viewer, std::uint16_t socket);
  // Datagrams from this TURN server, on this socket, are the viewer's: responses by transaction, ChannelData by channel.
  // False: another viewer's, or too many.
  bool add_relay(ViewerId viewer, const Endpoint& server);
  // ChannelData of this channel comes from, and leads to, this peer of the viewer. False: no relay of its, or too many.
  bool bind_channel(ViewerId viewer, const Endpoint& server_with_channel, const Endpoint& peer);

  // Off: binding requests that change nothing (the same address, no new nomination) are answered only. On at first.
  void set_handing_up(ViewerId viewer, bool on);

  Verdict classify(std::span<std::uint8_t> datagram, const Endpoint& from, std::int64_t now_us);

  // Where the viewer's media goes; none before the nomination.
  std::optional<Endpoint> destination(ViewerId viewer) const;

  const DemuxStats& stats() const noexcept { return stats_; }

 private:
  struct State;
  struct Viewer;

  // What came from a relay, and is not in a bound channel.
  Verdict from_server(ViewerId owner, std::span<std::uint8_t> datagram, const Endpoint& from, std::int64_t now_us);
  // What came from a peer, by `channel` or without.
  Verdict from_peer(std::span<std::uint8_t> payload, const Endpoint& from, const Relays::Channel* channel,
                    std::int64_t now_us);
  Verdict take_stun(const stun::Message& message, Verdict verdict, const Relays::Channel* channel, std::int64_t now_us);
  Verdict take_request(const stun::Message& message, Verdict verdict, const Relays::Channel* channel,
                       std::int64_t now_us);
  Verdict take_response(const stun::Message& message, Verdict verdict, std::int64_t now_us);
  bool answer(const stun::Message& request, const Viewer& viewer, const Endpoint& mapped, Verdict& verdict);

  void touch_session(const Viewer& viewer, std::int64_t now_us) const;

  const sessions::SessionMap* sessions_;
  std::unique_ptr<State> state_;
  DemuxStats stats_;
};

}  // namespace mediacore::ice
