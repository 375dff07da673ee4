#include "core/ice/demultiplexer.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <unordered_map>

#include "core/rtp/byte_order.hpp"

namespace mediacore::ice {

namespace {

using Bytes = std::span<std::uint8_t>;

constexpr std::size_t kChannelHeaderBytes = 4;
constexpr std::size_t kLeastRtpBytes = 12;
constexpr std::size_t kLeastRtcpBytes = 8;
constexpr std::uint16_t kData = 0x007;  // the method of TURN's Data indications
// Requests that Python answers itself; more at a time than one does not happen, and a few may be lost.
constexpr std::size_t kUnanswered = 8;

enum class Content : std::uint8_t { other, stun, dtls, channel_data, rtp, rtcp };

// RFC 7983, and RFC 5761 for RTP and RTCP.
Content content_of(std::span<const std::uint8_t> bytes) noexcept {
  if (bytes.empty()) return Content::other;
  const std::uint8_t first = bytes[0];
  if (first <= 3) return Content::stun;
  if (first >= 20 && first <= 63) return Content::dtls;
  if (first >= 64 && first <= 79) return bytes.size() >= kChannelHeaderBytes ? Content::channel_data : Content::other;
  if (first < 128 || first > 191 || bytes.size() < kLeastRtcpBytes) return Content::other;
  if (bytes[1] >= 192 && bytes[1] <= 223) return Content::rtcp;
  return bytes.size() >= kLeastRtpBytes ? Content::rtp : Content::other;
}

struct ChannelData {
  Endpoint from;
  Bytes payload;
};

// None if it says to hold more than there is. What follows (padding) is not looked at.
std::optional<ChannelData> unwrap(Bytes datagram, Endpoint server) noexcept {
  server.channel = static_cast<std::uint16_t>(rtp::load_be<2>(datagram.data()));
  const auto size = static_cast<std::size_t>(rtp::load_be<2>(&datagram[2]));
  if (datagram.size() - kChannelHeaderBytes < size) return std::nullopt;
  return ChannelData{server, datagram.subspan(kChannelHeaderBytes, size)};
}

stun::Address address_of(const Endpoint& endpoint) noexcept {
  const std::span<const std::uint8_t> ip(endpoint.ip);
  return {endpoint.is_ipv4() ? ip.last<4>() : ip, endpoint.port};
}

// `<session id>+<number of the transport>`
std::string_view session_of(std::string_view ufrag) noexcept {
  return ufrag.substr(0, ufrag.find('+'));
}

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
};

}  // namespace

struct Demultiplexer::Viewer {
  ViewerId id;
  std::string ufrag;
  std::string password;
  bool handing_up = true;
  // Requests that were not answered here: a ring.
  std::array<stun::TransactionId, kUnanswered> unanswered{};
  std::size_t unanswered_count = 0;
};

struct Demultiplexer::State {
  std::unordered_map<ViewerId, Viewer> viewers;
  std::unordered_map<std::string, Viewer*, Hash, std::equal_to<>> by_ufrag;
  AddressBook addresses;
  Transactions transactions;
  Relays relays;
  std::array<std::uint8_t, stun::kMaxResponseBytes> response{};

  Viewer* find(ViewerId id) {
    const auto found = viewers.find(id);
    return found == viewers.end() ? nullptr : &found->second;
  }
};

Demultiplexer::Demultiplexer(const sessions::SessionMap* sessions)
    : sessions_(sessions), state_(std::make_unique<State>()) {}
Demultiplexer::~Demultiplexer() = default;

bool Demultiplexer::add(ViewerId viewer, std::string_view ufrag, std::string_view password) {
  if (viewer == 0 || ufrag.empty() || password.empty() || state_->find(viewer) != nullptr) return false;
  const auto [name, is_new] = state_->by_ufrag.try_emplace(std::string(ufrag), nullptr);
  if (!is_new) return false;
  const auto [entry, _] =
      state_->viewers.try_emplace(viewer, Viewer{viewer, std::string(ufrag), std::string(password)});
  name->second = &entry->second;
  return true;
}

void Demultiplexer::remove(ViewerId viewer) {
  const auto found = state_->viewers.find(viewer);
  if (found == state_->viewers.end()) return;
  state_->addresses.erase_viewer(viewer);
  state_->transactions.erase_viewer(viewer);
  state_->relays.erase_viewer(viewer);
  state_->by_ufrag.erase(found->second.ufrag);
  state_->viewers.erase(found);
}

