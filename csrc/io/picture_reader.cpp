#include "io/picture_reader.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "io/clock.hpp"
#include "io/signal_mask.hpp"

namespace mediacore::io {
namespace {

using picture::Damage;
using picture::Fault;
using picture::Framed;
using picture::PooledPicture;

constexpr std::size_t kMostHead = 512;  // told of what was no picture: a message or two

// Anything else would block in `poll`, and there would be no way to shut it down.
void check_stream_socket(int socket) {
  int type = 0;
  socklen_t bytes = sizeof type;
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0) {
    throw std::system_error(errno, std::generic_category(), "SO_TYPE");
  }
  if (type != SOCK_STREAM) throw std::system_error(EPROTOTYPE, std::generic_category(), "SO_TYPE");
}

std::uint64_t packed(picture::Size size) noexcept {
  return (std::uint64_t{size.width} << 32) | size.height;
}

picture::Size unpacked(std::uint64_t size) noexcept {
  return {static_cast<std::uint32_t>(size >> 32), static_cast<std::uint32_t>(size)};
}

PicturesEnded ended(PicturesEnded::Reason reason, int error_number, std::span<const std::uint8_t> rest) {
  const auto head = rest.first(std::min(rest.size(), kMostHead));
  return {reason, error_number, {head.begin(), head.end()}};
}

std::string detail_of(const Fault& fault, const Framed& framed) {
  std::string detail(fault.what);
  if (fault.error) {
    if (fault.error->chunk != picture::kNoChunk) {
      detail += " (chunk " + std::string(fault.error->chunk.data(), fault.error->chunk.size()) + ")";
    }
    detail += ", at byte " + std::to_string(fault.error->byte_offset) + " of " + std::to_string(framed.data.size()) +
              " (" + std::string(word_of(framed.form)) + ")";
  }
  if (fault.damage == Damage::no_picture && !framed.data.empty()) {
    detail += ": " + std::string(framed.data.begin(), framed.data.end());
  }
  return detail;
}

}  // namespace

PictureReader::PictureReader(Descriptor socket, Framing framing, std::shared_ptr<memory::FramePool> pool,
                             Settings settings)
    : reports_(settings.capacity), largest_(packed(settings.largest)), socket_(std::move(socket)) {
  check_stream_socket(socket_.get());
  Work work{std::move(framing), picture::PooledScreen(std::move(pool), settings.matrix, stop_.get_token())};
  const SignalMask masked;
  thread_ = std::thread([this, work = std::move(work)]() mutable { run(std::move(work)); });
}

bool PictureReader::request() noexcept {
  const std::lock_guard lock(socket_mutex_);
  return socket_ && ::send(socket_.get(), "\n", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

void PictureReader::set_largest(picture::Size size) noexcept {
  // Relaxed: nothing else goes with it.
  largest_.store(packed(size), std::memory_order_relaxed);
}

void PictureReader::close() noexcept {
  const std::lock_guard lock(close_mutex_);
  if (!thread_.joinable()) return;
  stop_.request_stop();
  reports_.close();
  static_cast<void>(::shutdown(socket_.get(), SHUT_RDWR));
  thread_.join();
  const std::lock_guard socket_lock(socket_mutex_);
  socket_.close();
}

void PictureReader::run(Work work) noexcept {
  PicturesEnded end{};
  try {
    end = read(work);
  } catch (const std::bad_alloc&) {
    end = {PicturesEnded::Reason::failed, ENOMEM, {}};
  }
  reports_.push(std::move(end));
}

PicturesEnded PictureReader::read(Work& work) {
  return std::visit([&](auto& framing) { return read(work, framing); }, work.framing);
}

template <class AnyFraming>
PicturesEnded PictureReader::read(Work& work, AnyFraming& framing) {
  bool may_have_more = false;
  while (!is_closed()) {
    const std::span<std::uint8_t> room = framing.room();
    if (!may_have_more && !wait_for_bytes()) continue;
    const ssize_t got = ::recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT);
    may_have_more = got == static_cast<ssize_t>(room.size());
    if (got < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) continue;
      const int error_number = errno;
      tell_cut_short(framing);
      return ended(PicturesEnded::Reason::failed, error_number, framing.rest());
    }
    if (got == 0) break;
    const std::int64_t now_us = monotonic_us();
    quick_ack();
    if (framing.is_fresh()) work.first_byte_us = now_us;
    framing.took(static_cast<std::size_t>(got));
    // Not all that came: it may be many pictures.
    while (!is_closed()) {
      const auto framed = framing.next();
      if (!framed) break;
      tell(work, *framed, now_us);
      work.first_byte_us = now_us;
    }
    if (framing.is_broken()) return ended(PicturesEnded::Reason::damaged, 0, with_what_follows(framing.rest()));
  }
  tell_cut_short(framing);
  return ended(PicturesEnded::Reason::closed, 0, framing.rest());
}

void PictureReader::tell(Work& work, const Framed& framed, std::int64_t complete_us) {
  const picture::Size largest = unpacked(largest_.load(std::memory_order_relaxed));
  auto decoded = work.screen.decode(framed, largest, work.first_byte_us);
  if (auto* const fault = std::get_if<Fault>(&decoded)) {
    reports_.push({fault->damage, detail_of(*fault, framed)}, framed.wire_bytes, framed.skipped_bytes);
    return;
  }
  reports_.push(Shot{std::move(*std::get_if<PooledPicture>(&decoded)), framed.form, work.first_byte_us, complete_us,
                     monotonic_us(), framed.wire_bytes},
                framed.skipped_bytes);
}

template <class AnyFraming>
void PictureReader::tell_cut_short(const AnyFraming& framing) {
  if (is_closed() || !framing.has_begun()) return;
  reports_.push({Damage::truncated, "the connection ended inside the picture"}, framing.pending_bytes(), 0);
}

std::vector<std::uint8_t> PictureReader::with_what_follows(std::span<const std::uint8_t> rest) const {
  std::vector<std::uint8_t> head(rest.begin(), rest.end());
  if (head.size() >= kMostHead) return head;
  const std::size_t had = head.size();
  head.resize(kMostHead);
  const ssize_t got = ::recv(socket_.get(), head.data() + had, head.size() - had, MSG_DONTWAIT);
  head.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return head;
}

void PictureReader::quick_ack() noexcept {
  if (!quick_ack_) return;
  const int on = 1;
  // A socket that is no TCP socket has no such option: it is not asked again.
  quick_ack_ = setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on) == 0;
}

bool PictureReader::wait_for_bytes() const noexcept {
  pollfd polled{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  // Without a deadline: `close` ends it, as it shuts the socket down.
  return ::poll(&polled, 1, -1) > 0;
}

}  // namespace mediacore::io
