// A picture as it lies in the bytes of a connection, found and not yet decoded.
// Memory: views of the framing's buffer, until it is asked for room again. Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/picture/raw_picture.hpp"
#include "core/picture/wire_form.hpp"

namespace mediacore::picture {

struct Framed {
  enum class Fate : std::uint8_t {
    picture,     // what looks like one, whole or not
    no_picture,  // nothing that looks like one
    oversize,    // more than is kept, and thrown away
  };

  Fate fate = Fate::picture;
  WireForm form = WireForm::raw;
  std::span<const std::uint8_t> data;  // the picture's file, or of `no_picture` how it begins
  std::optional<RawPicture> pixels;    // of rgb888
  std::size_t wire_bytes = 0;          // all that it took
  std::size_t skipped_bytes = 0;       // in front of it
};

}  // namespace mediacore::picture
