// PNG decoding against a plain decoder made of libdeflate and the scalar parts; the same picture, as I420 of its own size,
// by every instruction set's rows; smaller pictures; the same file twice on one screen. And the raw formats.
//
// The mutator takes a file apart and changes the pixels before they are compressed, the compressed bytes, a header's
// field or the order of the chunks, and seals it again, so that checksums do not stop the fuzzer.
#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <random>

#include "core/picture/colour.hpp"
#include "core/picture/dirty_rows.hpp"
#include "core/picture/expand.hpp"
#include "core/picture/png_decoder.hpp"
#include "core/picture/raw_picture.hpp"
#include "core/picture/screen_decoder.hpp"
#include "core/picture/unfilter.hpp"
#include "input.hpp"
#include "png_chunks.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace mediacore::fuzz {
namespace {

using namespace mediacore::picture;  // NOLINT(google-build-using-namespace)

constexpr std::uint64_t kMostPixels = 1 << 12;  // of what is decoded here: large pictures are slow, and nothing else

// Planes in blocks of just their size.
struct Planes {
  explicit Planes(Size size)
      : y(std::make_unique<std::uint8_t[]>(std::size_t{size.width} * size.height)),
        u(std::make_unique<std::uint8_t[]>(std::size_t{half(size.width)} * half(size.height))),
        v(std::make_unique<std::uint8_t[]>(std::size_t{half(size.width)} * half(size.height))),
        planes{y.get(), u.get(), v.get(), size.width, half(size.width), size} {}

  friend bool operator==(const Planes& a, const Planes& b) {
    const std::size_t luma = std::size_t{a.planes.size.width} * a.planes.size.height;
    const std::size_t chroma = std::size_t{half(a.planes.size.width)} * half(a.planes.size.height);
    return std::equal(a.y.get(), a.y.get() + luma, b.y.get()) && std::equal(a.u.get(), a.u.get() + chroma, b.u.get()) &&
           std::equal(a.v.get(), a.v.get() + chroma, b.v.get());
  }

  std::unique_ptr<std::uint8_t[]> y;  // NOLINT(*-avoid-c-arrays): a vector may have more room than it needs
  std::unique_ptr<std::uint8_t[]> u;  // NOLINT(*-avoid-c-arrays)
  std::unique_ptr<std::uint8_t[]> v;  // NOLINT(*-avoid-c-arrays)
  I420Planes planes;
};

// Rows of one picture or pass, undone by the scalar kernels.
void undo_plainly(const PngFile& file, Bytes& filtered, const Pass& pass, Buffer& rgba) {
  const Size whole = file.header().size;
  const Size size = pass.size_in(whole);
  if (size.width == 0 || size.height == 0) return;
  const std::size_t bytes = file.header().row_bytes(size.width);
  const auto& kernels = unfilter::scalar(file.header().filter_bytes());
  Buffer above(bytes);
  Buffer row(bytes);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    const std::uint8_t* const residuals = filtered.data() + 1;
    switch (filtered[0]) {
      case unfilter::none: row.assign(residuals, residuals + bytes); break;
      case unfilter::sub: kernels.sub(residuals, above.data(), row.data(), bytes); break;
      case unfilter::up: kernels.up(residuals, above.data(), row.data(), bytes); break;
      case unfilter::average: kernels.average(residuals, above.data(), row.data(), bytes); break;
      default: kernels.paeth(residuals, above.data(), row.data(), bytes); break;
    }
    const std::size_t first = (pass.y + std::size_t{y} * pass.step_y) * whole.width + pass.x;
    expand_row(file, row.data(), size.width, rgba.data() + 4 * first, pass.step_x);
    filtered = filtered.subspan(bytes + 1);
    std::swap(above, row);
  }
}

// R G B A of an accepted file.
Buffer decoded_plainly(Bytes data) {
  PngFile file;
  expect(!file.read(data), "an accepted file can be read");
  const auto stream = file.stream();
  Buffer filtered(file.header().filtered_bytes());
  static const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  std::size_t made = 0;
  const auto result = libdeflate_zlib_decompress(decompressor.get(), stream.data(), stream.size(), filtered.data(),
                                                 filtered.size(), &made);
  expect(result == LIBDEFLATE_SUCCESS && made == filtered.size(), "libdeflate accepts what is accepted here");
  const Size size = file.header().size;
  Buffer rgba(std::size_t{4} * size.width * size.height);
  Bytes left = filtered;
  if (file.header().interlaced) {
    for (const Pass& pass : kPasses) undo_plainly(file, left, pass, rgba);
  } else {
    undo_plainly(file, left, {0, 0, 1, 1}, rgba);
  }
  expect(left.empty(), "all rows were there");
  return rgba;
}

