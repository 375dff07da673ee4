#include "core/h264/start_code.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace mediacore::h264 {
namespace {

struct Scanner {
  std::string name;
  scan::Function find;
};

std::vector<Scanner> scanners() {
  std::vector<Scanner> all{{"scalar", scan::scalar}};
#if defined(__x86_64__)
  all.push_back({"sse2", scan::sse2});
  if (scan::has_avx2()) all.push_back({"avx2", scan::avx2});
  if (scan::has_avx512()) all.push_back({"avx512", scan::avx512});
#endif
  return all;
}

std::vector<std::size_t> by_definition(const std::vector<std::uint8_t>& data) {
  std::vector<std::size_t> offsets;
  for (std::size_t i = 0; i + 3 <= data.size(); ++i) {
    if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1) offsets.push_back(i);
  }
  return offsets;
}

// All start codes, in a block of just this size, so that a sanitizer sees a read past the end. `shift` moves it away from
// the alignment of blocks.
std::vector<std::size_t> find_all(scan::Function find, const std::vector<std::uint8_t>& data, std::size_t shift = 0) {
  const auto block = std::make_unique<std::uint8_t[]>(shift + data.size());
  const std::uint8_t* const begin = block.get() + shift;
  const std::uint8_t* const end = begin + data.size();
  std::copy(data.begin(), data.end(), block.get() + shift);
  std::vector<std::size_t> offsets;
  for (const std::uint8_t* rest = begin; rest != end;) {
    std::uint64_t codes = 1;
    const std::uint8_t* const found = find(rest, end, codes);
    EXPECT_EQ(codes == 0, found == end);
    for (; codes != 0; codes &= codes - 1) {
      offsets.push_back(static_cast<std::size_t>(found - begin) + static_cast<std::size_t>(std::countr_zero(codes)));
    }
    rest = found + std::min<std::ptrdiff_t>(end - found, scan::kBlockBytes);
  }
  return offsets;
}

class StartCodeTest : public ::testing::TestWithParam<Scanner> {};

TEST_P(StartCodeTest, FindsACodeAtEveryPlaceOfEverySize) {
  for (std::size_t size = 0; size <= 600; size += size < 300 ? 1 : 37) {
    EXPECT_TRUE(find_all(GetParam().find, std::vector<std::uint8_t>(size, 0)).empty()) << "zeros only";
    for (std::size_t at = 0; at + 3 <= size; ++at) {
      std::vector<std::uint8_t> data(size, 0x55);
      data[at] = data[at + 1] = 0;
      data[at + 2] = 1;
      ASSERT_EQ(find_all(GetParam().find, data, at % 17), std::vector{at}) << size;
    }
  }
}

TEST_P(StartCodeTest, AgreesWithTheDefinitionOnBytesRichInZerosAndOnes) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::uint8_t> data(random() % 1200);
    const auto kinds = 2 + random() % 30;
    for (auto& byte : data) byte = static_cast<std::uint8_t>(random() % kinds);
    const std::vector<std::size_t> found = find_all(GetParam().find, data, random() % 64);
    ASSERT_EQ(found, by_definition(data));
    ASSERT_EQ(found, find_all(scan::scalar, data));
  }
}

TEST_P(StartCodeTest, FindsCodesThatFollowEachOtherWithoutAGap) {
  std::vector<std::uint8_t> data;
  for (int i = 0; i < 300; ++i) data.insert(data.end(), {0, 0, 1});
  EXPECT_EQ(find_all(GetParam().find, data), by_definition(data));
}

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, StartCodeTest, ::testing::ValuesIn(scanners()),
                         [](const auto& test) { return test.param.name; });

TEST(FindStartCodes, GivesTheFirstByteOfEachCode) {
  const std::vector<std::uint8_t> data{0, 0, 0, 1, 9, 0, 0, 1, 0, 0, 1};
  std::vector<std::size_t> offsets;
  find_start_codes(data, offsets);
  EXPECT_EQ(offsets, (std::vector<std::size_t>{1, 5, 8}));
}

TEST(FindStartCode, StartsWhereItIsTold) {
  const std::vector<std::uint8_t> data{0, 0, 1, 5, 0, 0, 1};
  EXPECT_EQ(find_start_code(data, 1), 4U);
  EXPECT_EQ(find_start_code(data, 5), data.size());
  EXPECT_EQ(find_start_code(data, 99), data.size());
}

TEST(StartCodes, GivesOneAfterTheOtherAndThenTheSize) {
  const std::vector<std::uint8_t> data{0, 0, 1, 5, 0, 0, 0, 1, 6};
  StartCodes codes(data, 1);
  EXPECT_EQ(codes.next(), 5U);
  EXPECT_EQ(codes.next(), data.size());
  EXPECT_EQ(codes.next(), data.size());
  EXPECT_EQ(StartCodes({}).next(), 0U);
}

}  // namespace
}  // namespace mediacore::h264