bool Demultiplexer::note_sent(ViewerId viewer, std::span<const std::uint8_t> datagram, const Endpoint& to,
                              std::int64_t now_us) {
  const Viewer* const sender = state_->find(viewer);
  if (sender == nullptr) return true;
  Endpoint peer = to;
  if (content_of(datagram) == Content::channel_data) {
    peer.channel = static_cast<std::uint16_t>(rtp::load_be<2>(datagram.data()));
    datagram = datagram.subspan(kChannelHeaderBytes);
    // Over UDP there is no padding as a rule; where there is, STUN tells its own length.
    if (datagram.size() >= stun::kHeaderBytes) {
      datagram = datagram.first(std::min(datagram.size(), stun::kHeaderBytes + rtp::load_be<2>(&datagram[2])));
    }
  }
  if (content_of(datagram) != Content::stun) return true;
  const auto message = stun::parse(datagram);
  if (!message) return true;
  if (message->message_class == stun::Class::request) {
    note_transaction(viewer, message->transaction_id, peer, now_us);
    return true;
  }
  const auto& unanswered = sender->unanswered;
  return message->message_class != stun::Class::success || message->method != stun::kBinding ||
         std::find(unanswered.begin(), unanswered.end(), message->transaction_id) != unanswered.end();
}

void Demultiplexer::note_transaction(ViewerId viewer, const stun::TransactionId& id, const Endpoint& to,
                                     std::int64_t now_us) {
  if (state_->find(viewer) != nullptr) state_->transactions.note(viewer, id, to, now_us);
}

bool Demultiplexer::dedicate_socket(ViewerId viewer, std::uint16_t socket) {
  return state_->find(viewer) != nullptr && state_->relays.dedicate(viewer, socket);
}

void Demultiplexer::release_socket(ViewerId viewer, std::uint16_t socket) {
  state_->relays.erase_socket(viewer, socket);
  state_->addresses.erase_socket(viewer, socket);
}

bool Demultiplexer::add_relay(ViewerId viewer, const Endpoint& server) {
  return state_->find(viewer) != nullptr && state_->relays.add(viewer, server);
}

bool Demultiplexer::bind_channel(ViewerId viewer, const Endpoint& server_with_channel, const Endpoint& peer) {
  return state_->find(viewer) != nullptr && state_->relays.bind(viewer, server_with_channel, peer);
}

void Demultiplexer::set_handing_up(ViewerId viewer, bool on) {
  if (Viewer* const found = state_->find(viewer)) found->handing_up = on;
}

std::optional<Endpoint> Demultiplexer::destination(ViewerId viewer) const {
  return state_->addresses.destination(viewer);
}

Verdict Demultiplexer::classify(Bytes datagram, const Endpoint& from, std::int64_t now_us) {
  ++stats_.datagrams;
  const Relays& relays = state_->relays;
  if (const ViewerId owner = relays.server_owner(from)) return from_server(owner, datagram, from, now_us);
  // Nobody is at port 0, and nothing can be sent there.
  if (from.port == 0 || content_of(datagram) == Content::other) {
    ++stats_.malformed;
    return {};
  }
  if (relays.socket_owner(from.socket) != 0) {
    ++stats_.unknown_address;
    return {};
  }
  return from_peer(datagram, from, nullptr, now_us);
}

Verdict Demultiplexer::from_server(ViewerId owner, Bytes datagram, const Endpoint& from, std::int64_t now_us) {
  Verdict verdict;
  verdict.viewer = owner;
  verdict.payload = datagram;
  verdict.from = from;
  const Content content = content_of(datagram);
  if (content == Content::channel_data) {
    const auto data = unwrap(datagram, from);
    if (!data) {
      ++stats_.malformed;
      return {};
    }
    if (const auto* const channel = state_->relays.channel(data->from)) {
      return from_peer(data->payload, data->from, channel, now_us);
    }
    verdict.kind = Kind::up;
    return verdict;
  }
  const auto message =
      content == Content::stun ? stun::parse(datagram) : rtp::Error{rtp::ErrorCode::unsupported_type, 0};
  if (!message || message->message_class == stun::Class::request) {
    ++stats_.malformed;
    return {};
  }
  if (message->message_class != stun::Class::indication) return take_response(*message, verdict, now_us);
  if (message->method != kData) {
    ++stats_.indications;
    return {};
  }
  verdict.kind = Kind::up;
  return verdict;
}

Verdict Demultiplexer::from_peer(Bytes payload, const Endpoint& from, const Relays::Channel* channel,
                                 std::int64_t now_us) {
  Verdict verdict;
  verdict.payload = payload;
  verdict.from = from;
  const Content content = content_of(payload);
  if (content == Content::stun) {
    const auto message = stun::parse(payload);
    if (message) return take_stun(*message, verdict, channel, now_us);
  }
  if (content != Content::dtls && content != Content::rtp && content != Content::rtcp) {
    ++stats_.malformed;
    return {};
  }
  verdict.viewer = state_->addresses.owner(from);
  if (verdict.viewer == 0) {
    ++stats_.unknown_address;
    return {};
  }
  verdict.kind = content == Content::dtls ? Kind::up : content == Content::rtcp ? Kind::rtcp : Kind::rtp;
  return verdict;
}

