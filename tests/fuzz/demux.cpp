// Datagrams from several places against a few viewers on one port, some reached through a TURN server. What is let in is
// some viewer's who proved it; media goes nowhere that was not proved and nominated; each drop is counted once.

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "../native/ice/stun_bytes.hpp"
#include "core/ice/demultiplexer.hpp"
#include "input.hpp"

namespace mediacore::fuzz {
namespace {

using ice::Endpoint;
using ice::Kind;
using ice::Verdict;
using ice::ViewerId;
using ice::testing::StunBytes;

constexpr std::size_t kViewers = 3;
constexpr std::size_t kPlaces = 6;
constexpr std::uint16_t kSockets = 3;
constexpr std::uint16_t kFirstChannel = 0x4000;
constexpr std::uint32_t kTransactions = 8;
constexpr std::array<const char*, kViewers + 1> kNames{"a+1:x", "b+1:x", "c+1:x", "d+1:x"};
constexpr std::array<const char*, kViewers + 1> kUfrags{"a+1", "b+1", "c+1", "d+1"};
constexpr std::array<const char*, kViewers + 1> kPasswords{"password of a", "password of b", "password of c", "other"};

bool is_less(const Endpoint& a, const Endpoint& b) {
  return std::tie(a.ip, a.port, a.socket, a.channel) < std::tie(b.ip, b.port, b.socket, b.channel);
}

// An endpoint of a viewer.
struct Claim {
  ViewerId viewer;
  Endpoint at;

  bool operator<(const Claim& other) const {
    return viewer != other.viewer ? viewer < other.viewer : is_less(at, other.at);
  }
};

std::uint64_t drops(const ice::DemuxStats& stats) {
  return stats.unknown_ufrag + stats.unknown_session + stats.bad_integrity + stats.unknown_transaction +
         stats.unknown_address + stats.malformed + stats.indications;
}

class Room {
 public:
  explicit Room(Input input) : input_(input) {}

  void run() {
    for (ViewerId viewer = 1; viewer <= kViewers; ++viewer) add(viewer);
    while (!input_.empty()) {
      act();
      check_destinations();
    }
  }

 private:
  Endpoint place() {
    const auto number = static_cast<std::uint8_t>(input_.pick(0, kPlaces - 1));
    Endpoint at;
    at.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    if (number % 2 == 1) at.ip[0] = 0x20;  // IPv6
    at.port = static_cast<std::uint16_t>(number < 5 ? 5000 + number / 2 : 0);
    at.socket = static_cast<std::uint16_t>(input_.pick(0, kSockets - 1));
    return at;
  }

  ViewerId viewer() { return input_.pick(1, kViewers); }
  std::uint16_t channel() { return static_cast<std::uint16_t>(kFirstChannel + input_.pick(0, 2) - 1); }
  std::uint32_t transaction() { return static_cast<std::uint32_t>(input_.pick(0, kTransactions - 1)); }

  static Endpoint in_channel(Endpoint server, std::uint16_t number) {
    server.channel = number;
    return server;
  }

  void act() {
    switch (input_.pick(0, 15)) {
      case 0: return give(Buffer(), place());
      case 1: {
        const Bytes bytes = input_.take(input_.pick(0, 150));
        return give(Buffer(bytes.begin(), bytes.end()), place());
      }
      case 2:
      case 3:
      case 4:
      case 5: return request();
      case 6:
      case 7:
      case 8: return answer();
      case 9: return media();
      case 10: return note();
      case 11: now_us_ += static_cast<std::int64_t>(input_.pick(0, 255)) * 1'000'000; return;
      case 12: return input_.flip() ? remove(viewer()) : add(viewer());
      case 13: return relay();
      case 14: return demux_.set_handing_up(viewer(), input_.flip());
      default: return note_datagram();
    }
  }

  void add(ViewerId viewer) {
    const bool is_new = present_.insert(viewer).second;
    expect(demux_.add(viewer, kUfrags[viewer - 1], kPasswords[viewer - 1]) == is_new, "a viewer is added once");
  }

  void remove(ViewerId viewer) {
    demux_.remove(viewer);
    present_.erase(viewer);
    const auto is_its = [&](const Claim& claim) { return claim.viewer == viewer; };
    std::erase_if(heard_, is_its);
    std::erase_if(proved_, is_its);
    std::erase_if(nominated_, is_its);
    std::erase_if(asked_, [&](const auto& asked) { return asked.first.viewer == viewer; });
    std::erase_if(dedicated_, [&](const auto& socket) { return socket.second == viewer; });
  }

