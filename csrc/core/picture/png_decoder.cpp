#include "core/picture/png_decoder.hpp"

#include <libdeflate.h>

#include <algorithm>

#include "core/picture/expand.hpp"
#include "core/picture/i420_writer.hpp"
#include "core/picture/limits.hpp"
#include "core/picture/unfilter.hpp"

namespace mediacore::picture {
namespace {

constexpr std::size_t kRgbaBytes = 4;
constexpr std::size_t kZlibHeaderBytes = 2;
constexpr std::size_t kAdlerBytes = 4;
constexpr std::string_view kTooFewBytes = "there is less image data than the picture's size wants";

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

bool is_plain(const PngHeader& header) noexcept {
  return header.bit_depth == 8 && !header.interlaced &&
         (header.colour_type == ColourType::rgb || header.colour_type == ColourType::rgba);
}

}  // namespace

Result<Size> PngDecoder::open(std::span<const std::uint8_t> file) {
  if (auto error = file_.read(file)) return *error;
  return file_.header().size;
}

Error PngDecoder::stream_error(ErrorKind kind, std::size_t stream_offset, std::string_view what) const noexcept {
  return {kind, file_.file_offset(stream_offset), what, kImageChunk};
}

// The zlib header: RFC 1950, 2.2.
std::optional<Error> PngDecoder::begin_stream() {
  const auto error = [this](std::size_t at, std::string_view what) { return stream_error(ErrorKind::zlib, at, what); };
  const std::span<const std::uint8_t> stream = file_.stream();
  if (stream.size() < kZlibHeaderBytes + kAdlerBytes) return error(stream.size(), "the zlib stream ends too early");
  const unsigned method = stream[0];
  const unsigned flags = stream[1];
  if ((method & 0x0FU) != 8) return error(0, "the compression method of the zlib stream is not 8");
  if ((method >> 4) > 7) return error(0, "the window of the zlib stream is larger than 32 KiB");
  if ((method * 256 + flags) % 31 != 0) return error(1, "the check bits of the zlib header are wrong");
  if ((flags & 0x20U) != 0) return error(1, "the zlib stream wants a preset dictionary");
  if (file_.header().filtered_bytes() > stream.size() * kMaxDeflateRatio) {
    return stream_error(ErrorKind::size_mismatch, 0, kTooFewBytes);
  }
  const std::size_t row = file_.header().row_bytes(file_.header().size.width) + 1;
  inflate_.begin(stream.subspan(kZlibHeaderBytes, stream.size() - kZlibHeaderBytes - kAdlerBytes),
                 unfilter::kMostAtOnce * row, unfilter::kSlack);
  adler_ = 1;
  return std::nullopt;
}

std::optional<Error> PngDecoder::make_rows(std::size_t bytes) {
  if (!inflate_.make(bytes)) return stream_error(ErrorKind::zlib, 0, "the compressed data does not decompress");
  if (inflate_.unread().size() < bytes) return stream_error(ErrorKind::size_mismatch, 0, kTooFewBytes);
  return std::nullopt;
}

// Behind the last row: the end of the stream, its checksum, and nothing else.
std::optional<Error> PngDecoder::end_stream() {
  if (!inflate_.make(1)) return stream_error(ErrorKind::zlib, 0, "the compressed data does not decompress");
  if (!inflate_.unread().empty()) {
    return stream_error(ErrorKind::size_mismatch, 0, "there is more image data than the picture's size wants");
  }
  const std::size_t at = kZlibHeaderBytes + inflate_.taken();
  if (at + kAdlerBytes != file_.stream().size()) {
    return stream_error(ErrorKind::size_mismatch, at + kAdlerBytes,
                        "there are bytes behind the end of the zlib stream");
  }
  if (adler_ == big_endian(file_.stream().data() + at)) return std::nullopt;
  return stream_error(ErrorKind::adler, at, "the Adler-32 of the image data is wrong");
}

template <class Take>
std::optional<Error> PngDecoder::unfilter(Size size, const Take& take) {
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
    const std::size_t rows = std::min(size.height - y, unfilter::kMostAtOnce);
    if (auto error = make_rows(rows * (bytes + 1))) return error;
    const std::uint8_t* const head = inflate_.unread().data();
    for (std::size_t i = 0; i < rows; ++i) {
      if (head[i * (bytes + 1)] < unfilter::kFilters) continue;
      return stream_error(ErrorKind::filter, 0, "a row's filter is none of the five");
    }
    const auto undone = unfilter::undo(kernels, {head, rows, bytes, above, place, stride});
    const std::size_t read = undone.rows * (bytes + 1);
    if (undone.repeats) {
      adler_ = adler_of_repeat(adler_, bytes);
      take(above, true);
    } else {
      adler_ = libdeflate_adler32(adler_, head, read);
      for (std::size_t i = 0; i < undone.rows; ++i) take(place + i * stride, false);
      above = place + (undone.rows - 1) * stride;
      place = place == ring ? other : ring;
    }
    inflate_.read(read);
    y += undone.rows;
  }
  return std::nullopt;
}

