#include "core/picture/jpeg_library.hpp"

// jpeglib.h names FILE and does not say where it comes from.
#include <cstdio>
// Behind it.
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <utility>

#include "core/picture/limits.hpp"

namespace mediacore::picture {
namespace {

// Of a progressive file. One of a few bytes can have a thousand, and each costs as much as the picture's size wants: so
// all together they are bounded, by libjpeg's own script of ten scans at the largest size (80 at 8 Mi pixels); and what a
// scan costs at any size by the bound of libjpeg-turbo's own fuzzers.
constexpr std::uint64_t kMostScannedPixels = 10 * kMaxPixels;
constexpr std::uint64_t kMostScans = 500;

// Called for each row of blocks of a file of many scans, and for the rows that are given.
struct Progress : jpeg_progress_mgr {
  std::uint64_t most_scans;
  std::stop_token stop;
};

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

void watch(j_common_ptr info) {
  const auto& progress = *static_cast<const Progress*>(info->progress);
  const int scan = reinterpret_cast<j_decompress_ptr>(info)->input_scan_number;
  if (static_cast<std::uint64_t>(scan) > progress.most_scans || progress.stop.stop_requested()) leave(info);
}

}  // namespace

struct JpegLibrary::State {
  explicit State(std::stop_token stop) : progress{{}, kMostScans, std::move(stop)} {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (is_made) jpeg_destroy_decompress(&info);
  }

  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  Progress progress;
  std::jmp_buf back{};
  bool is_made = false;

  bool make() noexcept;
  bool give_up() noexcept;
};

JpegLibrary::JpegLibrary(std::stop_token stop) : state_(std::make_unique<State>(std::move(stop))) {}
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
  progress.progress_monitor = watch;
  info.progress = &progress;
  is_made = true;
  return true;
}

// False; and the memory of the picture is given back.
bool JpegLibrary::State::give_up() noexcept {
  jpeg_abort_decompress(&info);
  return false;
}

bool JpegLibrary::read_header(std::span<const std::uint8_t> data) noexcept {
  State& state = *state_;
  if (!state.make()) return false;
  // What was begun and not read to its end.
  jpeg_abort_decompress(&state.info);
  if (setjmp(state.back) != 0) return state.give_up();
  jpeg_mem_src(&state.info, data.data(), data.size());
  jpeg_read_header(&state.info, TRUE);
  const std::uint64_t pixels = std::uint64_t{state.info.image_width} * state.info.image_height;  // neither is 0
  state.progress.most_scans = std::min(kMostScans, kMostScannedPixels / pixels);
  return true;
}

bool JpegLibrary::read_planes(const I420Planes& to) noexcept {
  State& state = *state_;
  jpeg_decompress_struct& info = state.info;
  if (setjmp(state.back) != 0) return state.give_up();
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
    if (jpeg_read_raw_data(&info, rows.data(), kLumaRows) != kLumaRows) return state.give_up();
  }
  jpeg_finish_decompress(&info);
  return true;
}

bool JpegLibrary::read_pixels(std::uint8_t* to, std::size_t stride) noexcept {
  State& state = *state_;
  jpeg_decompress_struct& info = state.info;
  if (setjmp(state.back) != 0) return state.give_up();
  info.raw_data_out = FALSE;
  info.out_color_space = JCS_EXT_RGBX;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = to + info.output_scanline * stride;
    if (jpeg_read_scanlines(&info, &row, 1) != 1) return state.give_up();
  }
  jpeg_finish_decompress(&info);
  return true;
}

// NOLINTEND(modernize-avoid-setjmp-longjmp,cert-err52-cpp)

}  // namespace mediacore::picture
