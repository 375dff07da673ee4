// Where packets are written: room for a packet, then its final size.
//
// Policy: a packet that is not committed is not sent. A sink without room says nullptr; the packet then waits and is tried
//   again soon.
// Memory: the sink's; valid until the next call.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::egress {

class PacketSink {
 public:
  virtual std::uint8_t* reserve(std::size_t capacity) = 0;
  virtual void commit(std::size_t size) = 0;

 protected:
  ~PacketSink() = default;
};

}  // namespace mediacore::egress
