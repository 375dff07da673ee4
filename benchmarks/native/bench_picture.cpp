// What does a PNG cost on its way to I420, stage by stage, and how far is that from the cost of inflating it?
//
//   bench_picture [--json] FILE.png...      files of 8-bit RGB or RGBA, not interlaced
//
// "whole" is what PngDecoder does. The limit is libdeflate inflating the same data without a look at the checksum, which
// the others are compared with. Stages are measured on their own, over the whole picture and out of a cold cache, so they
// add up to more than "whole", where they meet their rows in the cache. libspng and libpng get libyuv for the colour, as
// they come; which zlib they use is the system's choice (LD_LIBRARY_PATH=FOLDER puts zlib-ng in its place).
#include <libdeflate.h>
#include <libyuv.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/picture/colour.hpp"
#include "core/picture/inflate_stream.hpp"
#include "core/picture/png_decoder.hpp"
#include "core/picture/unfilter.hpp"
#include "race.hpp"

#ifdef MEDIACORE_HAVE_SPNG
#include <spng.h>
#endif

namespace mediacore::benchmarks {
namespace {

using namespace mediacore::picture;  // NOLINT(google-build-using-namespace)
using Bytes = std::vector<std::uint8_t>;

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

struct File {
  explicit File(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    require(static_cast<bool>(in), "cannot read " + path);
    data.assign(std::istreambuf_iterator<char>(in), {});
    name = path.substr(path.find_last_of('/') + 1);
    name = name.substr(0, name.find('.'));
    require(!png.read(data), path + " is no PNG that can be read");
    const PngHeader& header = png.header();
    require(header.bit_depth == 8 && !header.interlaced && header.filter_bytes() >= 3, path + " is of another kind");
    pixel_bytes = header.filter_bytes();
    row_bytes = header.row_bytes(header.size.width);
    filtered.resize(header.filtered_bytes() + unfilter::kSlack);
    ring.resize((row_bytes + unfilter::kSlack) * 2 * unfilter::kMostAtOnce + unfilter::kSlack);
    planes_bytes.resize(I420Layout(header.size).bytes());
    planes = I420Layout(header.size).planes(planes_bytes.data());
    inflate();
    pixels.resize((row_bytes + unfilter::kSlack) * header.size.height + unfilter::kSlack);
    unfilter_to(pixels.data() + unfilter::kSlack, true);
  }

  std::span<const std::uint8_t> deflate_data() const {
    const auto stream = png.stream();
    return stream.subspan(2, stream.size() - 2 - 4);  // the zlib header, Adler-32
  }

  void inflate() {
    const auto from = deflate_data();
    std::size_t made = 0;
    const auto result = libdeflate_deflate_decompress(decompressor.get(), from.data(), from.size(), filtered.data(),
                                                      png.header().filtered_bytes(), &made);
    require(result == LIBDEFLATE_SUCCESS, name + " does not inflate");
  }

  void inflate_by_pieces() {
    const std::size_t rows = unfilter::kMostAtOnce * (row_bytes + 1);
    pieces.begin(deflate_data(), rows, unfilter::kSlack);
    do {
      require(pieces.make(rows), name);
      pieces.read(pieces.unread().size());
    } while (!pieces.ended());
  }

  // All rows of pixels, or, in the same few places, one after the other.
  void unfilter_to(std::uint8_t* to, bool all) {
    const std::size_t stride = row_bytes + unfilter::kSlack;
    const Bytes zeros(stride);
    const std::uint8_t* above = zeros.data();
    const auto& kernels = unfilter::fastest(pixel_bytes);
    const std::size_t height = png.header().size.height;
    std::size_t turn = 0;
    for (std::size_t y = 0; y < height;) {
      std::uint8_t* const out = to + (all ? y : turn * unfilter::kMostAtOnce) * stride;
      const std::uint8_t* const residuals = filtered.data() + y * (row_bytes + 1);
      const auto undone = unfilter::undo(kernels, {residuals, height - y, row_bytes, above, out, stride});
      if (undone.repeats && all) std::memcpy(out, above, row_bytes);
      if (!undone.repeats || all) {
        above = out + (undone.rows - 1) * stride;
        turn = 1 - turn;
      }
      y += undone.rows;
    }
  }

