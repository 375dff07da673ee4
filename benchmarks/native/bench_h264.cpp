// How fast are start codes found and access units put together, next to what else there is in C and C++?
//
//   bench_h264 [--json] FILE.h264...
//
// Start codes: all of a stream, out of memory that is as near as it can be. "64 KiB" is one piece of the stream again and
// again: a scanner that branches on the content has its branches learnt by heart there, which no live stream gives it;
// "whole" is the whole stream. The limit is reading each byte once with AVX2.
// Access units: the stream comes in chunks; libavcodec's parser does more than ours (slice type, picture order), and
// copies less. That all find the same start codes and units is looked at first.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "core/h264/access_unit_parser.hpp"
#include "core/h264/start_code.hpp"
#include "race.hpp"
#include "stream_file.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifdef MEDIACORE_HAVE_LIBAV
extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
}
#endif

namespace mediacore::benchmarks {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Offsets = std::vector<std::size_t>;

constexpr std::string_view kCode{"\0\0\1", 3};
constexpr std::size_t kHotBytes = 65536;
constexpr std::size_t kFloodBytes = std::size_t{8} << 20;
constexpr std::size_t kPadding = 64;  // libavcodec reads so far past what it is given

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

double megabytes(std::size_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

// --- Start codes. Each scanner appends the offsets of all.

void find_by_definition(Bytes data, Offsets& offsets) {
  for (std::size_t i = 0; i + 3 <= data.size(); ++i) {
    if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1) offsets.push_back(i);
  }
}

// What GStreamer and libavcodec do: on to the third byte while that one cannot end a start code.
void find_by_skipping(Bytes data, Offsets& offsets) {
  std::size_t at = 2;
  while (at < data.size()) {
    if (data[at] > 1) {
      at += 3;
    } else if (data[at - 1] != 0) {
      at += 2;
    } else if (data[at] == 1 && data[at - 2] == 0) {
      offsets.push_back(at - 2);
      at += 3;
    } else {
      ++at;
    }
  }
}

void find_by_memmem(Bytes data, Offsets& offsets) {
  const std::uint8_t* const end = data.data() + data.size();
  const std::uint8_t* at = data.data();
  while (true) {
    at = static_cast<const std::uint8_t*>(memmem(at, static_cast<std::size_t>(end - at), kCode.data(), kCode.size()));
    if (at == nullptr) return;
    offsets.push_back(static_cast<std::size_t>(at - data.data()));
    at += kCode.size();
  }
}

void find_by_string_view(Bytes data, Offsets& offsets) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  for (auto at = text.find(kCode); at != std::string_view::npos; at = text.find(kCode, at + kCode.size())) {
    offsets.push_back(at);
  }
}

// The idea of h264-reader (Rust): memchr for a zero, then a look at what follows.
void find_by_memchr_0(Bytes data, Offsets& offsets) {
  std::size_t from = 0;
  while (from + 3 <= data.size()) {
    const void* const zero = std::memchr(data.data() + from, 0, data.size() - from - 2);
    if (zero == nullptr) return;
    const auto at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(zero) - data.data());
    if (data[at + 1] == 0 && data[at + 2] == 1) {
      offsets.push_back(at);
      from = at + 3;
    } else {
      from = at + (data[at + 1] != 0 ? 2 : 1);
    }
  }
}

// Ones are rarer than zeros.
void find_by_memchr_1(Bytes data, Offsets& offsets) {
  std::size_t from = 2;
  while (from < data.size()) {
    const void* const one = std::memchr(data.data() + from, 1, data.size() - from);
    if (one == nullptr) return;
    const auto at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(one) - data.data());
    if (data[at - 1] == 0 && data[at - 2] == 0) {
      offsets.push_back(at - 2);
      from = at + 3;
    } else {
      from = at + 1;
    }
  }
}

