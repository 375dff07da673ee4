// libjpeg-turbo, which leaves by longjmp when something is wrong, behind calls that return.
//
// Guarantees: a warning counts as an error: it is damage that libjpeg would paint over. Nothing that has a destructor lives
//   where a longjmp passes. A picture fails that has more scans than its size allows, or that is to stop.
// Memory: libjpeg's own, of one picture; given back when it is through or fails, or the next one begins. Threads: one
//   owner; any may ask it to stop.
// Spec: libjpeg.txt of libjpeg-turbo.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>

#include "core/picture/i420.hpp"

namespace mediacore::picture {

class JpegLibrary {
 public:
  enum class Colours : std::uint8_t {
    halved,       // Y Cb Cr, chroma of half the width and height
    convertible,  // to R G B
    unknown,
  };

  // What it takes to hold the planes of a picture: libjpeg writes whole blocks.
  static constexpr I420Layout padded(Size size) noexcept {
    constexpr std::uint32_t kBlocks = 16;  // pixels: two blocks of luma, one of chroma
    const auto up = [](std::uint32_t length) { return (length + kBlocks - 1) / kBlocks * kBlocks; };
    return I420Layout({up(size.width), up(size.height)});
  }

  explicit JpegLibrary(std::stop_token stop);  // std::bad_alloc
  ~JpegLibrary();
  JpegLibrary(JpegLibrary&&) noexcept;
  JpegLibrary& operator=(JpegLibrary&&) noexcept;
  JpegLibrary(const JpegLibrary&) = delete;
  JpegLibrary& operator=(const JpegLibrary&) = delete;

  // Each false if it fails. The data must stay until one of the others is through; those follow a header that was read.
  bool read_header(std::span<const std::uint8_t> data) noexcept;
  // Of `halved` colours, to planes of a `padded` layout, as they are.
  bool read_planes(const I420Planes& to) noexcept;
  // To R G B x, `stride` bytes from row to row.
  bool read_pixels(std::uint8_t* to, std::size_t stride) noexcept;

  Size size() const noexcept;
  Colours colours() const noexcept;

 private:
  struct State;

  std::unique_ptr<State> state_;  // libjpeg keeps pointers into it
};

}  // namespace mediacore::picture
