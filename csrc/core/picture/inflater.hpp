// DEFLATE streams (RFC 1951) in their two coats, zlib (RFC 1950) and gzip (RFC 1952), into a buffer of known size.
//
// Guarantees: nothing is written past the buffer, so what a stream claims to expand to is no danger; a stream that gives
//   less or more than the buffer takes, or that ends before its bytes do, is an error.
// Memory: libdeflate's tables, made once. Threads: one owner each; an object is 12 KB, so each worker has its own.
#pragma once

#include <libdeflate.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/picture/picture_error.hpp"

namespace mediacore::picture {

class Inflater {
 public:
  Inflater();  // std::bad_alloc

  // The DEFLATE data of a zlib stream. The Adler-32 behind it is left to the caller, who reads the output anyway:
  // `adler_offset` is where it stands. Offsets of errors are in `stream`.
  struct Outcome {
    std::optional<Error> error;
    std::size_t adler_offset = 0;
  };
  Outcome zlib(std::span<const std::uint8_t> stream, std::span<std::uint8_t> out);

  // A whole gzip file of one member, its CRC included.
  std::optional<Error> gzip(std::span<const std::uint8_t> file, std::span<std::uint8_t> out);

 private:
  struct Free {
    void operator()(libdeflate_decompressor* it) const noexcept { libdeflate_free_decompressor(it); }
  };
  std::unique_ptr<libdeflate_decompressor, Free> decompressor_;
};

inline constexpr std::size_t kZlibHeaderBytes = 2;
inline constexpr std::size_t kAdlerBytes = 4;

// What a gzip file says of its output's size, modulo 2^32; nothing if it is too short to be one, or no gzip file.
std::optional<std::uint32_t> gzip_output_bytes(std::span<const std::uint8_t> file) noexcept;

}  // namespace mediacore::picture
