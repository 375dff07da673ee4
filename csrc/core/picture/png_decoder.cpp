#include "core/picture/png_decoder.hpp"

#include <algorithm>
#include <array>

#include "core/picture/expand.hpp"
#include "core/picture/i420_writer.hpp"
#include "core/picture/limits.hpp"
#include "core/picture/unfilter.hpp"

namespace mediacore::picture {
namespace {

constexpr std::size_t kRgbaBytes = 4;

std::uint32_t big_endian(const std::uint8_t* at) noexcept {
  return (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) | at[3];
}

constexpr std::uint32_t kAdlerModulus = 65521;

// The Adler-32 (RFC 1950, 9) after a row of the filter "up" and nothing but zeros: no need to read them again.
std::uint32_t adler_of_repeat(std::uint32_t adler, std::size_t zeros) noexcept {
  const std::uint64_t low = ((adler & 0xFFFFU) + unfilter::up) % kAdlerModulus;
  const std::uint64_t high = ((adler >> 16) + low * (zeros + 1)) % kAdlerModulus;
  return static_cast<std::uint32_t>((high << 16) | low);
}

// The rows that come next, while the ones that are here are worked on: the decompressed data has left the near caches.
void prefetch(const std::uint8_t* at, std::size_t bytes) noexcept {
  constexpr std::size_t kLine = 64;
  for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(at + i, 0, 2);
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
  // Two places for rows that are undone at once; the row above the next ones stands in the other one.
  std::uint8_t* const ring =
      ring_.take(2 * unfilter::kMostAtOnce * stride + unfilter::kSlack).data() + unfilter::kSlack;
  std::uint8_t* const other = ring + unfilter::kMostAtOnce * stride;
  const std::uint8_t* above = zeros_.data();
  std::uint8_t* place = ring;
  for (std::size_t y = 0; y < size.height;) {
    const std::uint8_t* const head = residuals_.data() + rows.at;
    const std::size_t left = size.height - y;
    for (std::size_t i = 0; i < std::min(left, unfilter::kMostAtOnce); ++i) {
      if (head[i * (bytes + 1)] < unfilter::kFilters) continue;
      return Error{ErrorKind::filter, file_.file_offset(0), "a row's filter is none of the five", kImageChunk};
    }
    const auto undone = unfilter::undo(kernels, {head, left, bytes, above, place, stride});
    const std::size_t read = undone.rows * (bytes + 1);
    prefetch(head + read, std::min(residuals_.size() - rows.at - read, read));
    if (undone.repeats) {
      rows.adler = adler_of_repeat(rows.adler, bytes);
      take(above, true);
    } else {
      rows.adler = libdeflate_adler32(rows.adler, head, read);
      for (std::size_t i = 0; i < undone.rows; ++i) take(place + i * stride, false);
      above = place + (undone.rows - 1) * stride;
      place = place == ring ? other : ring;
    }
    rows.at += read;
    y += undone.rows;
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
  auto error = unfilter(size, rows, [&](const std::uint8_t* pixels, bool repeats) { writer.row(pixels, repeats); });
  return error ? error : check_adler(rows.adler);
}

std::optional<Error> PngDecoder::write_expanded(Matrix matrix, const I420Planes& planes) {
  const Size size = file_.header().size;
  I420Writer writer(size, ByteOrder::rgbx, matrix, planes, downscale_);
  const std::span<std::uint8_t> two = expanded_.take(2 * kRgbaBytes * size.width);
  std::size_t turn = 0;
  Rows rows;
  auto error = unfilter(size, rows, [&](const std::uint8_t* pixels, bool repeats) {
    std::uint8_t* const expanded = two.data() + turn * kRgbaBytes * size.width;
    turn = 1 - turn;
    expand_row(file_, pixels, size.width, expanded, 1);
    writer.row(expanded, repeats);
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
    auto error = unfilter(of_pass, rows, [&](const std::uint8_t* pixels, bool) {
      std::uint8_t* const first = out.data() + (y * size.width + pass.x) * kRgbaBytes;
      expand_row(file_, pixels, of_pass.width, first, pass.step_x);
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
  auto error = unfilter(size, rows, [&](const std::uint8_t* pixels, bool) {
    expand_row(file_, pixels, size.width, to, 1);
    to += kRgbaBytes * size.width;
  });
  return error ? error : check_adler(rows.adler);
}

}  // namespace mediacore::picture
