#include "core/picture/inflater.hpp"

#include <new>

namespace mediacore::picture {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kLeastGzipBytes = 18;  // header and trailer

std::optional<Error> error_of(libdeflate_result result, std::size_t made, std::size_t wanted) {
  switch (result) {
    case LIBDEFLATE_SUCCESS: break;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      return Error{ErrorKind::size_mismatch, 0, "there is more image data than the picture's size wants"};
    case LIBDEFLATE_BAD_DATA:
    case LIBDEFLATE_SHORT_OUTPUT: return Error{ErrorKind::zlib, 0, "the compressed data does not decompress"};
  }
  if (made != wanted) {
    return Error{ErrorKind::size_mismatch, 0, "there is less image data than the picture's size wants"};
  }
  return std::nullopt;
}

// RFC 1950, 2.2.
std::optional<Error> check_zlib_header(Bytes stream) {
  const auto error = [](std::size_t at, std::string_view what) { return Error{ErrorKind::zlib, at, what}; };
  if (stream.size() < kZlibHeaderBytes + kAdlerBytes) return error(stream.size(), "the zlib stream ends too early");
  const unsigned method = stream[0];
  const unsigned flags = stream[1];
  if ((method & 0x0FU) != 8) return error(0, "the compression method of the zlib stream is not 8");
  if ((method >> 4) > 7) return error(0, "the window of the zlib stream is larger than 32 KiB");
  if ((method * 256 + flags) % 31 != 0) return error(1, "the check bits of the zlib header are wrong");
  if ((flags & 0x20U) != 0) return error(1, "the zlib stream wants a preset dictionary");
  return std::nullopt;
}

}  // namespace

Inflater::Inflater() : decompressor_(libdeflate_alloc_decompressor()) {
  if (!decompressor_) throw std::bad_alloc();
}

Inflater::Outcome Inflater::zlib(Bytes stream, std::span<std::uint8_t> out) {
  if (auto error = check_zlib_header(stream)) return {error};
  const Bytes data = stream.subspan(kZlibHeaderBytes, stream.size() - kZlibHeaderBytes - kAdlerBytes);
  std::size_t read = 0;
  std::size_t made = 0;
  const auto result = libdeflate_deflate_decompress_ex(decompressor_.get(), data.data(), data.size(), out.data(),
                                                       out.size(), &read, &made);
  if (auto error = error_of(result, made, out.size())) return {error};
  if (read != data.size()) {
    return {Error{ErrorKind::size_mismatch, kZlibHeaderBytes + read + kAdlerBytes,
                  "there are bytes behind the end of the zlib stream"}};
  }
  return {std::nullopt, kZlibHeaderBytes + read};
}

std::optional<Error> Inflater::gzip(Bytes file, std::span<std::uint8_t> out) {
  std::size_t read = 0;
  std::size_t made = 0;
  const auto result = libdeflate_gzip_decompress_ex(decompressor_.get(), file.data(), file.size(), out.data(),
                                                    out.size(), &read, &made);
  if (auto error = error_of(result, made, out.size())) return error;
  if (read != file.size()) {
    return Error{ErrorKind::size_mismatch, read, "there are bytes behind the end of the gzip file"};
  }
  return std::nullopt;
}

std::optional<std::uint32_t> gzip_output_bytes(Bytes file) noexcept {
  if (file.size() < kLeastGzipBytes || file[0] != 0x1F || file[1] != 0x8B) return std::nullopt;
  const std::uint8_t* const size = file.data() + file.size() - 4;
  return std::uint32_t{size[0]} | (std::uint32_t{size[1]} << 8) | (std::uint32_t{size[2]} << 16) |
         (std::uint32_t{size[3]} << 24);
}

}  // namespace mediacore::picture
