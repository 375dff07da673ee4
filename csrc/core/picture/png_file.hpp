// The chunks of a PNG file (PNG, third edition, sections 5, 11 and 13): checked one by one, pixels not looked at.
//
// Guarantees: every CRC is right; IHDR first and once, PLTE before the image data and where it is needed, IDATs in one
//   row, IEND there; sizes within limits.hpp. Unknown ancillary chunks are skipped, unknown critical ones are an error,
//   bytes after IEND are not looked at. Nothing but the image data is decompressed, here or later.
// Policy: the first thing that is wrong ends it, with its place.
// Memory: the image data of several IDATs is gathered into a buffer that is kept for the next file; that of one stays
//   where it is. So the file must outlive the use of `stream()`.
// Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/picture/i420.hpp"
#include "core/picture/picture_error.hpp"

namespace mediacore::picture {

enum class ColourType : std::uint8_t { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgba = 6 };

struct PngHeader {
  Size size;
  ColourType colour_type = ColourType::rgba;
  std::uint8_t bit_depth = 8;
  bool interlaced = false;

  std::size_t channels() const noexcept;
  // Of one pixel; at least 1, since filters work on bytes.
  std::size_t filter_bytes() const noexcept;
  // Of a row without its filter.
  std::size_t row_bytes(std::uint32_t width) const noexcept;
  // Of all rows of all passes, with their filters.
  std::uint64_t filtered_bytes() const noexcept;
};

// One of the seven passes of Adam7: which pixels it holds.
struct Pass {
  std::uint32_t x, y, step_x, step_y;

  // Of the pass's own picture; a side may be 0, then it has no data at all.
  Size size_in(Size whole) const noexcept;
};
inline constexpr std::array<Pass, 7> kPasses{
    {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}};

class PngFile {
 public:
  // Reads all chunks. After an error nothing of this object may be used but `read`.
  std::optional<Error> read(std::span<const std::uint8_t> file);

  const PngHeader& header() const noexcept { return header_; }
  // The zlib stream.
  std::span<const std::uint8_t> stream() const noexcept { return stream_; }
  // Where in the file a byte of the stream stands.
  std::size_t file_offset(std::size_t stream_offset) const noexcept;
  // R G B A of each index. Those that the file does not define are opaque black.
  const std::array<std::array<std::uint8_t, 4>, 256>& palette() const noexcept { return palette_; }
  // The one colour that is transparent, as samples of the file's depth: grey or R G B.
  const std::optional<std::array<std::uint16_t, 3>>& transparent() const noexcept { return transparent_; }

 private:
  struct Chunk;
  struct Walk;

  std::optional<Error> read_chunks(Walk& walk);
  std::optional<Error> take(const Chunk& chunk, Walk& walk);
  std::optional<Error> take_header(const Chunk& chunk);
  std::optional<Error> take_palette(const Chunk& chunk, Walk& walk);
  std::optional<Error> take_transparency(const Chunk& chunk, const Walk& walk);

  PngHeader header_;
  std::span<const std::uint8_t> file_;
  std::span<const std::uint8_t> stream_;
  std::vector<std::uint8_t> gathered_;
  std::size_t first_image_chunk_ = 0;  // where its length field stands
  std::array<std::array<std::uint8_t, 4>, 256> palette_{};
  std::optional<std::array<std::uint16_t, 3>> transparent_;
};

}  // namespace mediacore::picture
