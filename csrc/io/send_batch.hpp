// Packets for many places, sent with as few system calls as the kernel allows.
//
// What it does: gathers packets, each socket's in one block; packets that follow each other to one place and have one size
//   (the last may be shorter) become one UDP GSO message (at most 64 segments and 65 000 bytes); all messages of a socket
//   leave in one sendmmsg (1024 at most). A packet for a channel is written as ChannelData (RFC 8656 12.4), not padded.
// Policy when the kernel refuses: an error of one message costs that message and no other. EAGAIN keeps the rest, up to
//   kMaxKeptBytes, until the socket is writable (`flush` again); the newest beyond that is dropped. EINVAL, EIO or EMSGSIZE
//   on a GSO message: its packets go one by one; if they pass, that place gets no GSO any more (a narrow path, a device
//   without checksums), and a socket on which kGsoRefusals in a row were refused, none at all. What cannot be sent (no
//   port, another family, no such socket) is dropped before the kernel sees it. Everything dropped is counted by cause.
// Sockets may come and go: a relay wants a socket of its own.
// Memory: a block for each socket that was sent to, which grows to kBlockBytes and is used again; no allocation per packet
//   after warm-up. A full block is flushed by `reserve`.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/egress/viewer_egress.hpp"
#include "core/ice/endpoint.hpp"

struct mmsghdr;

namespace mediacore::io {

inline constexpr std::size_t kMaxGsoSegments = 64;   // UDP_MAX_SEGMENTS of kernels before 6.9
inline constexpr std::size_t kMaxGsoBytes = 65'000;  // an IP packet has 65 535
// A block: what many viewers get in one wake-up, and still at home in a cache. 16 full GSO messages.
inline constexpr std::size_t kBlockBytes = 1 << 20;
// Beside a full socket buffer of 4 MB, this is a quarter of a second at 16 Mb/s: more would be too late anyway.
inline constexpr std::size_t kMaxKeptBytes = 512 << 10;
inline constexpr std::size_t kMaxPacketBytes = 4096;
inline constexpr std::size_t kGsoRefusals = 8;

struct SendStats {
  std::uint64_t calls = 0;     // sendmmsg
  std::uint64_t messages = 0;  // handed to the kernel
  std::uint64_t packets = 0;   // handed to the kernel
  std::uint64_t bytes = 0;
  std::uint64_t dropped_full = 0;    // packets: socket buffer or device queue full for too long
  std::uint64_t dropped_error = 0;   // packets: refused by the kernel, or nowhere to go
  std::uint64_t dropped_closed = 0;  // packets: kept for a socket that was removed
  std::uint64_t gso_refused = 0;     // messages
};

class SendBatch final : public egress::PacketSink {
 public:
  // sendmmsg, as the C library has it.
  using SendMessages = std::function<int(int descriptor, mmsghdr* messages, unsigned count, int flags)>;

  // `sockets`: descriptors by the index that endpoints name. `gso`: whether to try.
  explicit SendBatch(std::vector<int> sockets, bool gso = true);
  // With another system call in its place, for errors that no test can provoke.
  SendBatch(std::vector<int> sockets, bool gso, SendMessages send_messages);
  ~SendBatch();
  SendBatch(const SendBatch&) = delete;
  SendBatch& operator=(const SendBatch&) = delete;

  // The descriptor stays the caller's, and must stay open until the socket is removed. An index in use gets the new one.
  void add_socket(std::uint16_t index, int descriptor);
  // What is gathered or kept for it is dropped.
  void remove_socket(std::uint16_t index);

  // Packets that follow go there. Not between reserve and commit.
  void to(const ice::Endpoint& destination);
  // At most kMaxPacketBytes (std::length_error). Valid until the next call of anything here.
  std::uint8_t* reserve(std::size_t capacity) override;
  // At most what was reserved; 0: nothing.
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
