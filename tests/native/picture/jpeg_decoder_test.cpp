// Progressive JPEG files of few bytes and many scans: how many there may be, and that they can be stopped. What is decoded
// from sound files is compared with other decoders in tests/picture/test_picture_jpeg.py.
#include "core/picture/jpeg_decoder.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <stop_token>
#include <utility>
#include <vector>

#include "core/picture/picture_decoder.hpp"
#include "core/picture/pooled_screen.hpp"

namespace mediacore::picture {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put_segment(Bytes& out, std::uint8_t marker, const Bytes& data) {
  const std::size_t length = data.size() + 2;
  out.insert(out.end(), {0xFF, marker, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
  out.insert(out.end(), data.begin(), data.end());
}

// A table of one symbol, whose code is a 0.
Bytes huffman_table(std::uint8_t id, std::uint8_t symbol) {
  Bytes table(18);
  table[0] = id;
  table[1] = 1;
  table[17] = symbol;
  return table;
}

// Grey, of zeros. A code of the first scan says that a block's DC is 0, one of the others that 16384 blocks have no AC.
Bytes jpeg_of(std::uint16_t side, std::size_t scans) {
  const auto high = static_cast<std::uint8_t>(side >> 8);
  const auto low = static_cast<std::uint8_t>(side);
  const std::size_t blocks = std::size_t{(side + 7U) / 8} * ((side + 7U) / 8);
  Bytes out{0xFF, 0xD8};
  Bytes quantizers(65, 1);
  quantizers[0] = 0;
  put_segment(out, 0xDB, quantizers);
  put_segment(out, 0xC2, {8, high, low, high, low, 1, 1, 0x11, 0});
  put_segment(out, 0xC4, huffman_table(0x00, 0));
  put_segment(out, 0xC4, huffman_table(0x10, 0xE0));
  put_segment(out, 0xDA, {1, 1, 0, 0, 0, 0});
  out.resize(out.size() + (blocks + 7) / 8);
  for (std::size_t i = 1; i < scans; ++i) {
    put_segment(out, 0xDA, {1, 1, 0, 1, 63, 0});
    out.resize(out.size() + (15 * ((blocks + 16383) / 16384) + 7) / 8);
  }
  out.insert(out.end(), {0xFF, 0xD9});
  return out;
}

bool decodes(const Bytes& file) {
  PictureDecoder decoder;
  const auto size = decoder.open_jpeg(file);
  EXPECT_TRUE(size);
  if (!size) return false;
  const I420Layout layout(*size);
  Bytes block(layout.bytes());
  const auto error = decoder.decode(Matrix::bt709, layout.planes(block.data()));
  EXPECT_TRUE(!error || error->kind == ErrorKind::jpeg);
  return !error;
}

// 500 at any size: 181 KB cost 10 s.
TEST(JpegDecoderTest, TakesFewerScansOfLargerPictures) {
  constexpr std::array<std::pair<std::uint16_t, std::size_t>, 2> kMost{{{8, 500}, {4096, 40}}};
  for (const auto& [side, scans] : kMost) {
    EXPECT_TRUE(decodes(jpeg_of(side, scans))) << side;
    EXPECT_FALSE(decodes(jpeg_of(side, scans + 1))) << side;
  }
}

TEST(JpegDecoderTest, ScansEndWhenItIsToStop) {
  std::stop_source stop;
  const auto pool = std::make_shared<memory::FramePool>(3, I420Layout({8, 8}).bytes());
  PooledScreen screen(pool, Matrix::bt709, stop.get_token());
  Framed framed;
  framed.form = WireForm::jpeg;
  const Bytes first = jpeg_of(8, 2);
  framed.data = first;
  EXPECT_TRUE(std::holds_alternative<PooledPicture>(screen.decode(framed, {}, 0)));
  stop.request_stop();
  const Bytes second = jpeg_of(8, 3);
  framed.data = second;
  EXPECT_TRUE(std::holds_alternative<Fault>(screen.decode(framed, {}, 0)));
}

}  // namespace
}  // namespace mediacore::picture
