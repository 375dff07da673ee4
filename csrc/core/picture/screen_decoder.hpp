// The pictures of one screen, one after the other, whatever screencap wrote them as: PNG, raw, or raw through gzip.
//
// Guarantees: data that is byte for byte the same as the picture decoded before is recognised without being decoded.
//   Everything else is as in png_decoder.hpp and raw_picture.hpp.
// Memory: a copy of the last PNG or gzip file, for that comparison; raw pixels are not kept (to compare I420 is cheaper).
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/picture/gzip.hpp"
#include "core/picture/i420.hpp"
#include "core/picture/picture_error.hpp"
#include "core/picture/png_decoder.hpp"
#include "core/picture/raw_picture.hpp"
#include "core/picture/scratch.hpp"
#include "core/picture/screencap.hpp"

namespace mediacore::picture {

class ScreenDecoder {
 public:
  // The size of a PNG. The data must stay until `decode` is through.
  Result<Size> open_png(std::span<const std::uint8_t> data);
  // The size of what screencap wrote without -p, through gzip or not.
  Result<Size> open_screencap(std::span<const std::uint8_t> data);
  // Rows that `check` finds nothing in.
  Result<Size> open_raw(const RawPicture& picture);

  // What was opened. `planes.size` is its size, or smaller within kMaxReduction.
  std::optional<Error> decode(Matrix matrix, const I420Planes& planes);
  // What was opened as a PNG, as R G B A.
  std::optional<Error> decode_rgba(std::span<std::uint8_t> out) { return png_.decode_rgba(out); }

 private:
  static constexpr std::size_t kKeptBytes = std::size_t{64} << 20;

  PngDecoder png_;
  Gunzip gunzip_;
  RawConverter raw_converter_;
  Scratch inflated_;
  std::optional<RawPicture> raw_;  // what is open, if it is no PNG
};

}  // namespace mediacore::picture
