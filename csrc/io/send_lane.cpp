#include "io/send_lane.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace mediacore::io {

namespace {

constexpr std::size_t kFirstBlockBytes = 16 << 10;  // some packets: enough for a relay's socket

bool is_ipv4_socket(int descriptor) noexcept {
  SocketAddress address{};
  socklen_t size = sizeof address;
  return getsockname(descriptor, &address.any, &size) == 0 && address.any.sa_family == AF_INET;
}

// What a kernel, or a device without checksums, says to a GSO message that it does not want.
bool may_be_about_gso(int error) noexcept {
  return error == EINVAL || error == EIO || error == EMSGSIZE;
}

bool is_full(int error) noexcept {
  return error == ENOBUFS || error == ENOMEM;
}

}  // namespace

std::size_t Envelopes::fill(std::span<const OutMessage> messages, std::uint8_t* block) {
  const std::size_t count = std::min(messages.size(), kMost);
  if (headers_.size() < count) {
    headers_.resize(count);
    pieces_.resize(count);
    addresses_.resize(count);
    controls_.resize(count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const OutMessage& message = messages[i];
    pieces_[i] = {block + message.offset, message.size};
    msghdr& header = headers_[i].msg_hdr;
    header = {};
    header.msg_name = &addresses_[i];
    header.msg_namelen = to_socket_address(message.to, addresses_[i]);
    header.msg_iov = &pieces_[i];
    header.msg_iovlen = 1;
    if (message.packets == 1) continue;
    header.msg_control = controls_[i].bytes.data();
    header.msg_controllen = controls_[i].bytes.size();
    cmsghdr* const control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof message.segment);
    std::memcpy(CMSG_DATA(control), &message.segment, sizeof message.segment);
  }
  return count;
}

SendLane::SendLane(int descriptor, bool gso)
    : descriptor_(descriptor), is_ipv4_(is_ipv4_socket(descriptor)), gso_(gso) {}

std::uint64_t SendLane::packets() const noexcept {
  std::uint64_t sum = 0;
  for (const OutMessage& message : messages_) sum += message.packets;
  return sum;
}

std::uint8_t* SendLane::next(std::size_t bytes) {
  if (used_ + bytes > capacity_) {
    const std::size_t capacity = std::max(kFirstBlockBytes, std::bit_ceil(used_ + bytes));
    auto block = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
    if (used_ > 0) std::memcpy(block.get(), block_.get(), used_);
    block_ = std::move(block);
    capacity_ = capacity;
  }
  return block_.get() + used_;
}

void SendLane::append(const ice::Endpoint& to, std::size_t size) {
  OutMessage* const last = messages_.empty() ? nullptr : &messages_.back();
  const auto bytes = static_cast<std::uint32_t>(size);
  if (last != nullptr && !last->closed && !last->split && last->to == to && size <= last->segment &&
      last->packets < kMaxGsoSegments && last->size + size <= kMaxGsoBytes && may_use_gso(to)) {
    last->size += bytes;
    ++last->packets;
    last->closed = size < last->segment;
  } else {
    messages_.push_back({to, static_cast<std::uint32_t>(used_), bytes, static_cast<std::uint16_t>(size)});
  }
  used_ += size;
}

bool SendLane::may_use_gso(const ice::Endpoint& to) const noexcept {
  const auto known = without_gso_.begin() + static_cast<std::ptrdiff_t>(std::min(refusals_, without_gso_.size()));
  return gso_ && std::find(without_gso_.begin(), known, to) == known;
}

void SendLane::note_gso_refused(const ice::Endpoint& to) noexcept {
  without_gso_[refusals_++ % without_gso_.size()] = to;
  if (++refusals_in_a_row_ >= kGsoRefusals) gso_ = false;
}

void SendLane::note_sent(std::span<const OutMessage> sent, SendStats& stats) noexcept {
  for (const OutMessage& message : sent) {
    ++stats.messages;
    stats.packets += message.packets;
    stats.bytes += message.size;
    if (message.packets > 1) refusals_in_a_row_ = 0;
    // It was GSO then, and not the place, that was refused.
    if (message.split && may_use_gso(message.to)) note_gso_refused(message.to);
  }
}

std::size_t SendLane::drop(std::size_t index, int error, SendStats& stats) noexcept {
  std::uint64_t& count = is_full(error) ? stats.dropped_full : stats.dropped_error;
  const OutMessage& refused = messages_[index];
  count += refused.packets;
  ++index;
  // Nothing of a GSO message passes: it is the place. Its other packets need not ask again.
  for (; refused.split && index < messages_.size() && messages_[index].split && messages_[index].to == refused.to;
       ++index) {
    ++count;
  }
  return index;
}

void SendLane::split(std::size_t index) {
  const OutMessage whole = messages_[index];
  std::vector<OutMessage> parts;
  for (std::uint32_t at = 0; at < whole.size; at += whole.segment) {
    const std::uint32_t size = std::min<std::uint32_t>(whole.segment, whole.size - at);
    parts.push_back({whole.to, whole.offset + at, size, static_cast<std::uint16_t>(size), 1, true, true});
  }
  const auto at = messages_.begin() + static_cast<std::ptrdiff_t>(index);
  messages_.insert(messages_.erase(at), parts.begin(), parts.end());
}

void SendLane::keep_from(std::size_t index, SendStats& stats) {
  messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(index));
  const std::uint32_t gone = messages_.front().offset;
  if (gone > 0) {
    used_ -= gone;
    std::memmove(block_.get(), block_.get() + gone, used_);
    for (OutMessage& message : messages_) message.offset -= gone;
  }
  while (used_ > kMaxKeptBytes) {
    stats.dropped_full += messages_.back().packets;
    used_ = messages_.back().offset;
    messages_.pop_back();
  }
}

bool SendLane::send(const SendBatch::SendMessages& send_messages, Envelopes& envelopes, SendStats& stats) {
  blocked_ = false;
  std::size_t next = 0;
  while (next < messages_.size()) {
    const std::size_t begin = next;
    const std::size_t end = begin + envelopes.fill(std::span(messages_).subspan(begin), block_.get());
    bool stale = false;
    while (next < end && !stale) {
      ++stats.calls;
      const int sent =
          send_messages(descriptor_, envelopes.at(next - begin), static_cast<unsigned>(end - next), MSG_DONTWAIT);
      const int error = errno;
      if (sent > 0) {
        note_sent(std::span(messages_).subspan(next, static_cast<std::size_t>(sent)), stats);
        next += static_cast<std::size_t>(sent);
      } else if (sent < 0 && (error == EAGAIN || error == EWOULDBLOCK)) {
        blocked_ = true;
        keep_from(next, stats);
        return false;
      } else if (sent < 0 && messages_[next].packets > 1 && may_be_about_gso(error)) {
        ++stats.gso_refused;
        split(next);
        stale = true;
      } else if (sent == 0 || error != EINTR) {
        next = drop(next, error, stats);
      }
    }
  }
  messages_.clear();
  used_ = 0;
  return true;
}

}  // namespace mediacore::io