  void colour(colour::Function convert, Matrix matrix) {
    const std::size_t stride = row_bytes + unfilter::kSlack;
    const auto weights = colour::weights(matrix, pixel_bytes == 3 ? ByteOrder::rgb : ByteOrder::rgbx);
    for (std::size_t y = 0; y + 1 < png.header().size.height; y += 2) {
      const std::uint8_t* const row = pixels.data() + unfilter::kSlack + y * stride;
      std::uint8_t* const luma = planes.y + y * planes.luma_stride;
      const std::size_t chroma = y / 2 * planes.chroma_stride;
      convert(
          {row, row + stride, luma, luma + planes.luma_stride, planes.u + chroma, planes.v + chroma, planes.size.width},
          weights);
    }
  }

  void colour_by_libyuv() {
    const auto convert = pixel_bytes == 3 ? libyuv::RAWToI420 : libyuv::ABGRToI420;
    convert(pixels.data() + unfilter::kSlack, static_cast<int>(row_bytes + unfilter::kSlack), planes.y,
            static_cast<int>(planes.luma_stride), planes.u, static_cast<int>(planes.chroma_stride), planes.v,
            static_cast<int>(planes.chroma_stride), static_cast<int>(planes.size.width),
            static_cast<int>(planes.size.height));
  }

  void whole(Matrix matrix) {
    require(static_cast<bool>(decoder.open(data)), name);
    require(!decoder.decode(matrix, planes), name);
  }

#ifdef MEDIACORE_HAVE_SPNG
  void by_spng() {
    const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(0), spng_ctx_free);
    spng_set_png_buffer(context.get(), data.data(), data.size());
    const std::size_t bytes = std::size_t{4} * planes.size.width * planes.size.height;
    peer_pixels.resize(bytes);
    require(spng_decode_image(context.get(), peer_pixels.data(), bytes, SPNG_FMT_RGBA8, 0) == 0, name + " by libspng");
    libyuv::ABGRToI420(peer_pixels.data(), static_cast<int>(4 * planes.size.width), planes.y,
                       static_cast<int>(planes.luma_stride), planes.u, static_cast<int>(planes.chroma_stride), planes.v,
                       static_cast<int>(planes.chroma_stride), static_cast<int>(planes.size.width),
                       static_cast<int>(planes.size.height));
  }
#endif

  std::string name;
  Bytes data;
  PngFile png;
  std::size_t pixel_bytes = 0;
  std::size_t row_bytes = 0;
  Bytes filtered;
  Bytes ring;
  Bytes pixels;
  Bytes planes_bytes;
  Bytes peer_pixels;
  I420Planes planes;
  PngDecoder decoder;
  InflateStream pieces;
  std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor{
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor};
};

Report stages(File& file) {
  const PngHeader& header = file.png.header();
  const std::size_t filtered_bytes = header.filtered_bytes();
  const auto convert = colour::fastest(file.pixel_bytes);
  volatile std::uint32_t sum = 0;
  std::vector<Contestant> contestants{
      {"limit: inflate", [&] { file.inflate(); }},
      {"whole, BT.709", [&] { file.whole(Matrix::bt709); }},
      {"inflate by pieces", [&] { file.inflate_by_pieces(); }},
      {"chunks and CRC", [&] { require(!file.png.read(file.data), file.name); }},
      {"Adler-32", [&] { sum = libdeflate_adler32(1, file.filtered.data(), filtered_bytes); }},
      {"unfilter", [&] { file.unfilter_to(file.ring.data() + unfilter::kSlack, false); }},
      {"colour, BT.709", [&] { file.colour(convert, Matrix::bt709); }},
      {"colour, libyuv, BT.601", [&] { file.colour_by_libyuv(); }},
#ifdef MEDIACORE_HAVE_SPNG
      {"libspng + libyuv", [&] { file.by_spng(); }},
#endif
  };
  return race(file.name, "picture", contestants);
}

}  // namespace
}  // namespace mediacore::benchmarks

int main(int argc, char** argv) {
  using mediacore::benchmarks::Report;
  try {
    std::vector<std::string> paths(argv + 1, argv + argc);
    const bool json = !paths.empty() && paths.front() == "--json";
    if (json) paths.erase(paths.begin());
    std::vector<Report> reports;
    for (const std::string& path : paths) {
      mediacore::benchmarks::File file(path);
      reports.push_back(mediacore::benchmarks::stages(file));
    }
    mediacore::benchmarks::print(reports, json);
    return 0;
  } catch (const std::exception& error) {
    static_cast<void>(std::fprintf(stderr, "bench_picture: %s\n", error.what()));
    return 1;
  }
}
