// A PNG in pieces, so that a mutator can change one and seal it again: with right checksums, the change gets past them.
#pragma once

#include <libdeflate.h>

#include <array>
#include <cstring>
#include <memory>

#include "input.hpp"

namespace mediacore::fuzz {

inline constexpr std::array<std::uint8_t, 8> kPngSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
inline constexpr std::size_t kChunkFrame = 12;
inline constexpr std::size_t kMostInflated = std::size_t{1} << 14;

struct PngChunk {
  std::array<char, 4> type{};
  Buffer data;

  bool is(const char* name) const { return std::memcmp(type.data(), name, type.size()) == 0; }
};

inline std::uint32_t big_endian(const std::uint8_t* at) {
  return (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) | at[3];
}
inline void put_big_endian(Buffer& out, std::uint32_t value) {
  for (unsigned shift = 32; shift > 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> (shift - 8)));
}

// The chunks at the front of an input, whatever they hold, and how many bytes they take; none if there is no signature.
struct PngChunks {
  std::vector<PngChunk> chunks;
  std::size_t bytes = 0;
};
inline PngChunks chunks_of(Bytes input) {
  PngChunks found;
  if (input.size() < kPngSignature.size() || !equal(input.first(kPngSignature.size()), kPngSignature)) return found;
  std::size_t at = kPngSignature.size();
  while (input.size() - at >= kChunkFrame) {
    const std::size_t length = big_endian(input.data() + at);
    if (length > input.size() - at - kChunkFrame) break;
    PngChunk chunk;
    std::memcpy(chunk.type.data(), input.data() + at + 4, chunk.type.size());
    const auto data = input.subspan(at + 8, length);
    chunk.data.assign(data.begin(), data.end());
    found.chunks.push_back(std::move(chunk));
    at += kChunkFrame + length;
    if (found.chunks.back().is("IEND")) break;
  }
  found.bytes = at;
  return found;
}

// The file with right lengths and CRCs.
inline Buffer sealed(const std::vector<PngChunk>& chunks) {
  Buffer out(kPngSignature.begin(), kPngSignature.end());
  for (const PngChunk& chunk : chunks) {
    put_big_endian(out, static_cast<std::uint32_t>(chunk.data.size()));
    const std::size_t begin = out.size();
    out.insert(out.end(), chunk.type.begin(), chunk.type.end());
    out.insert(out.end(), chunk.data.begin(), chunk.data.end());
    put_big_endian(out, libdeflate_crc32(0, out.data() + begin, out.size() - begin));
  }
  return out;
}

inline Buffer image_stream(const std::vector<PngChunk>& chunks) {
  Buffer stream;
  for (const PngChunk& chunk : chunks) {
    if (chunk.is("IDAT")) stream.insert(stream.end(), chunk.data.begin(), chunk.data.end());
  }
  return stream;
}

// Puts `stream` into IDATs of `most` bytes where the first one stands.
inline void put_image_stream(std::vector<PngChunk>& chunks, const Buffer& stream, std::size_t most) {
  std::vector<PngChunk> others;
  bool done = false;
  for (PngChunk& chunk : chunks) {
    if (!chunk.is("IDAT")) {
      others.push_back(std::move(chunk));
      continue;
    }
    for (std::size_t at = 0; !done && at < stream.size(); at += most) {
      const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = stream.begin() + static_cast<std::ptrdiff_t>(std::min(stream.size(), at + most));
      others.push_back({{'I', 'D', 'A', 'T'}, {begin, end}});
    }
    done = true;
  }
  chunks = std::move(others);
}

// What a DEFLATE stream gives, at most kMostInflated bytes; false if it is none, or gives more.
inline bool inflate(Bytes deflate, Buffer& out) {
  static const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  out.resize(kMostInflated);
  std::size_t read = 0;
  std::size_t made = 0;
  const auto result = libdeflate_deflate_decompress_ex(decompressor.get(), deflate.data(), deflate.size(), out.data(),
                                                       out.size(), &read, &made);
  out.resize(result == LIBDEFLATE_SUCCESS ? made : 0);
  return result == LIBDEFLATE_SUCCESS;
}

// The levels that give stored, fixed and dynamic blocks in different ways; an index of `compressed`.
inline constexpr std::array<int, 4> kLevels{0, 1, 6, 8};

// A zlib stream of `data`.
inline Buffer compressed(Bytes data, std::size_t level) {
  using Compressor = std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)>;
  static const std::array<Compressor, kLevels.size()> compressors{{
      {libdeflate_alloc_compressor(kLevels[0]), libdeflate_free_compressor},
      {libdeflate_alloc_compressor(kLevels[1]), libdeflate_free_compressor},
      {libdeflate_alloc_compressor(kLevels[2]), libdeflate_free_compressor},
      {libdeflate_alloc_compressor(kLevels[3]), libdeflate_free_compressor},
  }};
  const Compressor& compressor = compressors[level];
  Buffer out(libdeflate_zlib_compress_bound(compressor.get(), data.size()));
  out.resize(libdeflate_zlib_compress(compressor.get(), data.data(), data.size(), out.data(), out.size()));
  return out;
}

// Gives the stream the right check bits and, if it decompresses, the right Adler-32.
inline void seal_stream(Buffer& stream) {
  if (stream.size() < 6) return;
  stream[0] = 0x78;
  stream[1] = 0x9C;
  Buffer data;
  if (!inflate(Bytes(stream).subspan(2, stream.size() - 6), data)) return;
  const std::uint32_t adler = libdeflate_adler32(1, data.data(), data.size());
  stream.resize(stream.size() - 4);
  put_big_endian(stream, adler);
}

}  // namespace mediacore::fuzz
