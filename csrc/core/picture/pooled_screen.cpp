#include "core/picture/pooled_screen.hpp"

#include <algorithm>
#include <utility>

#include "core/picture/limits.hpp"

namespace mediacore::picture {
namespace {

Damage damage_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::truncated: return Damage::truncated;
    case ErrorKind::too_large: return Damage::oversize;
    default: return Damage::corrupt;
  }
}

Fault fault_of(const Error& error) noexcept {
  return {damage_of(error.kind), error, error.what};
}

std::uint32_t shrunk(std::uint32_t length, std::uint64_t to, std::uint64_t from) noexcept {
  const auto least = static_cast<std::uint32_t>((std::uint64_t{length} + kMaxReduction - 1) / kMaxReduction);
  const auto even = static_cast<std::uint32_t>(length * to / from) / 2 * 2;
  return std::min(length, std::max({even, least, std::uint32_t{1}}));
}

}  // namespace

Size fitted(Size picture, Size largest) noexcept {
  if (largest.width == 0 || largest.height == 0) return picture;
  if ((picture.width > picture.height) != (largest.width > largest.height)) std::swap(largest.width, largest.height);
  if (picture.width <= largest.width && picture.height <= largest.height) return picture;
  const std::uint64_t across = std::uint64_t{largest.width} * picture.height;
  const std::uint64_t down = std::uint64_t{largest.height} * picture.width;
  const bool by_width = across <= down;
  const std::uint32_t to = by_width ? largest.width : largest.height;
  const std::uint32_t from = by_width ? picture.width : picture.height;
  return {shrunk(picture.width, to, from), shrunk(picture.height, to, from)};
}

std::variant<PooledPicture, Fault> PooledScreen::decode(const Framed& framed, Size largest, std::int64_t pts_us) {
  if (framed.fate == Framed::Fate::no_picture) return Fault{Damage::no_picture, std::nullopt, "there is no picture"};
  if (framed.fate == Framed::Fate::oversize) {
    return Fault{Damage::oversize, std::nullopt, "there are more bytes than a picture may have"};
  }
  if (largest != largest_) {
    // What is remembered of the last picture's bytes says nothing of the size that it would have now.
    decoder_.forget();
    largest_ = largest;
  }
  const auto opened = framed.pixels ? decoder_.open(*framed.pixels) : decoder_.open(framed.form, framed.data);
  if (!opened) return fault_of(opened.error());
  if (opened->unchanged) return last_again(RowRange{});
  const I420Layout layout(fitted(opened->size, largest));
  memory::Lease slot;
  if (auto fault = fill(slot, layout, pts_us)) {
    decoder_.drop();
    return *fault;
  }
  const std::optional<RowRange> dirty = compare(slot, layout);
  if (dirty != RowRange{}) {
    last_ = std::move(slot);
    last_layout_ = layout;
  }
  return last_again(dirty);
}

std::optional<Fault> PooledScreen::fill(memory::Lease& slot, I420Layout layout, std::int64_t pts_us) {
  if (layout.bytes() > pool_->slot_bytes()) {
    return Fault{Damage::oversize, std::nullopt, "the picture is larger than a slot of the pool"};
  }
  slot = pool_->acquire();
  if (!slot) return Fault{Damage::pool_exhausted, std::nullopt, "no slot of the pool is free"};
  slot.info() = {layout.size.width, layout.size.height, static_cast<std::uint32_t>(layout.stride),
                 matrix_ == Matrix::bt601, pts_us};
  if (auto error = decoder_.decode(matrix_, layout.planes(slot.data().data()))) return fault_of(*error);
  return std::nullopt;
}

std::optional<RowRange> PooledScreen::compare(const memory::Lease& slot, const I420Layout& layout) const {
  if (!last_) return std::nullopt;
  if (last_layout_.size != layout.size) return RowRange{0, layout.size.height};
  return dirty_rows(last_layout_.planes(last_.data().data()), layout.planes(slot.data().data()));
}

PooledPicture PooledScreen::last_again(std::optional<RowRange> dirty) const {
  return {memory::SharedLease(pool_, last_.share()), last_layout_, dirty};
}

}  // namespace mediacore::picture