  void relay() {
    const ViewerId who = viewer();
    const Endpoint server = place();
    switch (input_.pick(0, 3)) {
      case 0:
        if (demux_.dedicate_socket(who, server.socket)) {
          expect(dedicated_.try_emplace(server.socket, who).first->second == who, "a socket is one viewer's");
        }
        return;
      case 1: static_cast<void>(demux_.add_relay(who, server)); return;
      case 2: {
        const Endpoint peer = place();
        static_cast<void>(demux_.bind_channel(who, in_channel(server, channel()), peer));
        return;
      }
      default: break;
    }
    demux_.release_socket(who, server.socket);
    const auto is_gone = [&](const Claim& claim) { return claim.viewer == who && claim.at.socket == server.socket; };
    std::erase_if(heard_, is_gone);
    std::erase_if(proved_, is_gone);
    std::erase_if(nominated_, is_gone);
    if (dedicated_.contains(server.socket) && dedicated_[server.socket] == who) dedicated_.erase(server.socket);
  }

  void note() {
    const ViewerId who = viewer();
    const std::uint32_t id = transaction();
    Endpoint to = place();
    if (input_.flip()) to.channel = channel();
    demux_.note_transaction(who, ice::testing::id_of(id), to, now_us_);
    if (present_.contains(who)) asked_[{who, to}].insert(id);
  }

  void note_datagram() {
    const ViewerId who = viewer();
    const Endpoint to = place();
    const std::uint32_t id = transaction();
    const bool wrapped = input_.flip();
    const std::uint16_t number = channel();
    const bool is_request = input_.flip();
    Buffer bytes = StunBytes(is_request ? ice::testing::kBindingRequest : ice::testing::kBindingSuccess, id).bytes();
    if (wrapped) bytes = ice::testing::channel_data(number, bytes);
    bytes.resize(bytes.size() - std::min(bytes.size(), input_.pick(0, 3)));
    const Copy copy(bytes);
    const bool send = demux_.note_sent(who, copy.view(), to, now_us_);
    expect(send || (!is_request && present_.contains(who)), "only answers are swallowed");
    if (present_.contains(who)) asked_[{who, wrapped ? in_channel(to, number) : to}].insert(id);
  }

  void request() {
    const std::size_t name = input_.pick(0, kViewers);
    const std::size_t secret = input_.flip() ? name : input_.pick(0, kViewers);
    const std::size_t flags = input_.pick(0, 63);
    StunBytes message((flags & 0x30) == 0x30 ? ice::testing::kAllocateRequest : ice::testing::kBindingRequest,
                      transaction());
    message.username(kNames[name]);
    if ((flags & 1) != 0) message.use_candidate();
    if ((flags & 6) != 6) message.controlling();
    if ((flags & 6) == 4) message.controlled();
    if ((flags & 8) == 0) message.priority();
    message.integrity(kPasswords[secret]);
    Buffer bytes = message.bytes();
    if (input_.pick(0, 7) == 0)
      bytes[input_.pick(0, bytes.size() - 1)] ^= static_cast<std::uint8_t>(input_.pick(1, 255));
    send(std::move(bytes));
  }

  void answer() {
    constexpr std::array<std::uint16_t, 5> kTypes{ice::testing::kBindingSuccess, ice::testing::kBindingError,
                                                  ice::testing::kAllocateSuccess, ice::testing::kDataIndication,
                                                  ice::testing::kBindingIndication};
    send(StunBytes(kTypes[input_.pick(0, 7) % kTypes.size()], transaction()).bytes());
  }

  void media() {
    constexpr std::array<std::uint8_t, 4> kFirst{22, 0x80, 0x81, 0xbf};
    Buffer bytes(input_.pick(1, 20), 0);
    bytes[0] = kFirst[input_.pick(0, kFirst.size() - 1)];
    if (bytes.size() > 1) bytes[1] = input_.flip() ? 201 : 96;
    send(std::move(bytes));
  }

  void send(Buffer bytes) {
    if (input_.flip()) bytes = ice::testing::channel_data(channel(), bytes);
    give(bytes, place());
  }

