#include "core/h264/sei.hpp"

#include <cstddef>

#include "core/h264/bit_reader.hpp"

namespace mediacore::h264 {
namespace {

constexpr std::size_t kRecoveryPoint = 6;  // table in D.1

// payload_type and payload_size: a run of ff bytes and a last one (7.3.2.3.1).
std::size_t read_number(BitReader& in) noexcept {
  std::size_t value = 0;
  std::uint32_t byte = 255;
  while (byte == 255 && in.ok()) {
    byte = in.bits(8);
    value += byte;
  }
  return value;
}

}  // namespace

bool has_recovery_point(std::span<const std::uint8_t> nal) noexcept {
  BitReader in(nal);
  in.bits(8);
  while (in.ok()) {
    const std::size_t type = read_number(in);
    const std::size_t size = read_number(in);
    if (!in.ok()) return false;
    if (type == kRecoveryPoint) {
      in.ue();  // recovery_frame_cnt
      return size > 0 && in.ok();
    }
    for (std::size_t i = 0; i < size && in.ok(); ++i) in.bits(8);
  }
  return false;
}

}  // namespace mediacore::h264
