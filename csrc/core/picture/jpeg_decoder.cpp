#include "core/picture/jpeg_decoder.hpp"

#include "core/picture/limits.hpp"

namespace mediacore::picture {
namespace {

constexpr std::size_t kPixelBytes = 4;

bool has_end(std::span<const std::uint8_t> file) noexcept {
  return file.size() >= 2 && file[file.size() - 2] == 0xFF && file[file.size() - 1] == 0xD9;
}

}  // namespace

Error JpegDecoder::error_of(ErrorKind kind, std::string_view what) const noexcept {
  // Where libjpeg was is not told.
  if (!has_end(open_)) return {ErrorKind::truncated, open_.size(), "the data ends inside the JPEG"};
  return {kind, 0, what};
}

Result<Size> JpegDecoder::open(std::span<const std::uint8_t> data) {
  if (!library_) library_ = std::make_unique<JpegLibrary>(stop_);
  open_ = data;
  if (data.size() > kMaxFileBytes) {
    return Error{ErrorKind::too_large, kMaxFileBytes, "the file is larger than 128 MiB"};
  }
  if (!library_->read_header(data)) return error_of(ErrorKind::header, "there is no header of a JPEG");
  size_ = library_->size();
  if (auto error = check_size(size_)) return *error;
  if (library_->colours() == JpegLibrary::Colours::unknown) {
    return Error{ErrorKind::unsupported, 0, "the colours are neither grey, nor Y Cb Cr, nor R G B"};
  }
  return size_;
}

std::optional<Error> JpegDecoder::decode(Matrix matrix, const I420Planes& planes) {
  const bool is_halved = library_->colours() == JpegLibrary::Colours::halved;
  auto error = is_halved ? decode_halved(matrix, planes) : decode_pixels(matrix, planes);
  scratch_.trim(kKeptBytes);
  return error;
}

std::optional<Error> JpegDecoder::decode_halved(Matrix matrix, const I420Planes& planes) {
  const I420Layout layout = JpegLibrary::padded(size_);
  const I420Planes whole = layout.planes(scratch_.take(layout.bytes()).data());
  if (!library_->read_planes(whole)) return error_of(ErrorKind::jpeg, "the JPEG does not decode");
  reshaper_.reshape({whole.y, whole.u, whole.v, whole.luma_stride, whole.chroma_stride, whole.chroma_stride, size_},
                    {Matrix::bt601, true}, matrix, planes);
  return std::nullopt;
}

std::optional<Error> JpegDecoder::decode_pixels(Matrix matrix, const I420Planes& planes) {
  const std::size_t stride = size_.width * kPixelBytes;
  const std::span<std::uint8_t> pixels = scratch_.take(stride * size_.height);
  if (!library_->read_pixels(pixels.data(), stride)) return error_of(ErrorKind::jpeg, "the JPEG does not decode");
  raw_converter_.convert({pixels, size_, stride, PixelFormat::rgbx8888}, matrix, planes);
  return std::nullopt;
}

}  // namespace mediacore::picture