Verdict Demultiplexer::take_stun(const stun::Message& message, Verdict verdict, const Relays::Channel* channel,
                                 std::int64_t now_us) {
  switch (message.message_class) {
    case stun::Class::request: return take_request(message, verdict, channel, now_us);
    case stun::Class::indication: ++stats_.indications; return {};
    default: return take_response(message, verdict, now_us);
  }
}

void Demultiplexer::touch_session(const Viewer& viewer, std::int64_t now_us) const {
  constexpr std::int64_t kNanoseconds = 1000;
  if (sessions_ != nullptr) static_cast<void>(sessions_->touch(session_of(viewer.ufrag), now_us * kNanoseconds));
}

Verdict Demultiplexer::take_request(const stun::Message& message, Verdict verdict, const Relays::Channel* channel,
                                    std::int64_t now_us) {
  if (message.method != stun::kBinding) {
    ++stats_.malformed;
    return {};
  }
  // "ours:theirs" (RFC 8445 7.2.2).
  const std::size_t colon = message.username.find(':');
  const auto named = colon == std::string_view::npos ? state_->by_ufrag.end()
                                                     : state_->by_ufrag.find(message.username.substr(0, colon));
  // A channel leads to the peers of one viewer.
  if (named == state_->by_ufrag.end() || (channel != nullptr && channel->viewer != named->second->id)) {
    ++stats_.unknown_ufrag;
    return {};
  }
  Viewer& viewer = *named->second;
  const bool is_known = sessions_ == nullptr || state_->addresses.owner(verdict.from) == viewer.id ||
                        sessions_->get(session_of(viewer.ufrag)).has_value();
  if (!is_known) {
    ++stats_.unknown_session;
    return {};
  }
  if (!stun::verify(verdict.payload, message, viewer.password)) {
    ++stats_.bad_integrity;
    return {};
  }
  touch_session(viewer, now_us);
  const bool is_ours_to_answer = message.controlling && !message.controlled && !message.has_unknown;
  const auto change =
      state_->addresses.heard_request(viewer.id, verdict.from, message.use_candidate && is_ours_to_answer);
  verdict.viewer = viewer.id;
  verdict.authenticated = true;
  verdict.moved = change.moved;
  verdict.displaced = change.displaced;
  const bool is_answered =
      is_ours_to_answer && answer(message, viewer, channel != nullptr ? channel->peer : verdict.from, verdict);
  if (!is_answered) viewer.unanswered[viewer.unanswered_count++ % kUnanswered] = message.transaction_id;
  // Without PRIORITY it is no check (RFC 8445 7.1.1), and who makes a candidate of it would miss it.
  const bool is_wanted = viewer.handing_up || change.news || change.moved || !is_answered;
  if (is_wanted && message.has_priority) verdict.kind = Kind::up;
  return verdict;
}

bool Demultiplexer::answer(const stun::Message& request, const Viewer& viewer, const Endpoint& mapped,
                           Verdict& verdict) {
  std::array<std::uint8_t, stun::kMaxResponseBytes>& out = state_->response;
  const std::size_t size =
      stun::write_binding_success(request.transaction_id, address_of(mapped), viewer.password, out);
  if (size == 0) return false;
  verdict.response = std::span(out).first(size);
  ++stats_.answered;
  return true;
}

Verdict Demultiplexer::take_response(const stun::Message& message, Verdict verdict, std::int64_t now_us) {
  const auto* const transaction = state_->transactions.find(message.transaction_id, now_us);
  if (transaction == nullptr || transaction->to != verdict.from) {
    ++stats_.unknown_transaction;
    return {};
  }
  verdict.viewer = transaction->viewer;
  verdict.kind = Kind::up;
  state_->transactions.erase(message.transaction_id);
  const bool is_check = message.method == stun::kBinding && state_->relays.server_owner(verdict.from) == 0;
  if (is_check && message.message_class == stun::Class::success) {
    const auto change = state_->addresses.heard_success(verdict.viewer, verdict.from);
    verdict.authenticated = true;
    verdict.moved = change.moved;
    verdict.displaced = change.displaced;
    if (const Viewer* const viewer = state_->find(verdict.viewer)) touch_session(*viewer, now_us);
  }
  return verdict;
}

}  // namespace mediacore::ice
