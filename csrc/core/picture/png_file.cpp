#include "core/picture/png_file.hpp"

#include <libdeflate.h>

#include <algorithm>

#include "core/picture/limits.hpp"

namespace mediacore::picture {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 8> kSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kTypeBytes = 4;
constexpr std::size_t kFrameBytes = 12;  // length, type and CRC
constexpr std::uint32_t kMaxChunkBytes = 0x7FFFFFFF;
constexpr std::size_t kHeaderBytes = 13;

constexpr ChunkType kHeaderChunk{'I', 'H', 'D', 'R'};
constexpr ChunkType kPaletteChunk{'P', 'L', 'T', 'E'};
constexpr ChunkType kEndChunk{'I', 'E', 'N', 'D'};
constexpr ChunkType kTransparencyChunk{'t', 'R', 'N', 'S'};

std::uint32_t big_endian(const std::uint8_t* at) noexcept {
  return (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) | at[3];
}

bool is_letter(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// The fifth bit of the first letter (5.4): a decoder may skip what it does not know.
bool is_ancillary(ChunkType type) noexcept {
  return (static_cast<unsigned char>(type[0]) & 0x20U) != 0;
}

// Table 8 of 11.2.1.
bool is_depth_of(ColourType type, unsigned depth) noexcept {
  switch (type) {
    case ColourType::grey: return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case ColourType::palette: return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case ColourType::rgb:
    case ColourType::grey_alpha:
    case ColourType::rgba: return depth == 8 || depth == 16;
  }
  return false;
}

}  // namespace

struct PngFile::Chunk {
  std::size_t offset;  // of its length field
  ChunkType type;
  Bytes data;