std::optional<Error> PngDecoder::decode(Matrix matrix, const I420Planes& planes) {
  auto error = begin_stream();
  if (!error) {
    if (is_plain(file_.header())) {
      error = write_rows(matrix, planes);
    } else if (file_.header().interlaced) {
      error = write_interlaced(matrix, planes);
    } else {
      error = write_expanded(matrix, planes);
    }
  }
  expanded_.trim(kKeptBytes);
  return error;
}

std::optional<Error> PngDecoder::write_rows(Matrix matrix, const I420Planes& planes) {
  const Size size = file_.header().size;
  const ByteOrder order = file_.header().colour_type == ColourType::rgb ? ByteOrder::rgb : ByteOrder::rgbx;
  I420Writer writer(size, order, matrix, planes, downscale_);
  auto error = unfilter(size, [&](const std::uint8_t* pixels, bool repeats) { writer.row(pixels, repeats); });
  return error ? error : end_stream();
}

std::optional<Error> PngDecoder::write_expanded(Matrix matrix, const I420Planes& planes) {
  const Size size = file_.header().size;
  I420Writer writer(size, ByteOrder::rgbx, matrix, planes, downscale_);
  const std::span<std::uint8_t> two = expanded_.take(2 * kRgbaBytes * size.width);
  std::size_t turn = 0;
  auto error = unfilter(size, [&](const std::uint8_t* pixels, bool repeats) {
    std::uint8_t* const expanded = two.data() + turn * kRgbaBytes * size.width;
    turn = 1 - turn;
    expand_row(file_, pixels, size.width, expanded, 1);
    writer.row(expanded, repeats);
  });
  return error ? error : end_stream();
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
  for (const Pass& pass : kPasses) {
    const Size of_pass = pass.size_in(size);
    if (of_pass.width == 0 || of_pass.height == 0) continue;
    std::size_t y = pass.y;
    auto error = unfilter(of_pass, [&](const std::uint8_t* pixels, bool) {
      std::uint8_t* const first = out.data() + (y * size.width + pass.x) * kRgbaBytes;
      expand_row(file_, pixels, of_pass.width, first, pass.step_x);
      y += pass.step_y;
    });
    if (error) return error;
  }
  return end_stream();
}

std::optional<Error> PngDecoder::decode_rgba(std::span<std::uint8_t> out) {
  if (auto error = begin_stream()) return error;
  if (file_.header().interlaced) return interlaced_rgba(out);
  const Size size = file_.header().size;
  std::uint8_t* to = out.data();
  auto error = unfilter(size, [&](const std::uint8_t* pixels, bool) {
    expand_row(file_, pixels, size.width, to, 1);
    to += kRgbaBytes * size.width;
  });
  return error ? error : end_stream();
}

}  // namespace mediacore::picture
