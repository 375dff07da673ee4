#include "core/picture/downscale.hpp"

#include <algorithm>
#include <numeric>

namespace mediacore::picture {
namespace scale {
namespace {

void add(std::uint16_t* sums, const std::uint8_t* bytes, std::size_t count, std::uint16_t weight, bool first) {
  for (std::size_t i = 0; i < count; ++i) {
    const int before = first ? 0 : sums[i];
    sums[i] = static_cast<std::uint16_t>(before + bytes[i] * weight);
  }
}

template <std::size_t kPixel>
void finish(const Mean& mean, std::uint8_t* to) {
  for (std::size_t x = 0; x < mean.width; ++x, to += 4) {
    const Columns& columns = mean.columns[x];
    std::array<float, 3> sum{};
    for (std::size_t k = 0; k < columns.count; ++k) {
      const std::uint16_t* const pixel = mean.sums + (columns.first + k) * kPixel;
      for (std::size_t i = 0; i < 3; ++i) {
        sum[i] = sum[i] + static_cast<float>(pixel[i]) * mean.weights[columns.weights + k];
      }
    }
    for (std::size_t i = 0; i < 3; ++i) to[i] = static_cast<std::uint8_t>(std::min(sum[i] + 0.5F, 255.0F));
    to[3] = 255;
  }
}

}  // namespace

const Kernels& scalar() noexcept {
  static constexpr Kernels kScalar{add, finish<3>, finish<4>};
  return kScalar;
}

const Kernels& fastest() noexcept {
  return scalar();
}

}  // namespace scale

namespace {

// Sums of bytes times weights stay below 2^16.
constexpr std::uint32_t kMostWeight = 257;
constexpr std::uint32_t kRoundedWeight = 256;

}  // namespace

void Downscale::begin(Size from, Size to, std::size_t pixel_bytes) {
  const std::uint32_t exact = from.height / std::gcd(from.height, to.height);
  whole_ = exact <= kMostWeight ? exact : kRoundedWeight;
  from_ = from;
  to_ = to;
  pixel_bytes_ = pixel_bytes;
  filled_ = at_ = made_ = 0;
  set_columns(from.width, to.width);
  sums_.resize(from.width * pixel_bytes + scale::kSlack);
  for (auto& out : out_) out.resize(std::size_t{to.width} * 4);
}

void Downscale::set_columns(std::uint32_t from, std::uint32_t to) {
  columns_.clear();
  weights_.clear();
  // In units of which a column has `to` and a smaller one `from`.
  for (std::uint64_t x = 0; x < to; ++x) {
    const std::uint64_t begin = x * from;
    const std::uint64_t end = begin + from;
    const std::uint64_t first = begin / to;
    const std::uint64_t last = (end - 1) / to;
    columns_.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last - first + 1),
                        static_cast<std::uint32_t>(weights_.size())});
    for (std::uint64_t column = first; column <= last; ++column) {
      const std::uint64_t covered = std::min(end, (column + 1) * to) - std::max(begin, column * to);
      weights_.push_back(static_cast<float>(static_cast<double>(covered) / from / whole_));
    }
  }
}

const std::uint8_t* Downscale::row(const std::uint8_t* pixels) {
  const auto border = [this](std::uint64_t y) {
    return static_cast<std::uint32_t>((y * to_.height * whole_ + from_.height / 2) / from_.height);
  };
  const std::uint32_t height = border(at_ + 1) - border(at_);
  ++at_;
  const std::uint32_t here = std::min(height, whole_ - filled_);
  const std::size_t count = from_.width * pixel_bytes_;
  kernels_->add(sums_.data(), pixels, count, static_cast<std::uint16_t>(here), filled_ == 0);
  filled_ += here;
  if (filled_ < whole_) return nullptr;
  std::uint8_t* const out = out_[made_ % 2].data();
  ++made_;
  const scale::Mean mean{sums_.data(), columns_.data(), weights_.data(), to_.width};
  (pixel_bytes_ == 3 ? kernels_->finish_3 : kernels_->finish_4)(mean, out);
  filled_ = height - here;
  if (filled_ > 0) {
    kernels_->add(sums_.data(), pixels, count, static_cast<std::uint16_t>(filled_), true);
  }
  return out;
}

}  // namespace mediacore::picture
