// PNG files made piece by piece, for tests.
#pragma once

#include <libdeflate.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/picture/png_file.hpp"

namespace mediacore::picture {

using Bytes = std::vector<std::uint8_t>;

inline void put_big_endian(Bytes& out, std::uint32_t value) {
  for (unsigned shift = 32; shift > 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> (shift - 8)));
}

inline void put_chunk(Bytes& out, const std::string& type, const Bytes& data) {
  put_big_endian(out, static_cast<std::uint32_t>(data.size()));
  const std::size_t begin = out.size();
  out.insert(out.end(), type.begin(), type.end());
  out.insert(out.end(), data.begin(), data.end());
  put_big_endian(out, libdeflate_crc32(0, out.data() + begin, out.size() - begin));
}

inline Bytes zlib_stream(const Bytes& data, int level = 6) {
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
      libdeflate_alloc_compressor(level), libdeflate_free_compressor);
  Bytes out(libdeflate_zlib_compress_bound(compressor.get(), data.size()));
  out.resize(libdeflate_zlib_compress(compressor.get(), data.data(), data.size(), out.data(), out.size()));
  return out;
}

// `filtered` is the rows behind their filters.
inline Bytes png_file(const PngHeader& header, const Bytes& filtered, std::size_t idat_bytes = 8192) {
  Bytes out{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  Bytes fields;
  put_big_endian(fields, header.size.width);
  put_big_endian(fields, header.size.height);
  for (const unsigned field :
       {unsigned{header.bit_depth}, static_cast<unsigned>(header.colour_type), 0U, 0U, header.interlaced ? 1U : 0U}) {
    fields.push_back(static_cast<std::uint8_t>(field));
  }
  put_chunk(out, "IHDR", fields);
  const Bytes stream = zlib_stream(filtered);
  for (std::size_t at = 0; at < stream.size(); at += idat_bytes) {
    const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = stream.begin() + static_cast<std::ptrdiff_t>(std::min(stream.size(), at + idat_bytes));
    put_chunk(out, "IDAT", {begin, end});
  }
  put_chunk(out, "IEND", {});
  return out;
}

}  // namespace mediacore::picture
