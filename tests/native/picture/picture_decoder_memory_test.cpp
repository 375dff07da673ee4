// What a decoder holds on to of pictures that were refused: no more than of others.
#include <gtest/gtest.h>
#include <libdeflate.h>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/picture/picture_decoder.hpp"
#include "core/picture/pooled_screen.hpp"
#include "shot_bytes.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEDIACORE_SANITIZED_HEAP
// Of the sanitizers' allocator_interface.h, which GCC does not install. NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#else
#include <malloc.h>
#endif

namespace mediacore::picture {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kSide = 4500;
constexpr std::size_t kPixelBytes = std::size_t{4} * kSide * kSide;  // 81 MB: more than is kept

Bytes gzip_of(const std::string& data) {
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
      libdeflate_alloc_compressor(1), libdeflate_free_compressor);
  Bytes out(libdeflate_gzip_compress_bound(compressor.get(), data.size()));
  out.resize(libdeflate_gzip_compress(compressor.get(), data.data(), data.size(), out.data(), out.size()));
  return out;
}

const Bytes& large_screen() {
  static const Bytes file = gzip_of(testing::raw_screen(kSide, kSide, 'x'));
  return file;
}

std::size_t heap_bytes() {
#ifdef MEDIACORE_SANITIZED_HEAP
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

// Each kept its pixels until the next picture of this form was decoded, up to 256 MiB.
TEST(PictureDecoderMemory, IsGivenBackForWhatIsRefused) {
  Bytes damaged = large_screen();
  damaged[damaged.size() - 8] ^= 1;  // CRC
  PictureDecoder decoder;
  const std::size_t before = heap_bytes();
  EXPECT_FALSE(decoder.open_screencap(damaged));
  EXPECT_LT(heap_bytes(), before + kPixelBytes / 2);
}

TEST(PictureDecoderMemory, IsGivenBackForWhatHasNoSlot) {
  PooledScreen screen(std::make_shared<memory::FramePool>(3, 64), Matrix::bt709);
  Framed framed;
  framed.form = WireForm::gzip;
  framed.data = large_screen();
  const std::size_t before = heap_bytes();
  const auto decoded = screen.decode(framed, {}, 0);
  ASSERT_TRUE(std::holds_alternative<Fault>(decoded));
  EXPECT_EQ(std::get<Fault>(decoded).damage, Damage::oversize);
  EXPECT_LT(heap_bytes(), before + kPixelBytes / 2);
}

TEST(PictureDecoderMemory, IsGivenBackWhenAnotherPictureIsOpened) {
  const Bytes& file = large_screen();
  PictureDecoder decoder;
  const std::size_t before = heap_bytes();
  EXPECT_TRUE(decoder.open_screencap(file));
  EXPECT_GT(heap_bytes(), before + kPixelBytes / 2);
  EXPECT_FALSE(decoder.open_png({}));
  EXPECT_LT(heap_bytes(), before + kPixelBytes / 2);
}

}  // namespace
}  // namespace mediacore::picture
