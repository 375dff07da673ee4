// gzip files (RFC 1952) of one member, into a buffer of known size.
//
// Guarantees: nothing is written past the buffer; a file that gives less or more than the buffer takes, whose CRC is wrong
//   or that has bytes behind its end is an error.
// Memory: libdeflate's tables, made once. Threads: one owner.
#pragma once

#include <libdeflate.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/picture/picture_error.hpp"

namespace mediacore::picture {

class Gunzip {
 public:
  Gunzip();  // std::bad_alloc

  std::optional<Error> run(std::span<const std::uint8_t> file, std::span<std::uint8_t> out);

 private:
  struct Free {
    void operator()(libdeflate_decompressor* it) const noexcept { libdeflate_free_decompressor(it); }
  };
  std::unique_ptr<libdeflate_decompressor, Free> decompressor_;
};

bool is_gzip(std::span<const std::uint8_t> file) noexcept;

// What a gzip file says of its output's size, modulo 2^32.
Result<std::uint32_t> gzip_output_bytes(std::span<const std::uint8_t> file) noexcept;

}  // namespace mediacore::picture
