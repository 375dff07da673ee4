#include "core/picture/picture_decoder.hpp"

#include "core/picture/limits.hpp"

namespace mediacore::picture {

Result<Size> PictureDecoder::open_png(std::span<const std::uint8_t> data) {
  drop();
  open_ = Kind::png;
  return png_.open(data);
}

Result<Size> PictureDecoder::open_jpeg(std::span<const std::uint8_t> data) {
  drop();
  open_ = Kind::jpeg;
  return jpeg_.open(data);
}

Result<Size> PictureDecoder::open(WireForm form, std::span<const std::uint8_t> data) {
  if (form == WireForm::png) return open_png(data);
  if (form == WireForm::jpeg) return open_jpeg(data);
  return open_screencap(data);
}

Result<Size> PictureDecoder::open_raw(const RawPicture& picture) {
  drop();
  return open_rows(picture);
}

Result<Size> PictureDecoder::open_rows(const RawPicture& picture) {
  if (auto error = check(picture)) return *error;
  raw_ = picture;
  open_ = Kind::raw;
  return picture.size;
}

Result<Size> PictureDecoder::open_screencap(std::span<const std::uint8_t> data) {
  drop();
  auto size = open_pixels(data);
  if (!size) drop();
  return size;
}

Result<Size> PictureDecoder::open_pixels(std::span<const std::uint8_t> data) {
  // No header begins like this: its width would be above any limit.
  if (is_gzip(data)) {
    const auto claimed = gzip_output_bytes(data);
    if (!claimed) return claimed.error();
    if (data.size() > kMaxFileBytes) {
      return Error{ErrorKind::too_large, kMaxFileBytes, "the file is larger than 128 MiB"};
    }
    if (*claimed > kMaxPixels * 4 + kScreencapHeader || *claimed > data.size() * kMaxDeflateRatio) {
      return Error{ErrorKind::size_mismatch, data.size() - 4, "the gzip file cannot hold what it claims to"};
    }
    const std::span<std::uint8_t> out = inflated_.take(*claimed);
    if (auto error = gunzip_.run(data, out)) return *error;
    data = out;
  }
  const auto screencap = read_screencap(data);
  if (!screencap) return screencap.error();
  return open_rows(screencap->picture);
}

std::optional<Error> PictureDecoder::decode(Matrix matrix, const I420Planes& planes) {
  if (open_ == Kind::png) return png_.decode(matrix, planes);
  if (open_ == Kind::jpeg) return jpeg_.decode(matrix, planes);
  raw_converter_.convert(raw_, matrix, planes);
  drop();
  return std::nullopt;
}

}  // namespace mediacore::picture
