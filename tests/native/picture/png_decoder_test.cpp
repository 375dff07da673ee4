// Decoding as a whole, under the sanitizers: planes in guarded memory, every change and cut of a file, many threads. The
// table of what is refused, and where, is in tests/picture/test_picture_errors.py.
#include "core/picture/png_decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "core/picture/colour.hpp"
#include "core/picture/decoder_pool.hpp"
#include "core/picture/screen_decoder.hpp"
#include "core/picture/unfilter.hpp"
#include "guarded.hpp"
#include "png_bytes.hpp"

namespace mediacore::picture {
namespace {

struct Picture {
  Bytes file;
  Bytes pixels;  // R G B or R G B A
  PngHeader header;
};

// Random filters and residuals, among them rows that repeat; the pixels are what the scalar kernels make of them.
Picture random_picture(Size size, ColourType type, unsigned seed) {
  std::minstd_rand random(seed);
  const auto byte = [&random] { return static_cast<std::uint8_t>(random() >> 8); };
  Picture picture;
  picture.header.size = size;
  picture.header.colour_type = type;
  const std::size_t bytes = picture.header.row_bytes(size.width);
  const auto& kernels = unfilter::scalar(picture.header.filter_bytes());
  Bytes filtered;
  Bytes above(bytes);
  Bytes row(bytes);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    const bool repeats = y % 16 > 5 && y % 16 < 12;
    const auto filter = static_cast<std::uint8_t>(repeats ? 2 : (y % 16 > 11 ? 4 : byte() % unfilter::kFilters));
    filtered.push_back(filter);
    for (std::size_t i = 0; i < bytes; ++i) {
      filtered.push_back(repeats || random() % 3 != 0 ? std::uint8_t{0} : byte());
    }
    const std::uint8_t* const residuals = filtered.data() + filtered.size() - bytes;
    switch (filter) {
      case unfilter::none: row.assign(residuals, residuals + bytes); break;
      case unfilter::sub: kernels.sub(residuals, above.data(), row.data(), bytes); break;
      case unfilter::up: kernels.up(residuals, above.data(), row.data(), bytes); break;
      case unfilter::average: kernels.average(residuals, above.data(), row.data(), bytes); break;
      default: kernels.paeth(residuals, above.data(), row.data(), bytes); break;
    }
    picture.pixels.insert(picture.pixels.end(), row.begin(), row.end());
    above = row;
  }
  picture.file = png_file(picture.header, filtered, 1000);
  return picture;
}

std::size_t packed_bytes(Size size) {
  return std::size_t{size.width} * size.height + 2 * (std::size_t{half(size.width)} * half(size.height));
}

I420Planes packed_planes(std::uint8_t* at, Size size) {
  std::uint8_t* const u = at + std::size_t{size.width} * size.height;
  return {at, u, u + std::size_t{half(size.width)} * half(size.height), size.width, half(size.width), size};
}

Bytes by_scalar_kernels(const Picture& picture, Matrix matrix) {
  const Size size = picture.header.size;
  const std::size_t pixel = picture.header.filter_bytes();
  Bytes out(packed_bytes(size));
  const I420Planes to = packed_planes(out.data(), size);
  const auto weights = colour::weights(matrix, pixel == 3 ? ByteOrder::rgb : ByteOrder::rgbx);
  for (std::size_t y = 0; y < size.height; y += 2) {
    const std::size_t next = std::min<std::size_t>(y + 1, size.height - 1);
    const std::size_t chroma = y / 2 * to.chroma_stride;
    const std::size_t row = size.width * pixel;
    colour::scalar(pixel)({picture.pixels.data() + y * row, picture.pixels.data() + next * row, to.y + y * size.width,
                           to.y + next * size.width, to.u + chroma, to.v + chroma, size.width},
                          weights);
  }
  return out;
}

constexpr Size kSizes[] = {{1, 1}, {2, 1}, {1, 2}, {3, 5}, {16, 16}, {33, 47}, {130, 64}, {257, 100}, {1080, 90}};

TEST(PngDecoderTest, GivesWhatTheScalarKernelsGiveInJustTheRoomThatThereIs) {
  PngDecoder decoder;
  Guarded memory(packed_bytes({1080, 90}));
  for (const Size size : kSizes) {
    for (const ColourType type : {ColourType::rgb, ColourType::rgba}) {
      for (const Matrix matrix : {Matrix::bt601, Matrix::bt709}) {
        const Picture picture = random_picture(size, type, size.width);
        const Bytes expected = by_scalar_kernels(picture, matrix);
        for (std::uint8_t* const place : {memory.front(), memory.back(expected.size())}) {
          std::fill_n(place, expected.size(), std::uint8_t{0xCC});
          ASSERT_TRUE(static_cast<bool>(decoder.open(picture.file)));
          ASSERT_FALSE(decoder.decode(matrix, packed_planes(place, size)));
          ASSERT_TRUE(std::equal(expected.begin(), expected.end(), place)) << size.width << "x" << size.height;
        }
      }
    }
  }
}

TEST(PngDecoderTest, WritesNothingBetweenRows) {
  const Size size{21, 9};
  const Picture picture = random_picture(size, ColourType::rgba, 5);
  const I420Layout layout(size);
  Bytes block(layout.bytes(), 0xCC);
  PngDecoder decoder;
  ASSERT_TRUE(static_cast<bool>(decoder.open(picture.file)));
  ASSERT_FALSE(decoder.decode(Matrix::bt709, layout.planes(block.data())));
  const auto untouched = [&](std::size_t begin, std::size_t stride, std::size_t width, std::size_t rows) {
    for (std::size_t y = 0; y < rows; ++y) {
      const auto row = block.begin() + static_cast<std::ptrdiff_t>(begin + y * stride);
      EXPECT_TRUE(std::all_of(row + static_cast<std::ptrdiff_t>(width), row + static_cast<std::ptrdiff_t>(stride),
                              [](std::uint8_t byte) { return byte == 0xCC; }));
    }
  };
  untouched(0, layout.stride, 21, 9);
  untouched(layout.u_offset(), layout.stride / 2, 11, 5);
  untouched(layout.v_offset(), layout.stride / 2, 11, 5);
}

// Whatever is changed, nothing is read or written where it must not be, and the next picture is right.
TEST(PngDecoderTest, SurvivesEveryChangedByteWithRightChecksums) {
  const Size size{17, 13};
  const Picture picture = random_picture(size, ColourType::rgb, 9);
  const Bytes expected = by_scalar_kernels(picture, Matrix::bt709);
  PngDecoder decoder;
  Bytes out(packed_bytes(size));
  std::size_t decoded = 0;
  for (std::size_t at = 8; at + 12 < picture.file.size(); ++at) {
    Bytes changed = picture.file;
    changed[at] = static_cast<std::uint8_t>(changed[at] ^ (1U << (at % 8)));
    // Seals each chunk again that can still be walked to.
    for (std::size_t chunk = 8; chunk + 12 <= changed.size();) {
      const std::size_t length = (std::size_t{changed[chunk]} << 24) | (std::size_t{changed[chunk + 1]} << 16) |
                                 (std::size_t{changed[chunk + 2]} << 8) | changed[chunk + 3];
      if (length > changed.size() - chunk - 12) break;
      Bytes crc;
      put_big_endian(crc, libdeflate_crc32(0, changed.data() + chunk + 4, length + 4));
      std::copy(crc.begin(), crc.end(), changed.begin() + static_cast<std::ptrdiff_t>(chunk + 8 + length));
      chunk += 12 + length;
    }
    const auto opened = decoder.open(changed);
    if (opened && *opened == size && !decoder.decode(Matrix::bt709, packed_planes(out.data(), size))) ++decoded;
    ASSERT_TRUE(static_cast<bool>(decoder.open(picture.file)));
    ASSERT_FALSE(decoder.decode(Matrix::bt709, packed_planes(out.data(), size)));
    ASSERT_EQ(out, expected);
  }
  // Only what says nothing of the picture may be changed unnoticed.
  EXPECT_LT(decoded, 20U);
}

TEST(PngDecoderTest, GivesLargeMemoryBack) {
  PngHeader header;
  header.size = {5000, 4000};
  header.interlaced = true;
  const Bytes file = png_file(header, Bytes(header.filtered_bytes()));
  PngDecoder decoder;
  const I420Layout layout(header.size);
  Bytes block(layout.bytes());
  ASSERT_TRUE(static_cast<bool>(decoder.open(file)));
  ASSERT_FALSE(decoder.decode(Matrix::bt709, layout.planes(block.data())));
  EXPECT_EQ(block[0], 16);
  EXPECT_EQ(block[layout.u_offset()], 128);
}

TEST(DecoderPoolTest, ServesManyThreads) {
  DecoderPool pool;
  const Picture picture = random_picture({200, 120}, ColourType::rgba, 3);
  const Bytes expected = by_scalar_kernels(picture, Matrix::bt709);
  std::vector<std::thread> threads;
  std::vector<int> wrong(8);
  for (std::size_t n = 0; n < wrong.size(); ++n) {
    threads.emplace_back([&, n] {
      Bytes out(expected.size());
      for (int turn = 0; turn < 20; ++turn) {
        const auto decoder = pool.take();
        const bool good = static_cast<bool>(decoder->open_png(picture.file)) &&
                          !decoder->decode(Matrix::bt709, packed_planes(out.data(), picture.header.size));
        wrong[n] += good && out == expected ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8));
}

TEST(DecoderPoolTest, GivesTheSameDecoderAgain) {
  DecoderPool pool;
  const PictureDecoder* first = nullptr;
  {
    const auto lease = pool.take();
    first = &*lease;
    const auto other = pool.take();
    EXPECT_NE(&*other, first);
  }
  // Given back in reverse order: the first one last.
  EXPECT_EQ(&*pool.take(), first);
}

TEST(ScreenDecoderTest, KnowsThePictureBefore) {
  const Picture picture = random_picture({30, 20}, ColourType::rgb, 1);
  const Picture other = random_picture({30, 20}, ColourType::rgb, 2);
  ScreenDecoder screen;
  Bytes out(packed_bytes({30, 20}));
  const auto opened_unchanged = [&](const Bytes& file) {
    const auto opened = screen.open(WireForm::png, file);
    EXPECT_TRUE(static_cast<bool>(opened));
    EXPECT_EQ(opened->size, (Size{30, 20}));
    return opened->unchanged;
  };
  EXPECT_FALSE(opened_unchanged(picture.file));
  EXPECT_FALSE(opened_unchanged(picture.file)) << "it was opened, but never decoded";
  EXPECT_FALSE(screen.decode(Matrix::bt709, packed_planes(out.data(), {30, 20})));
  EXPECT_TRUE(opened_unchanged(picture.file));
  EXPECT_FALSE(opened_unchanged(other.file));
  Bytes cut = picture.file;
  cut.pop_back();
  EXPECT_FALSE(static_cast<bool>(screen.open(WireForm::png, cut)));
  EXPECT_TRUE(opened_unchanged(picture.file)) << "the last picture is the last that was decoded";
}

}  // namespace
}  // namespace mediacore::picture