template <h264::scan::Function find>
void find_by_blocks(Bytes data, Offsets& offsets) {
  const std::uint8_t* const end = data.data() + data.size();
  std::uint64_t codes = 0;
  for (const std::uint8_t* rest = data.data(); rest != end;) {
    const std::uint8_t* const block = find(rest, end, codes);
    for (; codes != 0; codes &= codes - 1) {
      offsets.push_back(static_cast<std::size_t>(block - data.data() + std::countr_zero(codes)));
    }
    rest = block + std::min<std::ptrdiff_t>(end - block, h264::scan::kBlockBytes);
  }
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void read_all(Bytes data) {
  __m256i sums[4] = {};
  const std::uint8_t* at = data.data();
  for (const std::uint8_t* const end = at + data.size(); end - at >= 128; at += 128) {
    for (std::size_t i = 0; i < std::size(sums); ++i) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32 * i));
      sums[i] = _mm256_xor_si256(sums[i], bytes);
    }
  }
  const __m256i sum = _mm256_xor_si256(_mm256_xor_si256(sums[0], sums[1]), _mm256_xor_si256(sums[2], sums[3]));
  asm volatile("" : : "x"(sum));  // the sum is wanted
}
#endif

struct Scanner {
  const char* name;
  void (*find)(Bytes data, Offsets& offsets);
};

std::vector<Scanner> scanners() {
  std::vector<Scanner> all{{"mediacore", h264::find_start_codes}};
#if defined(__x86_64__)
  all.push_back({"mediacore, SSE2", find_by_blocks<h264::scan::sse2>});
  if (h264::scan::has_avx2()) all.push_back({"mediacore, AVX2", find_by_blocks<h264::scan::avx2>});
  if (h264::scan::has_avx512()) all.push_back({"mediacore, AVX-512", find_by_blocks<h264::scan::avx512>});
#endif
  all.insert(all.end(), {{"naive", find_by_definition},
                         {"memmem", find_by_memmem},
                         {"string_view::find", find_by_string_view},
                         {"skip-3", find_by_skipping},
                         {"memchr(0) and check", find_by_memchr_0},
                         {"memchr(1) and check", find_by_memchr_1}});
  return all;
}

Report race_scanners(const std::string& title, Bytes bytes) {
  // In memory of its own, where cache lines begin, as a read buffer is.
  constexpr std::size_t kLine = 64;
  const auto memory = std::make_shared<std::vector<std::uint8_t>>(bytes.size() + kLine);
  const std::size_t shift = kLine - reinterpret_cast<std::uintptr_t>(memory->data()) % kLine;
  const std::span<std::uint8_t> data = std::span(*memory).subspan(shift, bytes.size());
  std::copy(bytes.begin(), bytes.end(), data.begin());

  Offsets wanted;
  find_by_definition(data, wanted);
  const auto offsets = std::make_shared<Offsets>();
  offsets->reserve(wanted.size());
  std::vector<Contestant> contestants;
  for (const Scanner& scanner : scanners()) {
    offsets->clear();
    scanner.find(data, *offsets);
    require(*offsets == wanted, title + ": wrong start codes by " + scanner.name);
    const auto run = [memory, data, offsets, find = scanner.find] {
      offsets->clear();
      find(data, *offsets);
    };
    contestants.push_back({scanner.name, run, megabytes(data.size())});
  }
#if defined(__x86_64__)
  if (h264::scan::has_avx2()) {
    contestants.push_back({"limit: AVX2 read", [memory, data] { read_all(data); }, megabytes(data.size())});
  }
#endif
  return race(title + ", " + std::to_string(wanted.size()) + " start codes", "MB", contestants);
}

// --- Access units.

class Ours {
 public:
  static constexpr const char* kName = "mediacore";

  std::size_t push(Bytes data) {
    std::size_t units = 0;
    const auto count = [&units](const h264::AccessUnitView&) { ++units; };
    require(!parser_.push(data, false, count), "a limit was passed");
    return units;
  }

  std::size_t flush() {
    std::size_t units = 0;
    parser_.flush([&units](const h264::AccessUnitView&) { ++units; });
    return units;
  }

 private:
  h264::AccessUnitParser parser_;
};

#ifdef MEDIACORE_HAVE_LIBAV
class Libavcodec {
 public:
  static constexpr const char* kName = "libavcodec parser";

