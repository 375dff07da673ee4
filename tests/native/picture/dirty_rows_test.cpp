#include "core/picture/dirty_rows.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mediacore::picture {
namespace {

struct Block {
  explicit Block(Size size) : layout(size), bytes(layout.bytes(), 50) {}
  I420Planes planes() { return layout.planes(bytes.data()); }

  I420Layout layout;
  std::vector<std::uint8_t> bytes;
};

TEST(DirtyRowsTest, NamesTheRowsThatDifferInAnyPlane) {
  const Size size{20, 11};
  Block before(size);
  Block now(size);
  EXPECT_EQ(dirty_rows(before.planes(), now.planes()), RowRange{});
  now.planes().y[7 * now.layout.stride + 19] = 1;
  EXPECT_EQ(dirty_rows(before.planes(), now.planes()), (RowRange{6, 8}));
  now.planes().u[1 * now.layout.stride / 2] = 1;
  EXPECT_EQ(dirty_rows(before.planes(), now.planes()), (RowRange{2, 8}));
  now.planes().v[5 * now.layout.stride / 2 + 9] = 1;
  EXPECT_EQ(dirty_rows(before.planes(), now.planes()), (RowRange{2, 11})) << "the last row has its chroma alone";
}

TEST(DirtyRowsTest, LooksAtNothingBesideTheRows) {
  const Size size{20, 4};
  Block before(size);
  Block now(size);
  for (std::size_t y = 0; y < 4; ++y) now.bytes[y * now.layout.stride + 20] = 9;
  EXPECT_EQ(dirty_rows(before.planes(), now.planes()), RowRange{});
}

}  // namespace
}  // namespace mediacore::picture