Planes coloured_plainly(const Buffer& rgba, Size size, Matrix matrix) {
  Planes to(size);
  const auto weights = colour::weights(matrix, ByteOrder::rgbx);
  for (std::size_t y = 0; y < size.height; y += 2) {
    const std::size_t second = std::min<std::size_t>(y + 1, size.height - 1);
    const std::size_t chroma = y / 2 * to.planes.chroma_stride;
    colour::scalar(4)(
        {rgba.data() + 4 * y * size.width, rgba.data() + 4 * second * size.width, to.planes.y + y * size.width,
         to.planes.y + second * size.width, to.planes.u + chroma, to.planes.v + chroma, size.width},
        weights);
  }
  return to;
}

Size smaller(Size size, Input& input) {
  const auto pick = [&input](std::uint32_t from) {
    return static_cast<std::uint32_t>(input.pick((from + 63) / 64, from));
  };
  return {pick(size.width), pick(size.height)};
}

void check_png(Bytes data, Input input) {
  static PngDecoder decoder;  // one for all inputs: nothing of one may show in the next
  const auto matrix = input.flip() ? Matrix::bt601 : Matrix::bt709;
  const auto size = decoder.open(data);
  if (!size) {
    expect(size.error().byte_offset <= data.size() || size.error().kind == ErrorKind::too_large, "errors have a place");
    expect(!size.error().what.empty(), "errors have words");
    return;
  }
  if (std::uint64_t{size->width} * size->height > kMostPixels) return;
  Buffer rgba(std::size_t{4} * size->width * size->height);
  const auto rgba_error = decoder.decode_rgba(rgba);
  Planes planes(*size);
  const auto error = decoder.decode(matrix, planes.planes);
  expect(error.has_value() == rgba_error.has_value(), "both outputs agree on what is wrong");
  if (error) {
    expect(error->kind == rgba_error->kind && error->byte_offset == rgba_error->byte_offset,
           "both name the same place");
    expect(error->byte_offset <= data.size(), "errors have a place");
    return;
  }
  expect(rgba == decoded_plainly(data), "the pixels are those of the plain decoder");
  expect(planes == coloured_plainly(rgba, *size, matrix), "the planes are those of the plain decoder");

  Planes scaled(smaller(*size, input));
  expect(!decoder.decode(matrix, scaled.planes), "what is accepted is accepted at every size");

  static ScreenDecoder screen;
  const auto first = screen.open(WireForm::png, data);
  expect(first && (first->unchanged || !screen.decode(matrix, scaled.planes)), "a screen takes it, too");
  const auto second = screen.open(WireForm::png, data);
  expect(second && second->unchanged && second->size == *size, "and knows it again");
  expect(dirty_rows(scaled.planes, scaled.planes) == RowRange{}, "what is the same has no rows that differ");
}

void check_raw(Bytes data, Input input) {
  static PictureDecoder decoder;
  const auto matrix = input.flip() ? Matrix::bt601 : Matrix::bt709;
  const auto opened = input.flip() ? decoder.open_screencap(data)
                                   : decoder.open_raw({data,
                                                       {static_cast<std::uint32_t>(input.pick(0, 80)),
                                                        static_cast<std::uint32_t>(input.pick(0, 80))},
                                                       input.flip() ? input.pick(0, SIZE_MAX) : input.pick(0, 400),
                                                       static_cast<PixelFormat>(input.pick(0, 5))});
  if (!opened) {
    expect(!opened.error().what.empty(), "errors have words");
    return;
  }
  if (std::uint64_t{opened->width} * opened->height > kMostPixels) return;
  Planes planes(input.flip() ? smaller(*opened, input) : *opened);
  expect(!decoder.decode(matrix, planes.planes), "what is opened is decoded");
}

void run(Input input) {
  const bool is_raw = input.flip();
  Input choices = input.take_back(20);
  const Copy copy(input.rest());
  if (is_raw) {
    check_raw(copy.view(), choices);
  } else {
    check_png(copy.view(), choices);
  }
}

// --- The mutator

class Mutation {
 public:
  explicit Mutation(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t count) { return random_() / 7 % std::max<std::size_t>(count, 1); }

  // Bytes changed by libFuzzer's own mutations.
  void change(Buffer& bytes, std::size_t most) {
    const std::size_t size = bytes.size();
    bytes.resize(std::max(size + 16, std::min(most, 2 * size + 16)));
    bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
  }

