// PNG to I420 in one go: DEFLATE, checksum, filters and colour some rows at a time, while they are in the near caches.
// Neither the decompressed data nor the picture as R G B A is ever there as a whole; the latter can be had for tests.
//
// Guarantees: strict. CRCs, Adler-32, order of chunks, filters and the exact amount of data are right, or there is an
//   error with its place in the file. After an error the planes hold anything, and are not to be shown.
//   Alpha is ignored (a screen's is 255), colour profiles too.
// Policy: limits.hpp, checked before memory is taken; what a file claims to expand to is believed only as far as its
//   size can hold it.
// Memory: some rows, and what png_file.hpp keeps; for an interlaced picture all of it as R G B A, up to kKeptBytes of
//   which are kept for the next one.
// Threads: one owner each; many decoders at the same time do not know of each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/picture/downscale.hpp"
#include "core/picture/i420.hpp"
#include "core/picture/inflate_stream.hpp"
#include "core/picture/picture_error.hpp"
#include "core/picture/png_file.hpp"
#include "core/picture/scratch.hpp"

namespace mediacore::picture {

class PngDecoder {
 public:
  // Checks the file and its header, so that the caller can make planes for it. The file must stay until `decode` is
  // through.
  Result<Size> open(std::span<const std::uint8_t> file);

  // The picture that was opened. `planes.size` is its size, or smaller within kMaxReduction.
  std::optional<Error> decode(Matrix matrix, const I420Planes& planes);

  // The same as R G B A, `width * height * 4` bytes.
  std::optional<Error> decode_rgba(std::span<std::uint8_t> out);

 private:
  std::optional<Error> begin_stream();
  // `take(pixels, repeats)` gets each row of pixels, in the file's form; it stays until the next but one is taken.
  template <class Take>
  std::optional<Error> unfilter(Size size, const Take& take);
  std::optional<Error> interlaced_rgba(std::span<std::uint8_t> out);
  std::optional<Error> make_rows(std::size_t bytes);
  std::optional<Error> end_stream();
  Error stream_error(ErrorKind kind, std::size_t stream_offset, std::string_view what) const noexcept;
  std::optional<Error> write_rows(Matrix matrix, const I420Planes& planes);
  std::optional<Error> write_expanded(Matrix matrix, const I420Planes& planes);
  std::optional<Error> write_interlaced(Matrix matrix, const I420Planes& planes);

  // What a decoder holds on to between pictures: more than the largest usual display takes.
  static constexpr std::size_t kKeptBytes = std::size_t{64} << 20;

  PngFile file_;
  InflateStream inflate_;
  std::uint32_t adler_ = 1;  // of the rows so far
  Scratch ring_;
  Scratch expanded_;
  std::vector<std::uint8_t> zeros_;
  Downscale downscale_;
};

}  // namespace mediacore::picture
