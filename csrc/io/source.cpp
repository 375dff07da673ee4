#include "io/source.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/arrival.hpp"
#include "io/clock.hpp"

namespace mediacore::io {

// The parser's sinks do not throw: what fails here (memory) is raised after the push.
struct Source::Collector {
  Source& source;
  std::vector<SourceUnit>& out;
  std::exception_ptr failure;

  void operator()(const h264::AccessUnitView& view) noexcept {
    try {
      out.push_back(source.unit_of(view));
    } catch (...) {
      failure = std::current_exception();
    }
  }
};

Source::Source(const Settings& settings, Descriptor socket, std::shared_ptr<SourceShared> shared)
    : settings_(settings), socket_(std::move(socket)), shared_(std::move(shared)) {
  const int flags = fcntl(socket_.get(), F_GETFL);
  if (flags < 0 || fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    error_ = errno;
    ended_ = true;
  }
  stamp_arrivals(socket_.get());
}

SourceUnit Source::unit_of(const h264::AccessUnitView& view) {
  SourceUnit whole{.unit = recycler_.take(view.data.size()), .sps = view.sps};
  Unit& unit = *whole.unit;
  sets_.observe(view.data, view.nal_offsets);
  if (!view.is_random_access || !sets_.complete(view.data, view.nal_offsets, unit.data)) {
    unit.data.assign(view.data.begin(), view.data.end());
  }
  unit.is_key = view.is_random_access;
  has_units_ = true;
  ++recent_units_;
  return whole;
}

void Source::quick_ack() noexcept {
  if (!quick_ack_) return;
  const int on = 1;
  // A socket that is no TCP socket has no such option: it is not asked again.
  quick_ack_ = setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on) == 0;
}

// True if there may be more to read now.
bool Source::read_once(std::span<std::uint8_t> buffer, bool held_back, std::vector<SourceUnit>& out) {
  ArrivalControl control{};
  iovec piece{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = &control;
  header.msg_controllen = sizeof control;
  const ssize_t count = recvmsg(socket_.get(), &header, 0);
  if (count < 0) {
    if (errno == EINTR) return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    error_ = errno;
  }
  if (count <= 0) {
    ended_ = true;
    deadline_us_.reset();
    return false;
  }
  quick_ack();
  const auto size = static_cast<std::size_t>(count);
  // In this order: a thread that is held up in between takes the bytes for younger than they are, and flushes later.
  const std::uint64_t realtime = realtime_ns();
  const std::int64_t arrived_us = arrival_us(header, monotonic_us(), realtime, kOldestArrivalUs);
  received(buffer.first(size), std::max(arrived_us, emptied_us_), held_back, out);
  return size == buffer.size();
}

void Source::read(std::span<std::uint8_t> buffer, std::int64_t now_us, bool held_back, std::vector<SourceUnit>& out) {
  bool more = true;
  for (std::size_t i = 0; i < kReadsPerWakeup && more; ++i) more = read_once(buffer, held_back, out);
  if (!more) emptied_us_ = now_us;
}

void Source::received(std::span<const std::uint8_t> data, std::int64_t arrived_us, bool held_back,
                      std::vector<SourceUnit>& out) {
  figures_.bytes += data.size();
  if (head_.size() < kHeadBytes && !has_units_) {
    const std::size_t count = std::min(data.size(), kHeadBytes - head_.size());
    head_.insert(head_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
  }
  deadline_us_ = settings_.flush.observe(arrived_us, data, held_back ? emptied_us_ : arrived_us);
  const std::size_t before = out.size();
  Collector collect{*this, out, nullptr};
  // A limit that was passed shows in the parser's counts; all data is taken all the same.
  static_cast<void>(parser_.push(data, false, collect));
  // What is left in the parser began in this read if a unit was completed by it.
  const std::int64_t first_us = first_byte_us_.value_or(arrived_us);
  for (std::size_t i = before; i < out.size(); ++i) out[i].unit->received_us = i == before ? first_us : arrived_us;
  first_byte_us_ = out.size() > before ? arrived_us : first_us;
  if (collect.failure) std::rethrow_exception(collect.failure);
}

void Source::pause(std::span<std::uint8_t> buffer, std::int64_t now_us, std::vector<SourceUnit>& out) {
  if (!deadline_us_ || emptied_us_ < *deadline_us_) {
    // Bytes may have come while this thread was busy elsewhere: then it was not the link that paused.
    const std::uint64_t bytes = figures_.bytes;
    read(buffer, now_us, false, out);
    if (ended_ || figures_.bytes != bytes) return;
  }
  deadline_us_.reset();
  static_cast<void>(settings_.flush.observe(now_us, {}));
  const std::size_t before = out.size();
  Collector collect{*this, out, nullptr};
  parser_.flush(collect);
  if (out.size() > before) {
    settings_.flush.flushed(now_us);
    out.back().unit->received_us = first_byte_us_.value_or(now_us);
    first_byte_us_.reset();
  }
  if (collect.failure) std::rethrow_exception(collect.failure);
}

bool Source::take_damage() noexcept {
  const h264::ParserStats& stats = parser_.stats();
  const std::uint64_t damages = stats.cut_units + stats.corrupt + stats.oversize;
  return std::exchange(damages_, damages) != damages;
}

std::vector<std::uint8_t> Source::head() const {
  return has_units_ ? std::vector<std::uint8_t>() : head_;
}

void Source::count(Fate fate, bool is_key) noexcept {
  switch (fate) {
    case Fate::handed_on:
      ++figures_.units;
      if (is_key) ++figures_.key_frames;
      break;
    case Fate::before_key: ++figures_.before_key; break;
    case Fate::superseded: ++figures_.superseded; break;
  }
}

void Source::publish() noexcept {
  const h264::ParserStats& stats = parser_.stats();
  figures_.cut_units = stats.cut_units;
  figures_.corrupt = stats.corrupt;
  figures_.oversize = stats.oversize;
  figures_.dropped = stats.dropped;
  figures_.skipped_bytes = stats.skipped_bytes;
  figures_.wrong_flushes = settings_.flush.wrong_flushes();
  figures_.idle_us = settings_.flush.idle_us();
  figures_.ended = ended_;
  shared_->figures.write(figures_);
}

}  // namespace mediacore::io
