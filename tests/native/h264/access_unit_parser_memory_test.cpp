// How much memory a parser holds while a hostile stream comes: the limit of an access unit and 64 KiB, however long the
// stream is and however it is cut. The bytes that the heap has given out are counted, after each push.
#include <gtest/gtest.h>

#include <ostream>
#include <stdexcept>

#include "bitstream.hpp"
#include "core/h264/access_unit_parser.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEDIACORE_SANITIZED_HEAP
#include <atomic>

// Of the sanitizers' allocator_interface.h, which GCC does not install. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*after_malloc)(const volatile void*, std::size_t),
                                                         void (*before_free)(const volatile void*));
extern "C" std::size_t __sanitizer_get_allocated_size(const volatile void* block);
// NOLINTEND(bugprone-reserved-identifier)
#else
#include <malloc.h>
#endif

namespace mediacore::h264 {
namespace {

using testing::annex_b;
using testing::Buffer;
using testing::pps_nal;
using testing::slice_nal;
using testing::sps_nal;

constexpr std::size_t kLimit = std::size_t{64} << 10;
constexpr std::size_t kMoreThanUnit = std::size_t{64} << 10;
constexpr std::size_t kStreamBytes = 3 * kLimit;
constexpr std::size_t kOneSet = 1024;  // an SPS and a PPS, and the heap's own words

#ifdef MEDIACORE_SANITIZED_HEAP
// A sanitizer's heap has gaps between blocks to find errors; what was asked for is counted, from the first call on.
std::size_t heap_bytes() {
  static std::atomic<std::size_t> held{0};
  static const int installed =
      __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t size) { held += size; },
                                                [](const volatile void* block) {
                                                  if (block != nullptr) held -= __sanitizer_get_allocated_size(block);
                                                });
  if (installed == 0) throw std::runtime_error("the sanitizer takes no more hooks");
  return held;
}
#else
std::size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
#endif

struct Flood {
  const char* name;
  Buffer begin;
  Buffer repeated;
  std::size_t parameter_sets = kOneSet;  // bytes that they may take besides

  friend void PrintTo(const Flood& flood, std::ostream* out) { *out << flood.name; }
};

// Each id once.
Buffer all_sps() {
  Buffer stream;
  for (std::uint32_t id = 0; id <= kMaxSpsId; ++id) stream = stream + annex_b({sps_nal({.id = id})});
  return stream;
}

const Buffer kKeyUnit = annex_b({sps_nal(), pps_nal(), slice_nal({.idr = true})});

class Floods : public ::testing::TestWithParam<Flood> {};

TEST_P(Floods, AreHeldWithinTheLimit) {
  const Flood& flood = GetParam();
  Buffer stream = flood.begin;
  while (stream.size() < kStreamBytes) stream.insert(stream.end(), flood.repeated.begin(), flood.repeated.end());
  const std::span<const std::uint8_t> bytes(stream);
  // What the C library keeps for itself from the first use on is not the parser's.
  AccessUnitParser({.access_unit_bytes = kLimit}).push(bytes, false, [](const AccessUnitView&) {});
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{1400}, stream.size()}) {
    const std::size_t before = heap_bytes();
    std::size_t most = 0;
    AccessUnitParser parser({.access_unit_bytes = kLimit});
    for (std::size_t at = 0; at < bytes.size(); at += chunk) {
      parser.push(bytes.subspan(at, std::min(chunk, bytes.size() - at)), false, [](const AccessUnitView&) {});
      most = std::max(most, heap_bytes() - before);
    }
    EXPECT_LE(most, kLimit + kMoreThanUnit + flood.parameter_sets) << "in chunks of " << chunk;
    EXPECT_EQ(parser.stats().bytes, stream.size());
  }
}

INSTANTIATE_TEST_SUITE_P(
    AccessUnitParser, Floods,
    ::testing::Values(Flood{"ZerosBeforeAnything", {}, Buffer(64, 0)}, Flood{"ZerosInASlice", kKeyUnit, Buffer(64, 0)},
                      Flood{"BytesOfASlice", kKeyUnit, Buffer(64, 0xa5)},
                      Flood{"BytesWithoutAStartCode", {}, Buffer(64, 0xa5)},
                      Flood{"EmptyNalUnits", kKeyUnit, {0, 0, 1}},
                      Flood{"NalUnitsOfOneByte", kKeyUnit, {0, 0, 1, 0x0c}},
                      Flood{"SlicesThatDoNotParse", kKeyUnit, {0, 0, 1, 0x41, 0, 0, 3}},
                      Flood{"SlicesOfOnePicture", kKeyUnit, annex_b({slice_nal({.first_mb = 9, .payload = 1})})},
                      Flood{"AllSps", {}, all_sps(), kMaxSpsId * (sizeof(Sps) + 64)}, Flood{"KeyUnits", {}, kKeyUnit}),
    [](const auto& flood) { return flood.param.name; });

}  // namespace
}  // namespace mediacore::h264