  Libavcodec()
      : context_(avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264))),
        parser_(av_parser_init(AV_CODEC_ID_H264)) {
    require(context_ != nullptr && parser_ != nullptr, "libavcodec has no H.264 parser");
    av_log_set_level(AV_LOG_ERROR);
  }
  Libavcodec(const Libavcodec&) = delete;
  Libavcodec& operator=(const Libavcodec&) = delete;
  ~Libavcodec() {
    av_parser_close(parser_);
    avcodec_free_context(&context_);
  }

  // What comes after `data` in memory must be readable for kPadding bytes.
  std::size_t push(Bytes data) {
    std::size_t units = 0;
    while (!data.empty()) {
      int taken = 0;
      units += parse(data, taken);
      data = data.subspan(static_cast<std::size_t>(taken));
    }
    return units;
  }

  std::size_t flush() {
    int taken = 0;
    return parse({}, taken);
  }

 private:
  std::size_t parse(Bytes data, int& taken) {
    std::uint8_t* unit = nullptr;
    int unit_bytes = 0;
    taken = av_parser_parse2(parser_, context_, &unit, &unit_bytes, data.data(), static_cast<int>(data.size()),
                             AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
    return unit_bytes > 0 ? 1 : 0;
  }

  AVCodecContext* context_;
  AVCodecParserContext* parser_;
};
#endif

template <class Parser>
std::size_t push_chunks(Parser& parser, Bytes data, std::size_t chunk_bytes) {
  std::size_t units = 0;
  for (std::size_t at = 0; at < data.size(); at += chunk_bytes) {
    units += parser.push(data.subspan(at, std::min(chunk_bytes, data.size() - at)));
  }
  return units;
}

template <class Parser>
void add_parser(std::vector<Contestant>& contestants, const StreamFile& stream, Bytes data, std::size_t chunk_bytes) {
  {
    Parser parser;
    const std::size_t pushed = push_chunks(parser, data, chunk_bytes);
    require(pushed + parser.flush() == stream.units.size(), stream.name + ": wrong count of units by " + Parser::kName);
  }
  // One parser for all rounds: for it, one stream without an end.
  const auto parser = std::make_shared<Parser>();
  contestants.push_back({Parser::kName, [=] { push_chunks(*parser, data, chunk_bytes); }, megabytes(data.size())});
}

Report race_parsers(const StreamFile& stream, std::size_t chunk_bytes) {
  std::vector<std::uint8_t> padded = stream.data;
  padded.resize(padded.size() + kPadding);
  const Bytes data = Bytes(padded).first(stream.data.size());
  std::vector<Contestant> contestants;
  add_parser<Ours>(contestants, stream, data, chunk_bytes);
#ifdef MEDIACORE_HAVE_LIBAV
  add_parser<Libavcodec>(contestants, stream, data, chunk_bytes);
#endif
  return race("access units of " + stream.name + " in chunks of " + std::to_string(chunk_bytes), "MB", contestants);
}

// A hostile stream: zeros without end inside a NAL unit. There is no peer: libavcodec's parser keeps them all.
Report flood() {
  const auto zeros = std::make_shared<std::vector<std::uint8_t>>(kFloodBytes);
  const auto push = [zeros](std::size_t chunk_bytes) {
    constexpr std::uint8_t kSlice[] = {0, 0, 0, 1, 0x65, 0x88, 0x84};
    Ours parser;
    parser.push(kSlice);
    push_chunks(parser, *zeros, chunk_bytes);
  };
  return race("zeros inside a NAL unit", "MB",
              {{"mediacore, chunks of 65536", [=] { push(65536); }, megabytes(kFloodBytes)},
               {"mediacore, chunks of 1", [=] { push(1); }, megabytes(kFloodBytes)}});
}

int run(std::span<char*> arguments) {
  bool json = false;
  std::vector<Report> reports;
  for (const char* argument : arguments) {
    if (std::string_view(argument) == "--json") {
      json = true;
      continue;
    }
    const StreamFile stream(argument);
    const Bytes data = stream.data;
    const std::size_t hot_bytes = std::min(kHotBytes, data.size());
    reports.push_back(race_scanners("start codes of " + stream.name + ", 64 KiB",
                                    data.subspan((data.size() - hot_bytes) / 2, hot_bytes)));
    reports.push_back(race_scanners("start codes of " + stream.name + ", whole", data));
    for (const std::size_t chunk_bytes : {65536, 1400, 7, 1}) reports.push_back(race_parsers(stream, chunk_bytes));
  }
  require(!reports.empty(), "usage: bench_h264 [--json] FILE.h264...");
  reports.push_back(flood());
#ifndef MEDIACORE_HAVE_LIBAV
  std::fprintf(stderr, "libavcodec is not installed: no peer for the access units\n");
#endif
  print(reports, json);
  return 0;
}

}  // namespace
}  // namespace mediacore::benchmarks

int main(int argc, char** argv) {
  try {
    return mediacore::benchmarks::run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
