// One viewer on the loop's thread: its way out once it has keys, where that leads, and when it was last heard.
//
// Key frames: a viewer's wish is granted at most once per kWishIntervalUs; one that comes sooner is kept until then, and
//   forgotten when a key frame came meanwhile. Cached pictures are replayed to one viewer at most once per
//   kReplayIntervalUs (a new rendition aside): who loses them again needs a new key frame.
// Threads: one owner; the figures may be read by all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/egress/allowance.hpp"
#include "core/egress/viewer_egress.hpp"
#include "core/ice/endpoint.hpp"
#include "io/figures.hpp"
#include "io/send_batch.hpp"
#include "io/unit.hpp"

namespace mediacore::io {

class Viewer {
 public:
  static constexpr std::int64_t kWishIntervalUs = 300'000;  // as browsers repeat a PLI
  static constexpr std::int64_t kReplayIntervalUs = 2'000'000;
  static constexpr std::int64_t kSilenceAgainUs = 500'000;
  // STUN and DTLS for Python, each of which costs it 0.1 ms: touches at 240 Hz, each acknowledged, are half of that.
  static constexpr std::uint32_t kMostUpPerSecond = 1000;

  struct Settings {
    Id id;
    std::int64_t quiet_us;   // 0: not watched
    std::int64_t silent_us;  // 0: not watched
  };

  Viewer(const Settings& settings, std::shared_ptr<ViewerShared> shared);

  Id id() const noexcept { return settings_.id; }
  const std::shared_ptr<ViewerShared>& shared() const noexcept { return shared_; }

  // Once: the same keys and numbers a second time would be the same nonces.
  void start(const egress::EgressConfig& config, egress::Now now);
  bool started() const noexcept { return started_; }
  bool has_keys() const noexcept { return egress_ != nullptr; }
  // Media can flow.
  bool live() const noexcept { return egress_ != nullptr && destination_.known; }
  void set_destination(const std::optional<ice::Endpoint>& destination) noexcept;
  void set_pacing(const egress::Pacing& pacing) noexcept;
  void set_rate(std::uint64_t bps) noexcept;

  void send(const egress::FrameRef& frame, egress::Now now);
  void send_audio(const egress::FrameRef& packet, egress::Now now);
  void replay(std::span<const egress::FrameRef> frames, egress::Now now);
  void wait_for_key(egress::Now now);
  bool waits_for_key() const noexcept { return egress_ && egress_->waits_for_key(); }
  // How long what waits for it will take, as of the last poll.
  std::int64_t queue_us() const noexcept;

  // An SRTCP datagram that arrived at `arrived_us`; opened in place.
  egress::Received receive(std::span<std::uint8_t> datagram, std::int64_t arrived_us, egress::Now now);
  // Whether one more datagram is for Python.
  bool may_go_up(std::int64_t now_us) noexcept { return up_.take(now_us); }
  // An authenticated message came.
  void heard(std::int64_t now_us) noexcept;

  // Writes what may leave now.
  void poll(egress::Now now, SendBatch& out);
  void write_bye(egress::Now now, SendBatch& out);
  // To be called when what `poll` wrote was handed to the kernel.
  void handed_over(std::int64_t now_us) noexcept;
  std::optional<std::int64_t> deadline_us() const noexcept { return deadline_us_; }

  // True if a wish for a key frame is to be granted now.
  bool wish(std::int64_t now_us) noexcept;
  // The same for one that was kept.
  bool kept_wish(std::int64_t now_us) noexcept;
  // The queue was given up: as if the viewer had asked.
  bool fell_behind() noexcept { return egress_ && egress_->take_key_frame_wish(); }
  bool may_replay(std::int64_t now_us) const noexcept;

  // How long it has been silent, if that is to be told now.
  std::optional<std::int64_t> silence(std::int64_t now_us) noexcept;

  void publish() noexcept;

  // Its state cannot be kept: nothing more is sent.
  void stop() noexcept;

  // What it watches; 0: nothing.
  Id video = 0;
  Id audio = 0;
  // The channels of its TURN servers, and the peers they lead to.
  struct Channel {
    ice::Endpoint server;  // with the channel
    ice::Endpoint peer;
  };
  std::vector<Channel> channels;
  std::vector<std::uint16_t> relay_sockets;

  bool begun = false;  // attached, and live since
  bool ready = false;  // in the thread's list of those to be polled
  bool paced = false;  // in its list of those with a deadline

 private:
  // A video frame in the egress's queue.
  struct Queued {
    std::int64_t received_us;
    std::int64_t complete_us;  // 0: from the cache, nothing to be measured
  };

  void forget_dropped() noexcept;

  Settings settings_;
  std::shared_ptr<ViewerShared> shared_;
  std::unique_ptr<egress::ViewerEgress> egress_;  // null: no keys
  Destination destination_;
  std::optional<std::int64_t> deadline_us_;
  std::deque<Queued> queued_;
  std::vector<Queued> sent_;  // by this wake-up's poll
  egress::Allowance up_{kMostUpPerSecond};
  std::optional<std::int64_t> nack_us_;
  std::uint64_t frames_ = 0;
  std::uint64_t retransmitted_ = 0;
  std::optional<std::int64_t> wish_us_;
  std::optional<std::int64_t> replay_us_;
  std::int64_t heard_us_ = -1;
  std::int64_t watched_since_us_ = -1;
  std::int64_t tell_silence_us_ = 0;
  std::uint64_t replays_ = 0;
  bool resent_ = false;  // by this wake-up's poll
  bool wish_kept_ = false;
  bool started_ = false;
  bool silence_told_ = false;
};

}  // namespace mediacore::io
