// Pictures in whatever form they come: PNG, JPEG, what screencap writes without -p (raw, or raw through gzip), rows of pixels.
//
// Guarantees, policy, memory: those of png_decoder.hpp, jpeg_decoder.hpp and raw_picture.hpp; gzip'd pixels are decompressed into a buffer
//   that is kept for the next picture, up to kKeptBytes; a larger one until what was opened is decoded or dropped.
// Threads: one owner each; many decoders at the same time do not know of each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>

#include "core/picture/gzip.hpp"
#include "core/picture/i420.hpp"
#include "core/picture/jpeg_decoder.hpp"
#include "core/picture/picture_error.hpp"
#include "core/picture/png_decoder.hpp"
#include "core/picture/raw_picture.hpp"
#include "core/picture/scratch.hpp"
#include "core/picture/screencap.hpp"
#include "core/picture/wire_form.hpp"

namespace mediacore::picture {

class PictureDecoder {
 public:
  // See JpegDecoder.
  explicit PictureDecoder(std::stop_token stop = {}) : jpeg_(std::move(stop)) {}  // std::bad_alloc

  // The size of a PNG. The data must stay until `decode` is through.
  Result<Size> open_png(std::span<const std::uint8_t> data);
  // The size of what screencap wrote without -p, through gzip or not.
  Result<Size> open_screencap(std::span<const std::uint8_t> data);
  // The size of a JPEG. The data must stay until `decode` is through.
  Result<Size> open_jpeg(std::span<const std::uint8_t> data);
  // One of these, but rgb888.
  Result<Size> open(WireForm form, std::span<const std::uint8_t> data);
  // Rows that `check` finds nothing in.
  Result<Size> open_raw(const RawPicture& picture);

  // What was opened. `planes.size` is its size, or smaller within kMaxReduction.
  std::optional<Error> decode(Matrix matrix, const I420Planes& planes);
  // What was opened is not to be decoded.
  void drop() noexcept { inflated_.trim(kKeptBytes); }
  // What was opened as a PNG, as R G B A.
  std::optional<Error> decode_rgba(std::span<std::uint8_t> out) { return png_.decode_rgba(out); }

 private:
  static constexpr std::size_t kKeptBytes = std::size_t{64} << 20;

  enum class Kind : std::uint8_t { png, jpeg, raw };

  Result<Size> open_rows(const RawPicture& picture);
  Result<Size> open_pixels(std::span<const std::uint8_t> data);

  PngDecoder png_;
  JpegDecoder jpeg_;
  Gunzip gunzip_;
  RawConverter raw_converter_;
  Scratch inflated_;
  Kind open_ = Kind::png;
  RawPicture raw_{};  // what is open, if it is that
};

}  // namespace mediacore::picture