  void change_pixels(std::vector<PngChunk>& chunks) {
    const Buffer stream = image_stream(chunks);
    Buffer pixels;
    if (stream.size() < 6 || !inflate(Bytes(stream).subspan(2, stream.size() - 6), pixels)) return;
    if (below(3) == 0 && !pixels.empty()) {
      pixels[below(pixels.size())] = static_cast<std::uint8_t>(below(6));  // perhaps a filter
    } else if (const std::size_t size = pixels.size(); below(2) == 0) {
      change(pixels, size + 16);
      pixels.resize(size);  // still as many as the header says, if it was so before
    } else {
      change(pixels, kMostInflated);
    }
    put_image_stream(chunks, compressed(pixels, below(kLevels.size())), 1 + below(400));
  }

  void change_stream(std::vector<PngChunk>& chunks) {
    Buffer stream = image_stream(chunks);
    change(stream, stream.size() + 64);
    if (below(8) != 0) seal_stream(stream);
    put_image_stream(chunks, stream, 1 + below(400));
  }

  void change_header(PngChunk& header) {
    constexpr std::array<std::uint8_t, 8> kDepths{1, 2, 4, 8, 16, 8, 16, 3};
    constexpr std::array<std::uint8_t, 8> kTypes{0, 2, 3, 4, 6, 6, 2, 5};
    if (header.data.size() != 13) return;
    switch (below(5)) {
      case 0: header.data[3 + 4 * below(2)] = static_cast<std::uint8_t>(below(70)); break;
      case 1: header.data[8] = kDepths[below(kDepths.size())]; break;
      case 2: header.data[9] = kTypes[below(kTypes.size())]; break;
      case 3: header.data[12] ^= 1; break;
      default: change(header.data, 13); break;
    }
  }

  // Image data of the size that the header wants: after a change of the header there is too much or too little.
  void fit_pixels(std::vector<PngChunk>& chunks) {
    PngFile file;
    static_cast<void>(file.read(sealed(chunks)));
    const std::uint64_t bytes = file.header().filtered_bytes();
    const Buffer stream = image_stream(chunks);
    Buffer pixels;
    if (stream.size() < 6 || !inflate(Bytes(stream).subspan(2, stream.size() - 6), pixels)) return;
    if (bytes > kMostInflated) return;
    pixels.resize(bytes);
    put_image_stream(chunks, compressed(pixels, 2), 1 + below(2000));
  }

  void change_chunks(std::vector<PngChunk>& chunks) {
    constexpr std::array<std::array<char, 4>, 8> kNames{{{'P', 'L', 'T', 'E'},
                                                         {'t', 'R', 'N', 'S'},
                                                         {'I', 'D', 'A', 'T'},
                                                         {'I', 'H', 'D', 'R'},
                                                         {'I', 'E', 'N', 'D'},
                                                         {'s', 'B', 'I', 'T'},
                                                         {'p', 'r', 'V', 't'},
                                                         {'C', 'r', 'I', 't'}}};
    if (chunks.empty()) return;
    const std::size_t at = below(chunks.size());
    const auto place = chunks.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(5)) {
      case 0: chunks.erase(place); break;
      case 1: {
        const PngChunk copy = *place;
        chunks.insert(place, copy);
        break;
      }
      case 2: std::swap(chunks[at], chunks[below(chunks.size())]); break;
      case 3: change(place->data, 800); break;
      default: {
        PngChunk added{kNames[below(kNames.size())], Buffer(3 * below(20))};
        change(added.data, 800);
        chunks.insert(place, std::move(added));
        break;
      }
    }
  }

 private:
  std::minstd_rand random_;
};

std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  Mutation mutation(seed);
  PngChunks png = chunks_of({data, size});
  if (png.chunks.size() < 2 || mutation.below(8) == 0) return LLVMFuzzerMutate(data, size, max_size);
  Buffer rest(data + png.bytes, data + size);
  for (std::size_t turns = 1 + mutation.below(2); turns > 0; --turns) {
    switch (mutation.below(6)) {
      case 0:
      case 1: mutation.change_pixels(png.chunks); break;
      case 2: mutation.change_stream(png.chunks); break;
      case 3:
        mutation.change_header(png.chunks.front());
        mutation.fit_pixels(png.chunks);
        break;
      case 4: mutation.change_chunks(png.chunks); break;
      default: mutation.change(rest, 40); break;
    }
    if (png.chunks.empty()) break;
  }
  Buffer out = sealed(png.chunks);
  out.insert(out.end(), rest.begin(), rest.end());
  if (out.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(out.begin(), out.end(), data);
  return out.size();
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  return mediacore::fuzz::mutate(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run(mediacore::fuzz::Input({data, size}));
  return 0;
}
