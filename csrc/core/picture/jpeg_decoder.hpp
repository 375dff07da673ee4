// JPEG to I420 (ITU-T T.81, T.871): what `screencap -j` writes, and most others, by libjpeg-turbo.
//
// Guarantees: what is damaged or cut short is refused, never decoded in part. JFIF's colours, which are full-range BT.601,
//   become what is wanted. Where chroma is halved both ways, as screencap has it, no pixel becomes R G B on its way.
// Policy: the limits of limits.hpp, and a bound for the scans of progressive files, by their size; CMYK is not known.
//   Asked to stop, a picture fails at the next row of blocks, whatever is left of it.
// Memory: the decoded planes or pixels, kept for the next picture up to kKeptBytes. Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>

#include "core/picture/i420.hpp"
#include "core/picture/jpeg_library.hpp"
#include "core/picture/picture_error.hpp"
#include "core/picture/raw_picture.hpp"
#include "core/picture/reshape.hpp"
#include "core/picture/scratch.hpp"

namespace mediacore::picture {

class JpegDecoder {
 public:
  explicit JpegDecoder(std::stop_token stop = {}) noexcept : stop_(std::move(stop)) {}

  // The data must stay until `decode` is through. std::bad_alloc
  Result<Size> open(std::span<const std::uint8_t> data);

  // What was opened. `planes.size` is its size, or smaller within kMaxReduction.
  std::optional<Error> decode(Matrix matrix, const I420Planes& planes);

 private:
  static constexpr std::size_t kKeptBytes = std::size_t{64} << 20;

  std::optional<Error> decode_halved(Matrix matrix, const I420Planes& planes);
  std::optional<Error> decode_pixels(Matrix matrix, const I420Planes& planes);
  Error error_of(ErrorKind kind, std::string_view what) const noexcept;

  std::stop_token stop_;
  std::unique_ptr<JpegLibrary> library_;  // made with the first picture
  Reshaper reshaper_;
  RawConverter raw_converter_;
  Scratch scratch_;
  std::span<const std::uint8_t> open_;
  Size size_;
};

}  // namespace mediacore::picture
