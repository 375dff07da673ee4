#include "core/picture/jpeg_library.hpp"

// jpeglib.h names FILE and does not say where it comes from.
#include <cstdio>
// Behind it.
#include <jpeglib.h>

#include <array>
#include <csetjmp>

namespace mediacore::picture {
namespace {

// Of a progressive file. One of a few bytes can have a thousand, and each costs as much as the picture's size wants;
// libjpeg-turbo's own fuzzers have the same bound.
constexpr int kMostScans = 500;

constexpr std::size_t kLumaRows = 16;  // that libjpeg gives at once, where chroma is halved
constexpr std::size_t kChromaRows = kLumaRows / 2;

[[noreturn]] void leave(j_common_ptr info) {
  // NOLINTNEXTLINE(modernize-avoid-setjmp-longjmp,cert-err52-cpp): libjpeg has no other way out
  std::longjmp(*static_cast<std::jmp_buf*>(info->client_data), 1);
}

void leave_on_warning(j_common_ptr info, int level) {
  if (level < 0) leave(info);
}

void say_nothing(j_common_ptr /*info*/) {}

void format_nothing(j_common_ptr /*info*/, char* text) {
  *text = '\0';
}

void count_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) leave(info);
}

}  // namespace

struct JpegLibrary::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (is_made) jpeg_destroy_decompress(&info);
  }

  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf back{};
  bool is_made = false;

  bool make() noexcept;
};

JpegLibrary::JpegLibrary() : state_(std::make_unique<State>()) {}
JpegLibrary::JpegLibrary(JpegLibrary&&) noexcept = default;
JpegLibrary& JpegLibrary::operator=(JpegLibrary&&) noexcept = default;
JpegLibrary::~JpegLibrary() = default;

Size JpegLibrary::size() const noexcept {
  return {state_->info.image_width, state_->info.image_height};
}

JpegLibrary::Colours JpegLibrary::colours() const noexcept {
  const auto is = [this](int component, int h, int v) {
    const jpeg_component_info& of = state_->info.comp_info[component];
    return of.h_samp_factor == h && of.v_samp_factor == v;
  };
  switch (state_->info.jpeg_color_space) {
    case JCS_YCbCr: return is(0, 2, 2) && is(1, 1, 1) && is(2, 1, 1) ? Colours::halved : Colours::convertible;
    case JCS_GRAYSCALE:
    case JCS_RGB: return Colours::convertible;
    default: return Colours::unknown;
  }
}

// NOLINTBEGIN(modernize-avoid-setjmp-longjmp,cert-err52-cpp): see `leave`

bool JpegLibrary::State::make() noexcept {
  if (is_made) return true;
  // All of them, without jpeg_std_error: Debian's static library has that one in a form that no shared object can link.
  errors.error_exit = leave;
  errors.emit_message = leave_on_warning;
  errors.output_message = say_nothing;
  errors.format_message = format_nothing;
  errors.reset_error_mgr = say_nothing;
  info.err = &errors;
  info.client_data = &back;
  if (setjmp(back) != 0) return false;
  jpeg_create_decompress(&info);
  progress.progress_monitor = count_scans;
  info.progress = &progress;
  is_made = true;
  return true;
}

bool JpegLibrary::read_header(std::span<const std::uint8_t> data) noexcept {
  State& state = *state_;
  if (!state.make()) return false;
  // What was begun and not read to its end.
  jpeg_abort_decompress(&state.info);
  if (setjmp(state.back) != 0) return false;
  jpeg_mem_src(&state.info, data.data(), data.size());
  jpeg_read_header(&state.info, TRUE);
  return true;
}

bool JpegLibrary::read_planes(const I420Planes& to) noexcept {
  State& state = *state_;
  jpeg_decompress_struct& info = state.info;
  if (setjmp(state.back) != 0) return false;
  info.raw_data_out = TRUE;
  info.do_fancy_upsampling = FALSE;
  info.out_color_space = JCS_YCbCr;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    std::array<JSAMPROW, kLumaRows> y;
    std::array<JSAMPROW, kChromaRows> u;
    std::array<JSAMPROW, kChromaRows> v;
    const std::size_t at = info.output_scanline;
    for (std::size_t i = 0; i < kLumaRows; ++i) y[i] = to.y + (at + i) * to.luma_stride;
    for (std::size_t i = 0; i < kChromaRows; ++i) {
      u[i] = to.u + (at / 2 + i) * to.chroma_stride;
      v[i] = to.v + (at / 2 + i) * to.chroma_stride;
    }
    std::array<JSAMPARRAY, 3> rows{y.data(), u.data(), v.data()};
    if (jpeg_read_raw_data(&info, rows.data(), kLumaRows) != kLumaRows) return false;
  }
  jpeg_finish_decompress(&info);
  return true;
}

bool JpegLibrary::read_pixels(std::uint8_t* to, std::size_t stride) noexcept {
  State& state = *state_;
  jpeg_decompress_struct& info = state.info;
  if (setjmp(state.back) != 0) return false;
  info.raw_data_out = FALSE;
  info.out_color_space = JCS_EXT_RGBX;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = to + info.output_scanline * stride;
    if (jpeg_read_scanlines(&info, &row, 1) != 1) return false;
  }
  jpeg_finish_decompress(&info);
  return true;
}

// NOLINTEND(modernize-avoid-setjmp-longjmp,cert-err52-cpp)

}  // namespace mediacore::picture
