#include "core/picture/screen_decoder.hpp"

#include <algorithm>

namespace mediacore::picture {

Result<ScreenDecoder::Opened> ScreenDecoder::open(WireForm form, std::span<const std::uint8_t> data) {
  if (!last_.empty() && form == last_form_ && std::equal(data.begin(), data.end(), last_.begin(), last_.end())) {
    return Opened{last_size_, true};
  }
  const auto size = decoder_.open(form, data);
  if (!size) return size.error();
  open_ = data;
  open_form_ = form;
  open_size_ = *size;
  return Opened{*size, false};
}

Result<ScreenDecoder::Opened> ScreenDecoder::open(const RawPicture& picture) {
  const auto size = decoder_.open_raw(picture);
  if (!size) return size.error();
  open_ = {};
  open_form_ = WireForm::rgb888;
  open_size_ = *size;
  return Opened{*size, false};
}

std::optional<Error> ScreenDecoder::decode(Matrix matrix, const I420Planes& planes) {
  if (auto error = decoder_.decode(matrix, planes)) return error;
  last_form_ = open_form_;
  last_size_ = open_size_;
  last_.clear();
  if (open_.size() <= kMostKept) last_.assign(open_.begin(), open_.end());
  open_ = {};
  return std::nullopt;
}

}  // namespace mediacore::picture
