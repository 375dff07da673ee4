// Pictures to I420, without the GIL; blocks of pixels as read-only buffers.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "bindings/bytes_like.hpp"
#include "bindings/module.hpp"
#include "bindings/picture_blocks.hpp"
#include "bindings/picture_names.hpp"
#include "bindings/results.hpp"
#include "core/picture/decoder_pool.hpp"
#include "core/picture/dirty_rows.hpp"
#include "core/picture/screen_decoder.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace mediacore::picture;  // NOLINT(google-build-using-namespace)

using Block = PictureBlocks::Block;

[[noreturn]] void raise_picture_error(const Error& error) {
  const py::object type = py::module_::import("mediacore.errors").attr("PictureError");
  std::string what(error.what);
  if (error.chunk != kNoChunk) what += " (chunk " + std::string(error.chunk.data(), error.chunk.size()) + ")";
  PyErr_SetObject(type.ptr(), type(py::str(std::string(word_of(error.kind))), error.byte_offset, what).ptr());
  throw py::error_already_set();
}

PixelFormat format_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, PixelFormat>, 6> kNames{{{"rgba8888", PixelFormat::rgba8888},
                                                                            {"rgbx8888", PixelFormat::rgbx8888},
                                                                            {"rgb888", PixelFormat::rgb888},
                                                                            {"rgb565", PixelFormat::rgb565},
                                                                            {"bgra8888", PixelFormat::bgra8888},
                                                                            {"rgba1010102", PixelFormat::rgba1010102}}};
  for (const auto& [known, format] : kNames) {
    if (name == known) return format;
  }
  throw py::value_error("pixel_format must be rgba8888, rgbx8888, rgb888, rgb565, bgra8888 or rgba1010102");
}

struct Decoded {
  std::shared_ptr<Block> block;
  I420Layout layout{Size{}};
};

// block, width, height, bytes of a row of luma
py::tuple to_tuple(const Decoded& decoded) {
  return py::make_tuple(decoded.block, decoded.layout.size.width, decoded.layout.size.height, decoded.layout.stride);
}

// What decodes, and where pictures go: one for the module, one for each Python object with a memory.
struct Workshop {
  std::shared_ptr<PictureBlocks> blocks = std::make_shared<PictureBlocks>();
  DecoderPool decoders;

  // `open(decoder)` gives the picture's size. Without the GIL but for what is raised.
  template <class Open>
  Decoded decode(PictureDecoder& decoder, Matrix matrix, const OptionalSize& wanted, const Open& open) {
    std::optional<Error> error;
    Decoded decoded;
    {
      const py::gil_scoped_release released;
      const Result<Size> size = open(decoder);
      if (size) {
        decoded.layout = I420Layout(target_size(*size, wanted));
        decoded.block = blocks->take(decoded.layout.bytes());
        error = decoder.decode(matrix, decoded.layout.planes(decoded.block->data()));
      } else {
        error = size.error();
      }
    }
    if (error) raise_picture_error(*error);
    return decoded;
  }
};

RawPicture raw_picture(const BytesLike& data, std::int64_t width, std::int64_t height, std::string_view pixel_format,
                       std::optional<std::int64_t> stride) {
  const PixelFormat format = format_of(pixel_format);
  const Size size{length_of(width), length_of(height)};
  const std::size_t packed = std::size_t{size.width} * bytes_of(format);
  const std::size_t bytes = stride ? static_cast<std::size_t>(std::max<std::int64_t>(*stride, 0)) : packed;
  return {data.view(), size, bytes, format};
}

void bind_functions(py::module_& m) {
  const auto workshop = std::make_shared<Workshop>();
  m.def(
      "decode_png",
      [workshop](py::handle data, const OptionalSize& size, std::string_view matrix) {
        const BytesLike bytes(data);
        const auto decoder = workshop->decoders.take();
        return to_tuple(workshop->decode(*decoder, matrix_of(matrix), size,
                                         [&](PictureDecoder& with) { return with.open_png(bytes.view()); }));
      },
      py::arg("data"), py::arg("size"), py::arg("matrix"), "A PNG as (block, width, height, stride) of I420.");
  m.def(
      "decode_screencap",
      [workshop](py::handle data, const OptionalSize& size, std::string_view matrix) {
        const BytesLike bytes(data);
        const auto decoder = workshop->decoders.take();
        return to_tuple(workshop->decode(*decoder, matrix_of(matrix), size,
                                         [&](PictureDecoder& with) { return with.open_screencap(bytes.view()); }));
      },
      py::arg("data"), py::arg("size"), py::arg("matrix"),
      "A raw screencap as (block, width, height, stride) of I420.");
  m.def(
      "decode_jpeg",
      [workshop](py::handle data, const OptionalSize& size, std::string_view matrix) {
        const BytesLike bytes(data);
        const auto decoder = workshop->decoders.take();
        return to_tuple(workshop->decode(*decoder, matrix_of(matrix), size,
                                         [&](PictureDecoder& with) { return with.open_jpeg(bytes.view()); }));
      },
      py::arg("data"), py::arg("size"), py::arg("matrix"), "A JPEG as (block, width, height, stride) of I420.");
  m.def(
      "convert_picture",
      [workshop](py::handle data, std::int64_t width, std::int64_t height, std::string_view pixel_format,
                 std::optional<std::int64_t> stride, const OptionalSize& size, std::string_view matrix) {
        const BytesLike bytes(data);
        const RawPicture picture = raw_picture(bytes, width, height, pixel_format, stride);
        const auto decoder = workshop->decoders.take();
        return to_tuple(workshop->decode(*decoder, matrix_of(matrix), size,
                                         [&](PictureDecoder& with) { return with.open_raw(picture); }));
      },
      py::arg("data"), py::arg("width"), py::arg("height"), py::arg("pixel_format"), py::arg("stride"), py::arg("size"),
      py::arg("matrix"), "Raw pixels as (block, width, height, stride) of I420.");
  m.def(
      "decode_png_rgba",
      [workshop](py::handle data) {
        const BytesLike bytes(data);
        const auto decoder = workshop->decoders.take();
        const Result<Size> size = decoder->open_png(bytes.view());
        if (!size) raise_picture_error(size.error());
        std::string pixels(std::size_t{size->width} * size->height * 4, '\0');
        const auto error = decoder->decode_rgba({reinterpret_cast<std::uint8_t*>(pixels.data()), pixels.size()});
        if (error) raise_picture_error(*error);
        return py::make_tuple(py::bytes(pixels), size->width, size->height);
      },
      py::arg("data"), "A PNG as (R G B A, width, height): for tests.");
}

