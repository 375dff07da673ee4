// What a device writes: the shots of a shell and the frames of screenrecord are the same however the bytes are cut; each is
// decoded as a reader does it, twice, so that the second time is unchanged; and smaller. JPEG files are among them.
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <variant>

#include "core/picture/frame_stream_framing.hpp"
#include "core/picture/jpeg_decoder.hpp"
#include "core/picture/pooled_screen.hpp"
#include "core/picture/shot_framing.hpp"
#include "input.hpp"

namespace mediacore::fuzz {
namespace {

using namespace mediacore::picture;  // NOLINT(google-build-using-namespace)

constexpr std::string_view kTrailer = "8c6d1f0b";
constexpr std::uint64_t kMostPixels = 1 << 14;  // of what is decoded here: large pictures are slow, and nothing else

struct Seen {
  Framed::Fate fate;
  WireForm form;
  Buffer data;
  std::size_t wire_bytes;
  std::size_t skipped_bytes;

  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Outcome {
  std::vector<Seen> seen;
  Buffer rest;
  bool is_broken = false;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// `next_cut()` is how many bytes come at once; `take` gets each picture while it is there.
template <class AnyFraming, class NextCut, class Take>
Outcome read(AnyFraming framing, Bytes bytes, const NextCut& next_cut, const Take& take) {
  Outcome outcome;
  while (!bytes.empty() && !framing.is_broken()) {
    const auto room = framing.room();
    expect(!room.empty(), "there is room for what comes");
    const std::size_t count = std::min({bytes.size(), room.size(), next_cut()});
    std::memcpy(room.data(), bytes.data(), count);
    bytes = bytes.subspan(count);
    framing.took(count);
    while (const auto framed = framing.next()) {
      outcome.seen.push_back({framed->fate,
                              framed->form,
                              {framed->data.begin(), framed->data.end()},
                              framed->wire_bytes,
                              framed->skipped_bytes});
      take(*framed);
    }
  }
  outcome.rest.assign(framing.rest().begin(), framing.rest().end());
  outcome.is_broken = framing.is_broken();
  return outcome;
}

// Whether it is small enough, if its size shows at all.
bool is_small(const Framed& framed) {
  if (framed.pixels) return std::uint64_t{framed.pixels->size.width} * framed.pixels->size.height <= kMostPixels;
  PictureDecoder decoder;
  const auto size = decoder.open(framed.form, framed.data);
  return !size || std::uint64_t{size->width} * size->height <= kMostPixels;
}

class Screens {
 public:
  void decode(const Framed& framed) {
    if (framed.fate == Framed::Fate::picture && !is_small(framed)) return;
    const auto first = whole_.decode(framed, {}, 1);
    const auto again = whole_.decode(framed, {}, 2);
    expect(first.index() == again.index(), "the same picture has the same fate");
    const auto* const picture = std::get_if<PooledPicture>(&again);
    const auto smaller = small_.decode(framed, {17, 40}, 3);
    if (picture == nullptr) return;
    expect(picture->dirty == RowRange{}, "the same picture is unchanged");
    const auto* const small = std::get_if<PooledPicture>(&smaller);
    expect(small != nullptr, "what decodes also decodes smaller");
    const Size size = picture->layout.size;
    expect(small->layout.size == fitted(size, {17, 40}), "its size is the one that fits");
  }

 private:
  std::shared_ptr<memory::FramePool> pool_ = std::make_shared<memory::FramePool>(8, 1 << 20);
  PooledScreen whole_{pool_, Matrix::bt709};
  PooledScreen small_{pool_, Matrix::bt601};
};

template <class Make>
void run(const Make& make, Bytes bytes, std::size_t most_cut, unsigned seed) {
  Screens screens;
  std::minstd_rand random(seed);
  const auto whole =
      read(make(), bytes, [&] { return bytes.size(); }, [&](const Framed& framed) { screens.decode(framed); });
  const auto cut = read(make(), bytes, [&] { return 1 + random() % most_cut; }, [](const Framed&) {});
  expect(whole == cut, "it does not matter how the bytes are cut");
}

void run(Input input) {
  const bool is_frames = input.pick(0, 3) == 0;
  const std::size_t most_bytes = input.flip() ? kMaxFileBytes : input.pick(1, 600);
  const std::size_t most_cut = input.pick(1, 255);
  const auto seed = static_cast<unsigned>(1 + input.pick(0, 255));
  const Copy copy(input.rest());
  if (is_frames) {
    run([&] { return FrameStreamFraming(most_bytes); }, copy.view(), most_cut, seed);
  } else {
    run([&] { return ShotFraming(kTrailer, most_bytes); }, copy.view(), most_cut, seed);
  }
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run(mediacore::fuzz::Input({data, size}));
  return 0;
}
