#include "core/picture/downscale.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace mediacore::picture {
namespace scale {
namespace {

void add(const TwoRows& rows, std::int16_t* sums) {
  for (std::size_t i = 0; i < rows.bytes; ++i) {
    const int before = rows.begins ? 0 : sums[i];
    sums[i] =
        static_cast<std::int16_t>(before + rows.first[i] * rows.first_weight + rows.second[i] * rows.second_weight);
  }
}

// Of one byte a pixel.
void finish_plane(const Mean& mean, std::uint8_t* to) {
  for (std::size_t x = 0; x < mean.width; ++x) {
    const std::int16_t* const columns = mean.sums + mean.first[x];
    const std::int16_t* weights = mean.weights + weights_at(x, 0, mean.pairs);
    std::int32_t sum = mean.offset;
    for (std::size_t k = 0; k < mean.pairs; ++k, weights += 2 * kPairWeights) {
      sum += columns[2 * k] * weights[0] + columns[2 * k + 1] * weights[1];
    }
    to[x] = static_cast<std::uint8_t>(std::clamp(sum >> mean.shift, 0, 255));
  }
}

template <std::size_t kPixel>
void finish(const Mean& mean, std::uint8_t* to) {
  for (std::size_t x = 0; x < mean.width; ++x, to += 4) {
    const std::int16_t* const columns = mean.sums + mean.first[x] * kPixel;
    for (std::size_t i = 0; i < 3; ++i) {
      std::int32_t sum = mean.offset;
      for (std::size_t k = 0; k < mean.pairs; ++k) {
        const std::int16_t* const weights = mean.weights + weights_at(x, k, mean.pairs);
        sum += columns[2 * k * kPixel + i] * weights[0] + columns[(2 * k + 1) * kPixel + i] * weights[1];
      }
      to[i] = static_cast<std::uint8_t>(std::clamp(sum >> mean.shift, 0, 255));
    }
    to[3] = 255;
  }
}

}  // namespace

const Kernels& scalar() noexcept {
  static constexpr Kernels kScalar{add, finish_plane, finish<3>, finish<4>};
  return kScalar;
}

const Kernels& fastest() noexcept {
#if defined(__x86_64__)
  if (has_avx2()) return avx2();
#endif
  return scalar();
}

}  // namespace scale

namespace {

// Of the columns of a pixel, before they are divided by the weights of its rows: products and their sum stay below 2^31.
constexpr unsigned kColumnBits = 14;

}  // namespace

void Downscale::begin(Size from, Size to, std::size_t pixel_bytes) {
  const bool is_same = from == from_ && to == to_;
  const std::uint32_t exact = from.height / std::gcd(from.height, to.height);
  whole_ = std::min(exact, scale::kMostWeight);
  from_ = from;
  to_ = to;
  pixel_bytes_ = pixel_bytes;
  filled_ = at_ = made_ = 0;
  waiting_ = nullptr;
  if (!is_same) set_columns();
  sums_.resize(from.width * pixel_bytes + scale::kSlack);
  for (auto& out : out_) out.resize(std::size_t{to.width} * 4);
}

void Downscale::set_columns() {
  // 2^shift / whole_ is 2^13 to 2^14.
  const unsigned shift = kColumnBits + static_cast<unsigned>(std::bit_width(whole_)) - 1;
  const std::uint32_t sum = ((1U << shift) + whole_ / 2) / whole_;
  // In units of which a column has `to` and a smaller one `from`.
  const std::uint64_t from = from_.width;
  const std::uint64_t to = to_.width;
  const auto covered = [&](std::uint64_t x) { return std::pair(x * from / to, ((x + 1) * from - 1) / to); };
  std::size_t most = 0;
  for (std::uint64_t x = 0; x < to; ++x) {
    const auto [first, last] = covered(x);
    most = std::max<std::size_t>(most, last - first + 1);
  }
  const std::size_t pairs = (most + 1) / 2;
  first_.resize(to);
  weights_.assign(scale::weights_at(to + 1, 0, pairs) + pairs * 2 * scale::kPairWeights, 0);
  for (std::uint64_t x = 0; x < to; ++x) {
    const auto [first, last] = covered(x);
    // The last pixels begin earlier, with weights of 0, so that none reaches far behind the last column.
    const std::uint64_t place = std::min<std::uint64_t>(first, from > 2 * pairs ? from - 2 * pairs : 0);
    first_[x] = static_cast<std::uint32_t>(place);
    std::uint64_t before = 0;
    for (std::uint64_t column = first; column <= last; ++column) {
      const std::uint64_t until = std::min<std::uint64_t>((column + 1) * to - x * from, from);
      const std::uint64_t weight = (until * sum + from / 2) / from;
      std::int16_t* const pair = weights_.data() + scale::weights_at(x, (column - place) / 2, pairs);
      for (std::size_t i = (column - place) % 2; i < scale::kPairWeights; i += 2) {
        pair[i] = static_cast<std::int16_t>(weight - before);
      }
      before = weight;
    }
  }
  mean_ = {nullptr, first_.data(), weights_.data(), pairs, to, std::int32_t{1} << (shift - 1), static_cast<int>(shift)};
}

std::uint32_t Downscale::weight_of(std::uint64_t row) const noexcept {
  const auto border = [this](std::uint64_t y) { return (y * to_.height * whole_ + from_.height / 2) / from_.height; };
  return static_cast<std::uint32_t>(border(row + 1) - border(row));
}

const std::uint8_t* Downscale::add(const std::uint8_t* before, const std::uint8_t* now, std::uint32_t& first,
                                   std::uint32_t& second) {
  const std::uint32_t of_first = std::min(first, whole_ - filled_);
  const std::uint32_t of_second = std::min(second, whole_ - filled_ - of_first);
  kernels_->add({before, now, static_cast<std::int8_t>(of_first), static_cast<std::int8_t>(of_second),
                 from_.width * pixel_bytes_, filled_ == 0},
                sums_.data());
  first -= of_first;
  second -= of_second;
  filled_ += of_first + of_second;
  if (filled_ < whole_) return nullptr;
  filled_ = 0;
  std::uint8_t* const out = out_[made_ % 2].data();
  ++made_;
  mean_.sums = sums_.data();
  const scale::Finish finish = pixel_bytes_ == 1   ? kernels_->finish_1
                               : pixel_bytes_ == 3 ? kernels_->finish_3
                                                   : kernels_->finish_4;
  finish(mean_, out);
  return out;
}

}  // namespace mediacore::picture
