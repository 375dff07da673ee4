// The pictures of one screen, decoded into the slots of a frame pool, one after the other.
//
// Guarantees: a picture that shows what the one before shows has that one's slot. One that cannot be decoded, or that there is
//   no slot for, leaves the one before as the last one. Larger pictures than wanted become smaller and keep their shape.
// Memory: a lease of the last picture, which the next one is compared with: one slot more than the readers want, and one in
//   work. Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>
#include <variant>

#include "core/memory/frame_pool.hpp"
#include "core/picture/dirty_rows.hpp"
#include "core/picture/framed_picture.hpp"
#include "core/picture/i420.hpp"
#include "core/picture/screen_decoder.hpp"

namespace mediacore::picture {

enum class Damage : std::uint8_t {
  truncated,
  corrupt,
  oversize,        // for the limits, or for a slot
  no_picture,      // words, or nothing
  pool_exhausted,  // no slot is free
};
inline constexpr std::size_t kDamages = 5;

// Of a damaged picture.
struct Fault {
  Damage damage;
  std::optional<Error> error;
  std::string_view what;
};

struct PooledPicture {
  memory::SharedLease lease;
  I420Layout layout{Size{}};
  std::optional<RowRange> dirty;  // nothing if there is no picture before it
};

// The size of a picture that has to fit into `largest`, either way up; even where it is made smaller. An empty one is no
// bound.
Size fitted(Size picture, Size largest) noexcept;

class PooledScreen {
 public:
  // For `stop` see JpegDecoder.
  PooledScreen(std::shared_ptr<memory::FramePool> pool, Matrix matrix, std::stop_token stop = {})
      : pool_(std::move(pool)), matrix_(matrix), decoder_(std::move(stop)) {}

  std::variant<PooledPicture, Fault> decode(const Framed& framed, Size largest, std::int64_t pts_us);

 private:
  std::optional<Fault> fill(memory::Lease& slot, I420Layout layout, std::int64_t pts_us);
  std::optional<RowRange> compare(const memory::Lease& slot, const I420Layout& layout) const;
  PooledPicture last_again(std::optional<RowRange> dirty) const;

  std::shared_ptr<memory::FramePool> pool_;
  Matrix matrix_;
  ScreenDecoder decoder_;
  Size largest_;
  memory::Lease last_;
  I420Layout last_layout_{Size{}};
};

}  // namespace mediacore::picture
