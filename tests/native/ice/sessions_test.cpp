// The demultiplexer beside the session map that Python holds its sessions in.
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

#include "core/ice/demultiplexer.hpp"
#include "core/sessions/session_map.hpp"
#include "two_viewers.hpp"

namespace mediacore::ice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the other half of this file

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;

class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest() {
    sessions_.put("anna", 1, 0);
    EXPECT_TRUE(demux_.add(kAnna, "anna+1", kPassword));
  }

  Verdict request(const Endpoint& from) {
    last_ = check("anna+1:x", kPassword, ++transaction_, true);
    return demux_.classify(last_, from, now_us_);
  }

  // Whether the map has heard of anna within the last second.
  bool is_fresh() {
    sessions::Listing removed;
    sessions_.expire(now_us_ * 1000, kSecondNs, removed);
    return sessions_.get("anna").has_value();
  }

  static constexpr auto kPassword = "anna's password 123456";
  sessions::SessionMap sessions_{4};
  Demultiplexer demux_{&sessions_};
  Buffer last_;
  std::int64_t now_us_ = 100 * kSecondUs;
  std::uint32_t transaction_ = 0;
};

TEST_F(SessionsTest, AStrangerIsLetInWhileTheMapKnowsTheSessionOfItsUfrag) {
  EXPECT_EQ(request(v4(1)).viewer, kAnna);
  sessions_.remove("anna");
  EXPECT_EQ(request(v4(2)).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().unknown_session, 1U);
  EXPECT_EQ(request(v4(1)).viewer, kAnna) << "who is known already is not looked up";
  sessions_.put("anna", 2, 0);
  EXPECT_EQ(request(v4(2)).viewer, kAnna);
}

TEST_F(SessionsTest, AnAuthenticRequestIsActivity) {
  request(v4(1));
  now_us_ += kSecondUs / 2;
  EXPECT_TRUE(is_fresh());
  now_us_ += kSecondUs / 2;
  EXPECT_FALSE(is_fresh());
}

TEST_F(SessionsTest, AnAuthenticResponseIsActivity) {
  request(v4(1));
  now_us_ += kSecondUs * 9 / 10;
  demux_.note_transaction(kAnna, id_of(77), v4(1), now_us_);
  last_ = StunBytes(kBindingSuccess, 77).bytes();
  EXPECT_TRUE(demux_.classify(last_, v4(1), now_us_).authenticated);
  now_us_ += kSecondUs / 2;
  EXPECT_TRUE(is_fresh());
}

TEST_F(SessionsTest, AForgedRequestIsNone) {
  last_ = check("anna+1:x", "another password 123456", 1, true);
  EXPECT_EQ(demux_.classify(last_, v4(1), now_us_).kind, Kind::dropped);
  EXPECT_FALSE(is_fresh());
}

TEST_F(SessionsTest, AUfragWithoutAPlusIsTheWholeSession) {
  sessions_.put("carl", 3, 0);
  EXPECT_TRUE(demux_.add(13, "carl", kPassword));
  last_ = check("carl:x", kPassword, 5, true);
  EXPECT_EQ(demux_.classify(last_, v4(9), now_us_).viewer, 13U);
}

}  // namespace
}  // namespace mediacore::ice