// ScreenDecoder with the last picture's block, which the next one is compared with.
class PythonScreenDecoder {
 public:
  PythonScreenDecoder(const OptionalSize& size, std::string_view matrix) : wanted_(size), matrix_(matrix_of(matrix)) {}

  // block, width, height, bytes of a row of luma, first and end of the rows that differ (None: not known)
  // of a file of this form, or by its first bytes.
  py::tuple decode(std::optional<WireForm> form, py::handle data) {
    const BytesLike bytes(data);
    std::optional<Error> error;
    Decoded decoded;
    std::optional<RowRange> dirty;
    {
      const py::gil_scoped_release released;
      const std::lock_guard lock(mutex_);
      error = decode_locked(form.value_or(form_of(bytes.view())), bytes.view(), decoded, dirty);
    }
    if (error) raise_picture_error(*error);
    py::object rows = py::none();
    if (dirty) rows = py::make_tuple(dirty->first, dirty->end);
    return to_tuple(decoded) + py::make_tuple(rows);
  }

 private:
  std::optional<Error> decode_locked(WireForm form, std::span<const std::uint8_t> data, Decoded& decoded,
                                     std::optional<RowRange>& dirty) {
    const auto opened = decoder_.open(form, data);
    if (!opened) return opened.error();
    if (opened->unchanged) {
      decoded = last_;
      dirty = RowRange{};
      return std::nullopt;
    }
    decoded.layout = I420Layout(target_size(opened->size, wanted_));
    decoded.block = blocks_->take(decoded.layout.bytes());
    const I420Planes planes = decoded.layout.planes(decoded.block->data());
    if (auto error = decoder_.decode(matrix_, planes)) return error;
    if (last_.block && last_.layout.size == decoded.layout.size) {
      dirty = dirty_rows(last_.layout.planes(last_.block->data()), planes);
    } else if (last_.block) {
      dirty = RowRange{0, decoded.layout.size.height};
    }
    last_ = decoded;
    return std::nullopt;
  }

  OptionalSize wanted_;
  Matrix matrix_;
  std::mutex mutex_;  // taken and given back without the GIL
  ScreenDecoder decoder_;
  std::shared_ptr<PictureBlocks> blocks_ = std::make_shared<PictureBlocks>();
  Decoded last_;
};

void bind_screen_decoder(py::module_& m) {
  py::class_<PythonScreenDecoder>(m, "ScreenDecoder", "The pictures of one screen, one after the other.")
      .def(py::init<const OptionalSize&, std::string_view>(), py::arg("size"), py::arg("matrix"))
      .def(
          "decode_png",
          [](PythonScreenDecoder& decoder, py::handle data) { return decoder.decode(WireForm::png, data); },
          py::arg("data"), "(block, width, height, stride, dirty rows) of a PNG.")
      .def(
          "decode_jpeg",
          [](PythonScreenDecoder& decoder, py::handle data) { return decoder.decode(WireForm::jpeg, data); },
          py::arg("data"), "(block, width, height, stride, dirty rows) of a JPEG.")
      .def(
          "decode", [](PythonScreenDecoder& decoder, py::handle data) { return decoder.decode(std::nullopt, data); },
          py::arg("data"), "The same of any of these, told by its first bytes.")
      .def(
          "decode_screencap",
          [](PythonScreenDecoder& decoder, py::handle data) { return decoder.decode(WireForm::raw, data); },
          py::arg("data"), "(block, width, height, stride, dirty rows) of a raw screencap.");
}

}  // namespace

void bind_picture(py::module_& m) {
  py::class_<Block, std::shared_ptr<Block>>(m, "PictureBlock", py::buffer_protocol(), "The planes of one picture.")
      .def_buffer([](Block& block) {
        return py::buffer_info(block.data(), static_cast<py::ssize_t>(block.bytes()), /*readonly=*/true);
      });
  bind_functions(m);
  bind_screen_decoder(m);
}

}  // namespace mediacore::bindings