  void give(const Buffer& bytes, const Endpoint& from) {
    Buffer datagram = bytes;
    datagram.shrink_to_fit();
    const ice::DemuxStats before = demux_.stats();
    const Verdict verdict = demux_.classify(datagram, from, now_us_);
    const std::uint64_t dropped = drops(demux_.stats()) - drops(before);
    expect(demux_.stats().datagrams == before.datagrams + 1, "each datagram is counted");
    expect(dropped == (verdict.viewer == 0 ? 1U : 0U), "what is nobody's is counted once, by cause");
    expect(bytes == datagram, "a datagram is left as it was");
    if (verdict.viewer == 0) {
      expect(verdict.kind == Kind::dropped && !verdict.authenticated && !verdict.moved && verdict.response.empty() &&
                 verdict.displaced == 0,
             "nothing follows from what is nobody's");
      return;
    }
    expect(present_.contains(verdict.viewer), "a viewer that is there");
    Endpoint direct = verdict.from;
    direct.channel = 0;
    expect(direct == from, "from where it came");
    const bool inside = !verdict.payload.empty() && verdict.payload.data() >= datagram.data() &&
                        verdict.payload.data() + verdict.payload.size() <= datagram.data() + datagram.size();
    expect(inside, "the payload is in the datagram");
    const bool is_stun = stun::looks_like_stun(verdict.payload);
    if (is_stun) {
      check_stun(verdict);
    } else if (verdict.kind != Kind::up || verdict.payload[0] < 64) {
      expect(heard_.contains({verdict.viewer, verdict.from}), "somebody who was heard from there");
      expect(!verdict.authenticated && !verdict.moved && verdict.response.empty(), "only STUN proves something");
    } else {
      expect(verdict.from.channel == 0, "what goes up unwrapped has no channel");
    }
    if (const auto owner = dedicated_.find(from.socket); owner != dedicated_.end() && verdict.kind != Kind::up) {
      expect(owner->second == verdict.viewer || verdict.from.channel != 0, "a socket of one viewer");
    }
  }

  void check_stun(const Verdict& verdict) {
    const auto message = stun::parse(verdict.payload);
    expect(static_cast<bool>(message), "STUN that was taken parses");
    const Claim claim{verdict.viewer, verdict.from};
    if (message->message_class == stun::Class::request) {
      expect(stun::verify(verdict.payload, *message, kPasswords[verdict.viewer - 1]), "a request is authentic");
      expect(verdict.authenticated, "and told to be so");
      expect(verdict.response.empty() || message->controlling, "who controls is answered");
      heard_.insert(claim);
      if (message->use_candidate && message->controlling) nominated_.insert(claim);
    } else if (message->message_class != stun::Class::indication) {
      const auto asked = asked_.find(claim);
      std::uint32_t id = 0;
      for (std::size_t i = 0; i < 4; ++i) id = id << 8 | message->transaction_id[i];
      expect(asked != asked_.end() && asked->second.contains(id), "an answer to what was asked there");
      if (verdict.authenticated) {
        heard_.insert(claim);
        proved_.insert(claim);
      }
    }
    expect(!verdict.moved || demux_.destination(verdict.viewer) == verdict.from, "moved to where it came from");
    expect(verdict.displaced == 0 || !demux_.destination(verdict.displaced), "who is displaced is nowhere");
    expect(verdict.displaced != verdict.viewer, "nobody displaces itself");
  }

  void check_destinations() {
    std::array<std::optional<Endpoint>, kViewers> seen;
    for (ViewerId viewer = 1; viewer <= kViewers; ++viewer) {
      const auto destination = demux_.destination(viewer);
      if (!destination) continue;
      expect(present_.contains(viewer), "who is gone gets nothing");
      expect(proved_.contains({viewer, *destination}), "media goes where a check was answered");
      expect(nominated_.contains({viewer, *destination}), "and where the viewer wants it");
      expect(destination->port != 0, "to a port");
      for (const auto& other : seen) expect(other != destination, "no two viewers at one place");
      seen[viewer - 1] = destination;
    }
  }

  Input input_;
  ice::Demultiplexer demux_;
  std::int64_t now_us_ = 0;
  std::set<ViewerId> present_;
  std::set<Claim> heard_;
  std::set<Claim> proved_;
  std::set<Claim> nominated_;
  std::map<Claim, std::set<std::uint32_t>> asked_;
  std::map<std::uint16_t, ViewerId> dedicated_;
};

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::Room(mediacore::fuzz::Input({data, size})).run();
  return 0;
}
