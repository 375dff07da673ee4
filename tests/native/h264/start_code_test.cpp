#include "core/h264/start_code.hpp"

#include <gtest/gtest.h>

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
#endif
  return all;
}

std::size_t by_definition(const std::uint8_t* data, std::size_t size) {
  for (std::size_t i = 0; i + 3 <= size; ++i) {
    if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1) return i;
  }
  return size;
}

class StartCodeTest : public ::testing::TestWithParam<Scanner> {
 protected:
  // In a block of just this size, so that a sanitizer sees a read past the end.
  std::size_t find(const std::vector<std::uint8_t>& data) const {
    const auto block = std::make_unique<std::uint8_t[]>(data.size());
    std::copy(data.begin(), data.end(), block.get());
    return static_cast<std::size_t>(GetParam().find(block.get(), block.get() + data.size()) - block.get());
  }
};

TEST_P(StartCodeTest, FindsACodeAtEveryPlaceOfEverySize) {
  for (std::size_t size = 0; size <= 300; ++size) {
    EXPECT_EQ(find(std::vector<std::uint8_t>(size, 0)), size) << "zeros only";
    for (std::size_t at = 0; at + 3 <= size; ++at) {
      std::vector<std::uint8_t> data(size, 0x55);
      data[at] = data[at + 1] = 0;
      data[at + 2] = 1;
      ASSERT_EQ(find(data), at) << size;
    }
  }
}

TEST_P(StartCodeTest, AgreesWithTheDefinitionOnBytesRichInZerosAndOnes) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::uint8_t> data(random() % 700);
    const auto kinds = 2 + random() % 30;
    for (auto& byte : data) byte = static_cast<std::uint8_t>(random() % kinds);
    ASSERT_EQ(find(data), by_definition(data.data(), data.size()));
  }
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

}  // namespace
}  // namespace mediacore::h264
