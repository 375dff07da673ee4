#include "io/event_queue.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace mediacore::io {
namespace {

// How often an event of this kind and object may be in the queue; 0: without a limit of ours, as it happens once.
struct Key {
  Id id = 0;
  std::size_t limit = 0;
};

struct KeyOf {
  Key operator()(const Description& event) const noexcept { return {event.rendition, EventQueue::kDescriptions}; }
  Key operator()(const KeyFrameWanted& event) const noexcept { return {event.rendition, 1}; }
  Key operator()(const SourceDamaged& event) const noexcept { return {event.source, 1}; }
  Key operator()(const DestinationMoved& event) const noexcept { return {event.viewer, 1}; }
  Key operator()(const ViewerSilent& event) const noexcept { return {event.viewer, 1}; }
  Key operator()(const ViewerBye& event) const noexcept { return {event.viewer, 1}; }
  Key operator()(const TapReady& event) const noexcept { return {event.tap, 1}; }
  template <class Other>
  Key operator()(const Other&) const noexcept {
    return {};
  }
};

constexpr unsigned kKindBits = 4;
static_assert(std::variant_size_v<Event> <= 1U << kKindBits);

void raise_signal(int descriptor) noexcept {
  // It can fail only when the counter is full, and then the reader has a reason to wake up already.
  static_cast<void>(eventfd_write(descriptor, 1));
}

}  // namespace

EventQueue::EventQueue() : signal_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!signal_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void EventQueue::append(Event event) {
  events_.push_back(std::move(event));
  if (events_.size() == 1) raise_signal(signal_.get());
}

void EventQueue::post(Event event) {
  const Key key = std::visit(KeyOf{}, event);
  const std::scoped_lock lock(mutex_);
  if (key.limit == 0) {
    append(std::move(event));
    return;
  }
  Pending& pending = pending_[key.id << kKindBits | event.index()];
  if (pending.count == key.limit) {
    events_[pending.last] = std::move(event);
    return;
  }
  append(std::move(event));
  ++pending.count;
  pending.last = events_.size() - 1;
}

bool EventQueue::post_datagram(DatagramUp datagram) {
  // Counted under the lock; atomic for those who read the figures.
  ViewerShared& viewer = *datagram.shared;
  const std::scoped_lock lock(mutex_);
  if (datagrams_ >= kDatagrams || viewer.datagrams_queued.load(std::memory_order_relaxed) >= kDatagramsPerViewer) {
    count_drop(viewer);
    return false;
  }
  append(std::move(datagram));
  ++datagrams_;
  viewer.datagrams_queued.fetch_add(1, std::memory_order_relaxed);
  viewer.datagrams_up.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void EventQueue::count_drop(ViewerShared& viewer) noexcept {
  viewer.quota_drops.fetch_add(1, std::memory_order_relaxed);
  ++quota_drops_;
}

void EventQueue::drop_datagram(ViewerShared& viewer) {
  const std::scoped_lock lock(mutex_);
  count_drop(viewer);
}

std::vector<Event> EventQueue::take() {
  eventfd_t count = 0;
  static_cast<void>(eventfd_read(signal_.get(), &count));  // before the swap: see the header
  std::vector<Event> taken;
  const std::scoped_lock lock(mutex_);
  taken.swap(events_);
  pending_.clear();
  datagrams_ = 0;
  for (const Event& event : taken) {
    if (const auto* datagram = std::get_if<DatagramUp>(&event)) {
      datagram->shared->datagrams_queued.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  return taken;
}

EventQueue::Figures EventQueue::figures() const {
  const std::scoped_lock lock(mutex_);
  return {.events = events_.size(), .datagrams = datagrams_, .quota_drops = quota_drops_};
}

}  // namespace mediacore::io
