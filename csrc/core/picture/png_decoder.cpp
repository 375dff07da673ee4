#include "core/picture/png_decoder.hpp"

#include <algorithm>
#include <array>

#include "core/picture/expand.hpp"
#include "core/picture/i420_writer.hpp"
#include "core/picture/limits.hpp"
#include "core/picture/unfilter.hpp"

namespace mediacore::picture {
namespace {

// Even, so that the two rows of a chroma row come in one block. Two blocks of a screen's rows fit into the second-level
// cache.
constexpr std::size_t kBlockRows = 16;
constexpr std::size_t kRgbaBytes = 4;

std::uint32_t big_endian(const std::uint8_t* at) noexcept {
  return (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) | at[3];
}

bool is_plain(const PngHeader& header) noexcept {
  return header.bit_depth == 8 && !header.interlaced &&
         (header.colour_type == ColourType::rgb || header.colour_type == ColourType::rgba);
}

}  // namespace

Result<Size> PngDecoder::open(std::span<const std::uint8_t> file) {
  if (auto error = file_.read(file)) return *error;
  return file_.header().size;
}

std::optional<Error> PngDecoder::inflate() {
  const std::span<const std::uint8_t> stream = file_.stream();
  const std::uint64_t bytes = file_.header().filtered_bytes();
  if (bytes > stream.size() * kMaxDeflateRatio) {
    return Error{ErrorKind::size_mismatch, file_.file_offset(0),
                 "there is less image data than the picture's size wants", kImageChunk};
  }
  residuals_ = filtered_.take(bytes + unfilter::kSlack).first(bytes);
  const Inflater::Outcome outcome = inflater_.zlib(stream, residuals_);
  if (outcome.error) {
    Error error = *outcome.error;
    error.byte_offset = file_.file_offset(error.byte_offset);
    error.chunk = kImageChunk;
    return error;
  }
  adler_offset_ = outcome.adler_offset;
  return std::nullopt;
}

std::optional<Error> PngDecoder::check_adler(std::uint32_t adler) const {
  if (adler == big_endian(file_.stream().data() + adler_offset_)) return std::nullopt;
  return Error{ErrorKind::adler, file_.file_offset(adler_offset_), "the Adler-32 of the image data is wrong",
               kImageChunk};
}

template <class Take>
std::optional<Error> PngDecoder::unfilter(Size size, Rows& rows, const Take& take) {
  const unfilter::Kernels& kernels = unfilter::fastest(file_.header().filter_bytes());
  const std::size_t bytes = file_.header().row_bytes(size.width);
  const std::size_t stride = bytes + unfilter::kSlack;
  zeros_.assign(stride, 0);
  // A block is written where the row above it does not stand, which may be in the one before or the one before that.
  const std::span<std::uint8_t> ring = ring_.take(2 * kBlockRows * stride);
  std::uint8_t* const other = ring.data() + kBlockRows * stride;
  const std::uint8_t* above = zeros_.data();
  std::array<unfilter::PlacedRow, kBlockRows> placed{};
  for (std::size_t y = 0; y < size.height; y += kBlockRows) {
    const std::size_t count = std::min<std::size_t>(kBlockRows, size.height - y);
    const std::uint8_t* const block = residuals_.data() + rows.at;
    const std::size_t block_bytes = count * (bytes + 1);
    for (std::size_t i = 0; i < count; ++i) {
      if (block[i * (bytes + 1)] < unfilter::kFilters) continue;
      return Error{ErrorKind::filter, file_.file_offset(0), "a row's filter is none of the five", kImageChunk};
    }
    rows.adler = libdeflate_adler32(rows.adler, block, block_bytes);
    const bool is_in_first = above >= ring.data() && above < other;
    unfilter::run(kernels, {block, bytes, count, above, is_in_first ? other : ring.data(), stride}, placed.data());
    for (std::size_t i = 0; i < count; ++i) take(placed[i]);
    above = placed[count - 1].pixels;
    rows.at += block_bytes;
  }
  return std::nullopt;
}

std::optional<Error> PngDecoder::decode(Matrix matrix, const I420Planes& planes) {
  auto error = inflate();
  if (!error) {
    if (is_plain(file_.header())) {
      error = write_rows(matrix, planes);
    } else if (file_.header().interlaced) {
      error = write_interlaced(matrix, planes);
    } else {
      error = write_expanded(matrix, planes);
    }
  }
  filtered_.trim(kKeptBytes);
  expanded_.trim(kKeptBytes);
  return error;
}

std::optional<Error> PngDecoder::write_rows(Matrix matrix, const I420Planes& planes) {
  const Size size = file_.header().size;
  const ByteOrder order = file_.header().colour_type == ColourType::rgb ? ByteOrder::rgb : ByteOrder::rgbx;
  I420Writer writer(size, order, matrix, planes, downscale_);
  Rows rows;
  auto error = unfilter(size, rows, [&](const unfilter::PlacedRow& row) { writer.row(row.pixels, row.repeats); });
  return error ? error : check_adler(rows.adler);
}

std::optional<Error> PngDecoder::write_expanded(Matrix matrix, const I420Planes& planes) {
  const Size size = file_.header().size;
  I420Writer writer(size, ByteOrder::rgbx, matrix, planes, downscale_);
  const std::span<std::uint8_t> two = expanded_.take(2 * kRgbaBytes * size.width);
  std::size_t turn = 0;
  Rows rows;
  auto error = unfilter(size, rows, [&](const unfilter::PlacedRow& row) {
    std::uint8_t* const pixels = two.data() + turn * kRgbaBytes * size.width;
    turn = 1 - turn;
    expand_row(file_, row.pixels, size.width, pixels, 1);
    writer.row(pixels, row.repeats);
  });
  return error ? error : check_adler(rows.adler);
}

std::optional<Error> PngDecoder::write_interlaced(Matrix matrix, const I420Planes& planes) {
  const Size size = file_.header().size;
  const std::size_t stride = kRgbaBytes * size.width;
  const std::span<std::uint8_t> whole = expanded_.take(stride * size.height);
  if (auto error = interlaced_rgba(whole)) return error;
  I420Writer writer(size, ByteOrder::rgbx, matrix, planes, downscale_);
  for (std::size_t y = 0; y < size.height; ++y) writer.row(whole.data() + y * stride, false);
  return std::nullopt;
}

std::optional<Error> PngDecoder::interlaced_rgba(std::span<std::uint8_t> out) {
  const Size size = file_.header().size;
  Rows rows;
  for (const Pass& pass : kPasses) {
    const Size of_pass = pass.size_in(size);
    if (of_pass.width == 0 || of_pass.height == 0) continue;
    std::size_t y = pass.y;
    auto error = unfilter(of_pass, rows, [&](const unfilter::PlacedRow& row) {
      std::uint8_t* const first = out.data() + (y * size.width + pass.x) * kRgbaBytes;
      expand_row(file_, row.pixels, of_pass.width, first, pass.step_x);
      y += pass.step_y;
    });
    if (error) return error;
  }
  return check_adler(rows.adler);
}

std::optional<Error> PngDecoder::decode_rgba(std::span<std::uint8_t> out) {
  if (auto error = inflate()) return error;
  if (file_.header().interlaced) return interlaced_rgba(out);
  const Size size = file_.header().size;
  std::uint8_t* to = out.data();
  Rows rows;
  auto error = unfilter(size, rows, [&](const unfilter::PlacedRow& row) {
    expand_row(file_, row.pixels, size.width, to, 1);
    to += kRgbaBytes * size.width;
  });
  return error ? error : check_adler(rows.adler);
}

}  // namespace mediacore::picture
