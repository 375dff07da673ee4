// The outcome of work on an untrusted picture: a value, or what was wrong and at which byte.
//
// Policy: expected failure is a value, never an exception. `what` is a sentence without a full stop, for people; `kind`
//   is for programs, and each kind has a stable word (`word_of`).
// Threads: plain values. Memory: the sentences are literals.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

namespace mediacore::picture {

enum class ErrorKind : std::uint8_t {
  not_a_png,      // other bytes than a PNG begins with
  truncated,      // the data ends too early
  crc,            // a chunk's checksum is wrong
  header,         // a field has a value that the format does not know
  order,          // a chunk is missing, in the wrong place, or there twice
  unsupported,    // the format knows it, this decoder does not
  too_large,      // above one of the limits
  zlib,           // the compressed stream does not decompress
  adler,          // the checksum of what was decompressed is wrong
  filter,         // a row's filter is none of the five
  size_mismatch,  // more or less data than the picture's size wants
  jpeg,           // the JPEG's compressed data does not decode
};

constexpr std::string_view word_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::not_a_png: return "not-a-png";
    case ErrorKind::truncated: return "truncated";
    case ErrorKind::crc: return "crc";
    case ErrorKind::header: return "header";
    case ErrorKind::order: return "order";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::too_large: return "too-large";
    case ErrorKind::zlib: return "zlib";
    case ErrorKind::adler: return "adler";
    case ErrorKind::filter: return "filter";
    case ErrorKind::size_mismatch: return "size-mismatch";
    case ErrorKind::jpeg: return "jpeg";
  }
  return "unknown";
}

using ChunkType = std::array<char, 4>;
inline constexpr ChunkType kNoChunk{};
inline constexpr ChunkType kImageChunk{'I', 'D', 'A', 'T'};

struct Error {
  ErrorKind kind;
  std::size_t byte_offset;  // in the bytes that were given: where the wrong field begins, or where they end too early
  std::string_view what;
  ChunkType chunk = kNoChunk;  // the PNG chunk it was found in
};

template <class T>
class Result {
 public:
  Result(T value) : content_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error) : content_(error) {}         // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return content_.index() == 0; }
  const T& operator*() const noexcept { return *std::get_if<0>(&content_); }
  const T* operator->() const noexcept { return std::get_if<0>(&content_); }
  const Error& error() const noexcept { return *std::get_if<1>(&content_); }

 private:
  std::variant<T, Error> content_;
};

}  // namespace mediacore::picture
