// The pictures of one screen, one after the other.
//
// Guarantees: data that is byte for byte that of the picture before is recognised without being decoded, or looked at
//   in any other way. A picture that could not be decoded leaves the one before as the last one.
// Memory: a copy of the last PNG, gzip or JPEG file. Raw pixels are not kept: to convert and compare them costs less.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "core/picture/picture_decoder.hpp"
#include "core/picture/wire_form.hpp"

namespace mediacore::picture {

class ScreenDecoder {
 public:
  struct Opened {
    Size size;
    bool unchanged;  // then there is nothing to decode
  };

  // See JpegDecoder.
  explicit ScreenDecoder(std::stop_token stop = {}) : decoder_(std::move(stop)) {}  // std::bad_alloc

  // The data must stay until `decode` is through.
  // `raw` and `gzip` are the same here: both are what screencap writes, and tell themselves apart.
  Result<Opened> open(WireForm form, std::span<const std::uint8_t> data);

  // Rows that `check` finds nothing in; they are not looked at for being unchanged.
  Result<Opened> open(const RawPicture& picture);

  // The next picture is not compared with the last one.
  void forget() noexcept { last_.clear(); }

  // What was opened is not to be decoded.
  void drop() noexcept { decoder_.drop(); }

  // As PictureDecoder::decode. After it, what was opened is the last picture.
  std::optional<Error> decode(Matrix matrix, const I420Planes& planes);

 private:
  // Above it nothing is kept: a PNG of a screen is smaller, and the pixels of one larger.
  static constexpr std::size_t kMostKept = std::size_t{4} << 20;

  PictureDecoder decoder_;
  std::span<const std::uint8_t> open_;
  WireForm open_form_ = WireForm::png;
  Size open_size_;
  std::vector<std::uint8_t> last_;
  WireForm last_form_ = WireForm::png;
  Size last_size_;
};

}  // namespace mediacore::picture
