// Packets for many places, sent with as few system calls as the kernel allows.
//
// What it does: gathers packets; packets that follow each other to one place and have one size (the last may be shorter)
//   become one UDP GSO message (at most 64 segments and 65 000 bytes); all messages of a socket leave in one sendmmsg.
// Policy when the kernel refuses: an error of one message costs that message and no other. EAGAIN keeps the rest, up to
//   kMaxKeptBytes, until the socket is writable (`flush` again); more is dropped. EINVAL, EIO or EMSGSIZE on a
//   GSO message turns GSO off for that socket and sends the packets one by one. Everything dropped is counted.
// Memory: one block that is used again; no allocation per packet after warm-up.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/egress/viewer_egress.hpp"
#include "core/ice/endpoint.hpp"

namespace mediacore::io {

struct SendStats {
  std::uint64_t calls = 0;     // sendmmsg
  std::uint64_t messages = 0;
  std::uint64_t packets = 0;   // handed to the kernel
  std::uint64_t bytes = 0;
  std::uint64_t dropped_full = 0;   // packets: socket buffer full for too long
  std::uint64_t dropped_error = 0;  // packets: refused by the kernel
  std::uint64_t gso_refused = 0;
};

class SendBatch final : public egress::PacketSink {
 public:
  // `sockets`: descriptors by the index that endpoints name. `gso`: whether to try.
  explicit SendBatch(std::vector<int> sockets, bool gso = true);
  ~SendBatch();

  // Packets that follow go there.
  void to(const ice::Endpoint& destination);
  std::uint8_t* reserve(std::size_t capacity) override;
  void commit(std::size_t size) override;

  // Sends what is gathered. True if all of it left; otherwise `blocked` tells the sockets to wait for.
  bool flush();
  bool blocked(std::size_t socket) const noexcept;

  const SendStats& stats() const noexcept { return stats_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  SendStats stats_;
};

}  // namespace mediacore::io
