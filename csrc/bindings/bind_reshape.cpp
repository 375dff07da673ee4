// I420 pictures to other sizes, matrices and ranges, without the GIL.
#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bindings/module.hpp"
#include "bindings/picture_blocks.hpp"
#include "bindings/picture_names.hpp"
#include "core/picture/decoder_pool.hpp"
#include "core/picture/raw_picture.hpp"
#include "core/picture/reshape.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace mediacore::picture;  // NOLINT(google-build-using-namespace)

// Rows of bytes, side by side; `size` of them is what the picture wants.
struct Rows {
  const std::uint8_t* data;
  std::size_t stride;
};

Rows rows_of(const py::buffer_info& plane, Size size, const char* name) {
  const auto fits = plane.itemsize == 1 && plane.ndim == 2 && plane.shape[0] == size.height &&
                    plane.shape[1] == size.width && (size.width == 1 || plane.strides[1] == 1) &&
                    (size.height == 1 || (plane.strides[0] >= size.width && plane.strides[0] <= INT32_MAX));
  if (!fits) {
    throw py::value_error(std::string(name) + " must be rows of bytes from the top, " + std::to_string(size.width) +
                          "x" + std::to_string(size.height));
  }
  return {static_cast<const std::uint8_t*>(plane.ptr),
          size.height == 1 ? size.width : static_cast<std::size_t>(plane.strides[0])};
}

// Where pictures go, and what works on them.
struct Workshop {
  std::shared_ptr<PictureBlocks> blocks = std::make_shared<PictureBlocks>();
  IdlePool<Reshaper> reshapers;
};

py::tuple reshape_picture(Workshop& workshop, const py::buffer& y, const py::buffer& u, const py::buffer& v,
                          std::string_view from_matrix, bool full_range, const OptionalSize& wanted,
                          std::string_view matrix) {
  const Colours colours{matrix_of(from_matrix), full_range};
  const Matrix to = matrix_of(matrix);
  const py::buffer_info y_info = y.request();
  const py::buffer_info u_info = u.request();
  const py::buffer_info v_info = v.request();
  if (y_info.ndim != 2) throw py::value_error("y must be rows of bytes");
  const Size size{length_of(y_info.shape[1]), length_of(y_info.shape[0])};
  if (check_size(size)) {
    throw py::value_error("the picture is empty, or larger than 16384 on a side or than 64 Mi pixels");
  }
  const Size chroma{half(size.width), half(size.height)};
  const Rows luma = rows_of(y_info, size, "y");
  const Rows blue = rows_of(u_info, chroma, "u");
  const Rows red = rows_of(v_info, chroma, "v");
  const I420Layout layout(target_size(size, wanted));
  std::shared_ptr<PictureBlocks::Block> block;
  {
    const py::gil_scoped_release released;
    block = workshop.blocks->take(layout.bytes());
    workshop.reshapers.take()->reshape({luma.data, blue.data, red.data, luma.stride, blue.stride, red.stride, size},
                                       colours, to, layout.planes(block->data()));
  }
  return py::make_tuple(block, layout.size.width, layout.size.height, layout.stride);
}

}  // namespace

void bind_reshape(py::module_& m) {
  const auto workshop = std::make_shared<Workshop>();
  m.def(
      "reshape_picture",
      [workshop](const py::buffer& y, const py::buffer& u, const py::buffer& v, std::string_view from_matrix,
                 bool full_range, const OptionalSize& size, std::string_view matrix) {
        return reshape_picture(*workshop, y, u, v, from_matrix, full_range, size, matrix);
      },
      py::arg("y"), py::arg("u"), py::arg("v"), py::arg("from_matrix"), py::arg("full_range"), py::arg("size"),
      py::arg("matrix"), "Planes as (block, width, height, stride) of limited I420.");
}

}  // namespace mediacore::bindings
