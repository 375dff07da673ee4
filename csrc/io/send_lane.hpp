// What one socket has to send: packets in a block, grouped into messages, and the sending of them.
//
// Guarantees, policy and limits: see send_batch.hpp; this is the part of it that one socket needs.
// Threads: one owner.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/ice/endpoint.hpp"
#include "io/send_batch.hpp"
#include "io/socket_address.hpp"

namespace mediacore::io {

// A datagram, or a train of them for GSO: bytes of the block.
struct OutMessage {
  ice::Endpoint to;
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint16_t segment = 0;  // bytes of the first packet
  std::uint16_t packets = 1;
  bool closed = false;  // the last packet was shorter: none may follow
  bool split = false;   // was a part of a GSO message that was refused
};

// The kernel's view of messages. One for all lanes, as only one is being sent.
class Envelopes {
 public:
  static constexpr std::size_t kMost = 1024;  // what the kernel takes in one call (UIO_MAXIOV)

  // Of the first messages, as many as fit. Returns how many.
  std::size_t fill(std::span<const OutMessage> messages, std::uint8_t* block);
  mmsghdr* at(std::size_t index) noexcept { return &headers_[index]; }

 private:
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
  };

  std::vector<mmsghdr> headers_;
  std::vector<iovec> pieces_;
  std::vector<SocketAddress> addresses_;
  std::vector<Control> controls_;
};

class SendLane {
 public:
  SendLane(int descriptor, bool gso);

  bool empty() const noexcept { return messages_.empty(); }
  bool blocked() const noexcept { return blocked_; }
  // Packets in the block.
  std::uint64_t packets() const noexcept;
  // False: the socket cannot send there.
  bool reaches(const ice::Endpoint& to) const noexcept { return to.port != 0 && to.is_ipv4() == is_ipv4_; }

  bool has_room(std::size_t bytes) const noexcept { return used_ + bytes <= kBlockBytes; }
  // The place of the next packet; there is room.
  std::uint8_t* next(std::size_t bytes);
  // The packet that stands there is to be sent.
  void append(const ice::Endpoint& to, std::size_t size);

  // True if nothing is left.
  bool send(const SendBatch::SendMessages& send_messages, Envelopes& envelopes, SendStats& stats);

 private:
  bool may_use_gso(const ice::Endpoint& to) const noexcept;
  void note_sent(std::span<const OutMessage> sent, SendStats& stats) noexcept;
  void note_gso_refused(const ice::Endpoint& to) noexcept;
  // The messages from this one on that an error of it costs. Returns the next one.
  std::size_t drop(std::size_t index, int error, SendStats& stats) noexcept;
  void split(std::size_t index);
  void keep_from(std::size_t index, SendStats& stats);

  int descriptor_;
  bool is_ipv4_;
  bool gso_;
  bool blocked_ = false;
  std::unique_ptr<std::uint8_t[]> block_;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::vector<OutMessage> messages_;
  std::array<ice::Endpoint, kGsoRefusals> without_gso_{};  // the newest
  std::size_t refusals_ = 0;
  std::size_t refusals_in_a_row_ = 0;
};

}  // namespace mediacore::io
