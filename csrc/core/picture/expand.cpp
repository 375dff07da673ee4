#include "core/picture/expand.hpp"

#include <algorithm>
#include <array>

namespace mediacore::picture {
namespace {

// Samples of 1, 2, 4, 8 or 16 bits, the first ones in the high bits.
class Samples {
 public:
  Samples(const std::uint8_t* row, unsigned bits) noexcept : row_(row), bits_(bits) {}

  unsigned operator[](std::size_t index) const noexcept {
    if (bits_ == 8) return row_[index];
    if (bits_ == 16) return (unsigned{row_[2 * index]} << 8) | row_[2 * index + 1];
    const std::size_t bit = index * bits_;
    return (unsigned{row_[bit / 8]} >> (8 - bits_ - bit % 8)) & ((1U << bits_) - 1);
  }

 private:
  const std::uint8_t* row_;
  unsigned bits_;
};

// A sample of `bits` as one of 8.
std::uint8_t to_byte(unsigned sample, unsigned bits) noexcept {
  if (bits == 16) return static_cast<std::uint8_t>(sample >> 8);
  return static_cast<std::uint8_t>(sample * 255 / ((1U << bits) - 1));
}

}  // namespace

void expand_row(const PngFile& file, const std::uint8_t* row, std::uint32_t width, std::uint8_t* to, std::size_t step) {
  const PngHeader& header = file.header();
  const unsigned bits = header.bit_depth;
  const std::size_t channels = header.channels();
  const Samples samples(row, bits);
  const bool has_alpha = header.colour_type == ColourType::grey_alpha || header.colour_type == ColourType::rgba;
  const std::size_t colours = has_alpha ? channels - 1 : channels;
  for (std::size_t x = 0; x < width; ++x, to += 4 * step) {
    const std::size_t first = x * channels;
    if (header.colour_type == ColourType::palette) {
      std::copy_n(file.palette()[samples[first]].data(), 4, to);
      continue;
    }
    std::array<unsigned, 3> colour{samples[first], 0, 0};
    for (std::size_t i = 1; i < colours; ++i) colour[i] = samples[first + i];
    unsigned alpha = 255;
    if (has_alpha) alpha = to_byte(samples[first + colours], bits);
    if (const auto& key = file.transparent()) {
      const bool is_key =
          colour[0] == (*key)[0] && (colours == 1 || (colour[1] == (*key)[1] && colour[2] == (*key)[2]));
      if (is_key) alpha = 0;
    }
    for (std::size_t i = 0; i < 3; ++i) to[i] = to_byte(colour[colours == 1 ? 0 : i], bits);
    to[3] = static_cast<std::uint8_t>(alpha);
  }
}

}  // namespace mediacore::picture
