#include "core/picture/gzip.hpp"

#include <new>

namespace mediacore::picture {
namespace {

constexpr std::size_t kLeastBytes = 18;  // header and trailer
constexpr std::size_t kSizeBytes = 4;    // at the end

}  // namespace

Gunzip::Gunzip() : decompressor_(libdeflate_alloc_decompressor()) {
  if (!decompressor_) throw std::bad_alloc();
}

std::optional<Error> Gunzip::run(std::span<const std::uint8_t> file, std::span<std::uint8_t> out) {
  std::size_t read = 0;
  std::size_t made = 0;
  const auto result = libdeflate_gzip_decompress_ex(decompressor_.get(), file.data(), file.size(), out.data(),
                                                    out.size(), &read, &made);
  // The size stands in the last bytes of the file, so what does not fit it is damage like any other.
  if (result != LIBDEFLATE_SUCCESS || made != out.size()) {
    return Error{ErrorKind::zlib, 0, "the gzip file does not decompress"};
  }
  if (read != file.size()) {
    return Error{ErrorKind::size_mismatch, read, "there are bytes behind the end of the gzip file"};
  }
  return std::nullopt;
}

bool is_gzip(std::span<const std::uint8_t> file) noexcept {
  return file.size() >= 2 && file[0] == 0x1F && file[1] == 0x8B;
}

Result<std::uint32_t> gzip_output_bytes(std::span<const std::uint8_t> file) noexcept {
  if (file.size() < kLeastBytes) return Error{ErrorKind::truncated, file.size(), "the data ends inside the gzip file"};
  const std::uint8_t* const size = file.data() + file.size() - kSizeBytes;
  return std::uint32_t{size[0]} | (std::uint32_t{size[1]} << 8) | (std::uint32_t{size[2]} << 16) |
         (std::uint32_t{size[3]} << 24);
}

}  // namespace mediacore::picture