  std::size_t data_offset() const noexcept { return offset + kLengthBytes + kTypeBytes; }
  std::size_t end() const noexcept { return data_offset() + data.size() + kFrameBytes - kLengthBytes - kTypeBytes; }
  Error error(ErrorKind kind, std::size_t at, std::string_view what) const noexcept { return {kind, at, what, type}; }
  Error error(ErrorKind kind, std::string_view what) const noexcept { return error(kind, data_offset(), what); }
};

struct PngFile::Walk {
  std::size_t at = kSignature.size();
  std::size_t chunks = 0;  // besides IDAT
  std::size_t image_chunks = 0;
  std::size_t palette_entries = 0;
  bool image_ended = false;
  bool ended = false;
};

std::size_t PngHeader::channels() const noexcept {
  switch (colour_type) {
    case ColourType::grey:
    case ColourType::palette: return 1;
    case ColourType::grey_alpha: return 2;
    case ColourType::rgb: return 3;
    case ColourType::rgba: return 4;
  }
  return 4;
}

std::size_t PngHeader::filter_bytes() const noexcept {
  return std::max<std::size_t>(1, channels() * bit_depth / 8);
}

std::size_t PngHeader::row_bytes(std::uint32_t width) const noexcept {
  return (width * channels() * bit_depth + 7) / 8;
}

std::uint64_t PngHeader::filtered_bytes() const noexcept {
  const auto bytes = [this](Size of) -> std::uint64_t {
    return of.width == 0 ? 0 : (std::uint64_t{row_bytes(of.width)} + 1) * of.height;
  };
  if (!interlaced) return bytes(size);
  std::uint64_t sum = 0;
  for (const Pass& pass : kPasses) sum += bytes(pass.size_in(size));
  return sum;
}

Size Pass::size_in(Size whole) const noexcept {
  const auto count = [](std::uint32_t length, std::uint32_t first, std::uint32_t step) {
    return length > first ? (length - first - 1) / step + 1 : 0;
  };
  return {count(whole.width, x, step_x), count(whole.height, y, step_y)};
}

std::optional<Error> PngFile::read(Bytes file) {
  header_ = {};
  file_ = file;
  stream_ = {};
  gathered_.clear();  // its memory stays
  transparent_.reset();
  palette_.fill({0, 0, 0, 255});
  const std::size_t there = std::min(file.size(), kSignature.size());
  const auto differs =
      std::mismatch(kSignature.begin(), kSignature.begin() + static_cast<std::ptrdiff_t>(there), file.begin());
  const auto same = static_cast<std::size_t>(differs.first - kSignature.begin());
  if (same < there) return Error{ErrorKind::not_a_png, same, "the signature of a PNG is not there"};
  if (there < kSignature.size()) return Error{ErrorKind::truncated, file.size(), "the data ends inside the signature"};
  if (file.size() > kMaxFileBytes) return Error{ErrorKind::too_large, kMaxFileBytes, "the file is larger than 128 MiB"};
  Walk walk;
  return read_chunks(walk);
}

std::optional<Error> PngFile::read_chunks(Walk& walk) {
  while (!walk.ended) {
    const Bytes rest = file_.subspan(walk.at);
    const auto cut = [&](ChunkType type) {
      return Error{ErrorKind::truncated, file_.size(), "the data ends inside a chunk, or before IEND", type};
    };
    if (rest.size() < kLengthBytes + kTypeBytes) return cut(kNoChunk);
    const std::uint32_t length = big_endian(rest.data());
    ChunkType type{};
    std::copy_n(rest.data() + kLengthBytes, type.size(), type.begin());
    if (!std::all_of(type.begin(), type.end(), is_letter)) {
      return Error{ErrorKind::header, walk.at + kLengthBytes, "a chunk's type is not four letters"};
    }
    if (length > kMaxChunkBytes) {
      return Error{ErrorKind::header, walk.at, "a chunk is longer than the format allows", type};
    }
    if (walk.at == kSignature.size() && type != kHeaderChunk) {
      return Error{ErrorKind::order, walk.at, "the first chunk is not IHDR", type};
    }
    if (rest.size() < kFrameBytes || length > rest.size() - kFrameBytes) return cut(type);
    const Chunk chunk{walk.at, type, rest.subspan(kLengthBytes + kTypeBytes, length)};
    const std::uint32_t crc = libdeflate_crc32(0, rest.data() + kLengthBytes, kTypeBytes + length);
    if (crc != big_endian(chunk.data.data() + length)) {
      return chunk.error(ErrorKind::crc, chunk.data_offset() + length, "the CRC of a chunk is wrong");
    }
    if (auto error = take(chunk, walk)) return error;
    walk.at = chunk.end();
  }
  return std::nullopt;
}

std::optional<Error> PngFile::take(const Chunk& chunk, Walk& walk) {
  if (chunk.type == kImageChunk) {
    if (walk.image_ended) return chunk.error(ErrorKind::order, chunk.offset, "another chunk stands between IDATs");
    if (header_.colour_type == ColourType::palette && walk.palette_entries == 0) {
      return chunk.error(ErrorKind::order, chunk.offset, "a palette picture has no PLTE before its image data");
    }
    if (walk.image_chunks == 0) {
      first_image_chunk_ = chunk.offset;
      stream_ = chunk.data;
    } else {
      if (walk.image_chunks == 1) gathered_.assign(stream_.begin(), stream_.end());
      gathered_.insert(gathered_.end(), chunk.data.begin(), chunk.data.end());
      stream_ = gathered_;
    }
    ++walk.image_chunks;
    return std::nullopt;
  }
  walk.image_ended = walk.image_chunks > 0;
  if (++walk.chunks > kMaxChunks) {
    return chunk.error(ErrorKind::too_large, chunk.offset, "the file has more than 4096 chunks besides IDAT");
  }
  if (chunk.type == kHeaderChunk) {
    if (walk.chunks > 1) return chunk.error(ErrorKind::order, chunk.offset, "there is a second IHDR");
    return take_header(chunk);
  }
  if (chunk.type == kPaletteChunk) return take_palette(chunk, walk);
  if (chunk.type == kTransparencyChunk) return take_transparency(chunk, walk);
  if (chunk.type == kEndChunk) {
    if (walk.image_chunks == 0) return chunk.error(ErrorKind::order, chunk.offset, "there is no IDAT before IEND");
    if (!chunk.data.empty()) return chunk.error(ErrorKind::header, "IEND is not empty");
    walk.ended = true;
    return std::nullopt;
  }
  if (is_ancillary(chunk.type)) return std::nullopt;
  return chunk.error(ErrorKind::unsupported, chunk.offset + kLengthBytes, "a critical chunk of unknown type");
}

std::optional<Error> PngFile::take_header(const Chunk& chunk) {
  const std::size_t at = chunk.data_offset();
  if (chunk.data.size() != kHeaderBytes) {
    return chunk.error(ErrorKind::header, chunk.offset, "IHDR is not 13 bytes long");
  }
  const std::uint8_t* const field = chunk.data.data();
  header_.size = {big_endian(field), big_endian(field + 4)};
  if (header_.size.width == 0) return chunk.error(ErrorKind::header, at, "the width is 0");
  if (header_.size.height == 0) return chunk.error(ErrorKind::header, at + 4, "the height is 0");
  if (header_.size.width > kMaxSide) return chunk.error(ErrorKind::too_large, at, "the width is above 16384");
  if (header_.size.height > kMaxSide) return chunk.error(ErrorKind::too_large, at + 4, "the height is above 16384");
  if (std::uint64_t{header_.size.width} * header_.size.height > kMaxPixels) {
    return chunk.error(ErrorKind::too_large, at, "the picture has more than 64 Mi pixels");
  }
  const std::uint8_t type = field[9];
  if (type > 6 || type == 1 || type == 5) {
    return chunk.error(ErrorKind::header, at + 9, "the colour type is none of 0, 2, 3, 4, 6");
  }
  header_.colour_type = static_cast<ColourType>(type);
  header_.bit_depth = field[8];
  if (!is_depth_of(header_.colour_type, header_.bit_depth)) {
    return chunk.error(ErrorKind::header, at + 8, "the bit depth does not go with the colour type");
  }
  if (field[10] != 0) return chunk.error(ErrorKind::header, at + 10, "the compression method is not 0");
  if (field[11] != 0) return chunk.error(ErrorKind::header, at + 11, "the filter method is not 0");
  if (field[12] > 1) return chunk.error(ErrorKind::header, at + 12, "the interlace method is neither 0 nor 1");
  header_.interlaced = field[12] == 1;
  return std::nullopt;
}

std::optional<Error> PngFile::take_palette(const Chunk& chunk, Walk& walk) {
  const auto misplaced = [&](std::string_view what) { return chunk.error(ErrorKind::order, chunk.offset, what); };
  if (walk.image_chunks > 0) return misplaced("PLTE stands behind the image data");
  if (walk.palette_entries > 0) return misplaced("there is a second PLTE");
  if (header_.colour_type == ColourType::grey || header_.colour_type == ColourType::grey_alpha) {
    return misplaced("a grey picture has a PLTE");
  }
  if (transparent_) return misplaced("tRNS stands before PLTE");
  const std::size_t entries = chunk.data.size() / 3;
  const std::size_t most = header_.colour_type == ColourType::palette ? std::size_t{1} << header_.bit_depth : 256;
  if (chunk.data.size() % 3 != 0 || entries == 0 || entries > most) {
    return chunk.error(ErrorKind::header, chunk.offset, "the length of PLTE does not go with the bit depth");
  }
  walk.palette_entries = entries;
  for (std::size_t i = 0; i < entries; ++i) std::copy_n(chunk.data.data() + 3 * i, 3, palette_[i].data());
  return std::nullopt;
}

std::optional<Error> PngFile::take_transparency(const Chunk& chunk, const Walk& walk) {
  if (walk.image_chunks > 0) return chunk.error(ErrorKind::order, chunk.offset, "tRNS stands behind the image data");
  const auto sample = [&](std::size_t i) {
    return static_cast<std::uint16_t>((chunk.data[2 * i] << 8) | chunk.data[2 * i + 1]);
  };
  switch (header_.colour_type) {
    case ColourType::palette:
      if (walk.palette_entries == 0) {
        return chunk.error(ErrorKind::order, chunk.offset, "tRNS stands before PLTE");
      }
      // One that is longer than the palette is ignored, as libpng and libspng do.
      if (chunk.data.size() > walk.palette_entries) return std::nullopt;
      for (std::size_t i = 0; i < chunk.data.size(); ++i) palette_[i][3] = chunk.data[i];
      return std::nullopt;
    case ColourType::grey:
    case ColourType::rgb: {
      const std::size_t samples = header_.channels();
      if (chunk.data.size() != 2 * samples) {
        return chunk.error(ErrorKind::header, chunk.offset, "the length of tRNS does not go with the colour type");
      }
      transparent_.emplace();
      for (std::size_t i = 0; i < samples; ++i) (*transparent_)[i] = sample(i);
      return std::nullopt;
    }
    case ColourType::grey_alpha:
    case ColourType::rgba: return std::nullopt;  // has alpha of its own: ignored, as everybody does
  }
  return std::nullopt;
}

std::size_t PngFile::file_offset(std::size_t stream_offset) const noexcept {
  std::size_t at = first_image_chunk_;
  while (true) {
    const std::size_t length = big_endian(file_.data() + at);
    const std::size_t data = at + kLengthBytes + kTypeBytes;
    const std::size_t next = at + kFrameBytes + length;
    const bool last = !std::equal(kImageChunk.begin(), kImageChunk.end(), file_.data() + next + kLengthBytes);
    if (stream_offset < length || last) return data + std::min(stream_offset, length);
    stream_offset -= length;
    at = next;
  }
}

}  // namespace mediacore::picture
