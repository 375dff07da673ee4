// The picture reader on a socket pair: pictures, damage, slow consumers, and every way to its end.
#include "io/picture_reader.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <numeric>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "../picture/shot_bytes.hpp"
#include "io/clock.hpp"

namespace mediacore::io {
namespace {

using picture::Damage;
using picture::I420Layout;
using picture::RowRange;
using picture::Size;
using picture::testing::frame;
using picture::testing::kTrailer;
using picture::testing::raw_screen;
using picture::testing::shot;
using picture::testing::words;

constexpr std::int64_t kLong = 30'000'000;  // a test that waits this long has failed

// A reader, and the device at the other end of its socket.
class ReaderTest : public ::testing::Test {
 protected:
  ReaderTest() {
    std::array<int, 2> pair{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    device = Descriptor(pair[0]);
    ours = Descriptor(pair[1]);
  }

  void open(PictureReader::Framing framing, PictureReader::Settings settings = {}, std::size_t slots = 6) {
    pool = std::make_shared<memory::FramePool>(slots, I420Layout({64, 64}).bytes());
    reader.emplace(std::move(ours), std::move(framing), pool, settings);
  }

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(device.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  template <class T>
  T next() {
    auto report = reader->next_until(monotonic_us() + kLong);
    EXPECT_TRUE(report.has_value());
    T* const expected = std::get_if<T>(&*report);
    EXPECT_NE(expected, nullptr) << "report " << report->index();
    return std::move(*expected);
  }

  // So many pictures have been looked at.
  void settle(std::uint64_t pictures) {
    const std::int64_t deadline_us = monotonic_us() + kLong;
    while (reader->counts().pictures < pictures && monotonic_us() < deadline_us) std::this_thread::yield();
  }

  void expect_balance() {
    const PictureCounts counts = reader->counts();
    EXPECT_EQ(counts.pictures, std::accumulate(counts.damaged.begin(), counts.damaged.end(),
                                               counts.delivered + counts.queued + counts.overflown));
  }

  Descriptor device;
  Descriptor ours;
  std::shared_ptr<memory::FramePool> pool;
  std::optional<PictureReader> reader;
};

std::uint8_t luma(const Shot& shot) {
  return shot.picture.lease->data()[0];
}

TEST_F(ReaderTest, GivesShotsInOrderAndTellsWhatChanged) {
  open(picture::ShotFraming(kTrailer), {.capacity = 4});
  EXPECT_TRUE(reader->request());
  char asked = 0;
  ASSERT_EQ(recv(device.get(), &asked, 1, 0), 1);
  EXPECT_EQ(asked, '\n');
  std::string changed = raw_screen(8, 8, 'a');
  changed[16 + 8 * 4 * 5] = 'z';
  write(shot(raw_screen(8, 8, 'a')) + shot(raw_screen(8, 8, 'a')) + shot("words\n" + changed));
  const std::int64_t before_us = monotonic_us() - kLong;
  const auto first = next<Shot>();
  EXPECT_EQ(first.picture.dirty, std::nullopt);
  EXPECT_EQ(first.picture.layout.size, (Size{8, 8}));
  EXPECT_EQ(first.form, picture::WireForm::raw);
  EXPECT_GT(first.first_byte_us, before_us);
  EXPECT_LE(first.first_byte_us, first.complete_us);
  EXPECT_LE(first.complete_us, first.decoded_us);
  EXPECT_EQ(first.picture.lease->info().pts_us, first.first_byte_us);
  const auto second = next<Shot>();
  EXPECT_EQ(second.picture.dirty, RowRange{});
  EXPECT_EQ(second.picture.lease->handle(), first.picture.lease->handle()) << "the same slot";
  EXPECT_EQ(next<Shot>().picture.dirty, (RowRange{4, 6}));
  EXPECT_EQ(reader->counts().skipped_bytes, 6U);
  expect_balance();
}

TEST_F(ReaderTest, DamageCostsOnlyThePictureThatHasIt) {
  open(picture::ShotFraming(kTrailer), {.capacity = 8});
  const std::string whole = raw_screen(8, 8, 'a');
  // The header of a picture that turned: as many bytes are wanted, or others.
  write(shot(whole.substr(0, 100)) + shot(whole) + shot(raw_screen(65, 64, 'b')) + shot("\n") + shot(whole + "more") +
        shot(words({16384, 16384, 1, 1})) + shot(words({8, 9, 1, 1}) + std::string(256, 'x')) + shot(whole));
  EXPECT_EQ(next<DamagedShot>().damage, Damage::truncated);
  EXPECT_EQ(next<Shot>().picture.dirty, std::nullopt);
  EXPECT_EQ(next<DamagedShot>().damage, Damage::oversize) << "for a slot";
  EXPECT_EQ(next<DamagedShot>().damage, Damage::no_picture);
  EXPECT_EQ(next<DamagedShot>().damage, Damage::corrupt);
  EXPECT_EQ(next<DamagedShot>().damage, Damage::no_picture) << "beyond all limits: no header";
  EXPECT_EQ(next<DamagedShot>().damage, Damage::truncated);
  EXPECT_EQ(next<Shot>().picture.dirty, RowRange{});
  expect_balance();
}

TEST_F(ReaderTest, ASlowConsumerGetsTheNewestAndAllRowsThatChanged) {
  open(picture::ShotFraming(kTrailer), {.capacity = 2});
  write(shot(raw_screen(16, 16, 'a')));
  next<Shot>();
  std::string screen = raw_screen(16, 16, 'a');
  const auto touch = [&](std::size_t row) { screen[16 + row * 16 * 4] = static_cast<char>('b' + row); };
  for (const std::size_t row : {1U, 5U, 9U, 13U}) {
    touch(row);
    write(shot(screen));
  }
  settle(5);
  EXPECT_EQ(reader->counts().overflown, 2U);
  EXPECT_EQ(next<Shot>().picture.dirty, (RowRange{0, 10})) << "with those of the two that are gone";
  EXPECT_EQ(next<Shot>().picture.dirty, (RowRange{12, 14}));
  expect_balance();
}

TEST_F(ReaderTest, NobodyWhoKeepsFramesKeepsItFromReading) {
  open(picture::ShotFraming(kTrailer), {.capacity = 8}, 3);
  std::vector<Shot> kept;
  for (const char fill : {'a', 'b', 'c'}) write(shot(raw_screen(8, 8, fill)));
  for (int i = 0; i < 3; ++i) kept.push_back(next<Shot>());
  write(shot(raw_screen(8, 8, 'd')) + shot(raw_screen(8, 8, 'e')));
  EXPECT_EQ(next<DamagedShot>().damage, Damage::pool_exhausted);
  EXPECT_EQ(next<DamagedShot>().damage, Damage::pool_exhausted);
  const std::uint8_t first = luma(kept[0]);
  kept.erase(kept.begin() + 1);
  write(shot(raw_screen(8, 8, 'c')));
  EXPECT_EQ(next<Shot>().picture.dirty, RowRange{});
  EXPECT_EQ(luma(kept[0]), first) << "nobody wrote to what is kept";
  expect_balance();
}

TEST_F(ReaderTest, MakesLargePicturesSmallerEitherWayUp) {
  open(picture::ShotFraming(kTrailer), {.capacity = 8, .largest = {32, 64}});
  write(shot(raw_screen(100, 200, 'a')) + shot(raw_screen(200, 100, 'a')) + shot(raw_screen(30, 60, 'a')));
  EXPECT_EQ(next<Shot>().picture.layout.size, (Size{32, 64}));
  const auto turned = next<Shot>();
  EXPECT_EQ(turned.picture.layout.size, (Size{64, 32}));
  EXPECT_EQ(turned.picture.dirty, (RowRange{0, 32})) << "another size: all rows";
  EXPECT_EQ(next<Shot>().picture.layout.size, (Size{30, 60}));
  reader->set_largest({16, 16});
  write(shot(raw_screen(30, 60, 'a')));
  EXPECT_EQ(next<Shot>().picture.layout.size, (Size{8, 16}));
}

TEST_F(ReaderTest, GivesTheFramesOfScreenrecord) {
  open(picture::FrameStreamFraming(), {.capacity = 4});
  write(frame(6, 4, 'a') + frame(6, 4, 'a', 2) + frame(4, 6, 'b'));
  EXPECT_EQ(next<Shot>().form, picture::WireForm::rgb888);
  EXPECT_EQ(next<Shot>().picture.dirty, RowRange{});
  EXPECT_EQ(next<Shot>().picture.layout.size, (Size{4, 6}));
  write("ERROR: no\n" + std::string(40, 'x'));
  const auto end = next<PicturesEnded>();
  EXPECT_EQ(end.reason, PicturesEnded::Reason::damaged);
  EXPECT_EQ(std::string(end.head.begin(), end.head.end()), "ERROR: no\n" + std::string(40, 'x')) << "all words";
  EXPECT_EQ(next<PicturesEnded>().reason, PicturesEnded::Reason::damaged) << "told again";
}

TEST_F(ReaderTest, ALargeFrameGoesThroughASmallSocketBuffer) {
  const int bytes = 4096;
  setsockopt(ours.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  setsockopt(device.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  open(picture::FrameStreamFraming(), {.capacity = 2, .largest = {64, 64}});
  write(frame(1000, 1000, 'a'));
  EXPECT_EQ(next<Shot>().wire_bytes, 3'000'020U);
}

TEST_F(ReaderTest, ThePictureThatTheConnectionEndedInIsDamaged) {
  open(picture::ShotFraming(kTrailer));
  write(shot(raw_screen(8, 8, 'a')) + raw_screen(8, 8, 'b').substr(0, 50));
  next<Shot>();
  device.close();
  EXPECT_EQ(next<DamagedShot>().damage, Damage::truncated);
  const auto end = next<PicturesEnded>();
  EXPECT_EQ(end.reason, PicturesEnded::Reason::closed);
  EXPECT_EQ(end.head.size(), 50U);
  EXPECT_FALSE(reader->request()) << "there is nobody";
  expect_balance();
}

TEST_F(ReaderTest, LastWordsAreNoPicture) {
  open(picture::ShotFraming(kTrailer));
  write("sh: screencap: not found\n");
  device.close();
  const auto end = next<PicturesEnded>();
  EXPECT_EQ(std::string(end.head.begin(), end.head.end()), "sh: screencap: not found\n");
}

TEST_F(ReaderTest, AConnectionThatFailsTellsWhy) {
  open(picture::ShotFraming(kTrailer));
  ASSERT_TRUE(reader->request());
  device.close();  // and has not read it: a reset
  const auto end = next<PicturesEnded>();
  EXPECT_EQ(end.reason, PicturesEnded::Reason::failed);
  EXPECT_EQ(end.error_number, ECONNRESET);
}

// `close` waited for ever for a thread that nothing woke.
TEST_F(ReaderTest, WhatIsNoStreamSocketIsRefused) {
  const auto code = [this](int fd) {
    ours = Descriptor(fd);
    try {
      open(picture::ShotFraming(kTrailer));
    } catch (const std::system_error& error) {
      return error.code().value();
    }
    return 0;
  };
  EXPECT_EQ(code(eventfd(0, EFD_CLOEXEC)), ENOTSOCK);
  EXPECT_EQ(code(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), EPROTOTYPE);
  EXPECT_EQ(code(-1), EBADF);
}

// Python's handlers ran nowhere, or late: signals of the process came to the reader's thread.
TEST_F(ReaderTest, ItsThreadTakesNoSignals) {
  open(picture::ShotFraming(kTrailer));
  sigset_t user;
  sigset_t former;
  sigemptyset(&user);
  sigaddset(&user, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &user, &former), 0);
  ASSERT_EQ(kill(getpid(), SIGUSR1), 0);  // ends the process if any thread takes it
  const timespec timeout{.tv_sec = 30, .tv_nsec = 0};
  EXPECT_EQ(sigtimedwait(&user, nullptr, &timeout), SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &former, nullptr), 0);
}

TEST_F(ReaderTest, ManyDamagedShotsAreCountedAndTheNewestKept) {
  open(picture::ShotFraming(kTrailer));
  for (int i = 0; i < 40; ++i) write(shot("word " + std::to_string(i)));
  settle(40);
  std::size_t told = 0;
  while (reader->next_until(0)) ++told;
  EXPECT_EQ(told, PictureReports::kMostDamaged);
  EXPECT_EQ(reader->counts().damaged[static_cast<std::size_t>(Damage::no_picture)], 40U);
  expect_balance();
}

TEST_F(ReaderTest, ARequestThatTheDeviceDoesNotReadDoesNotBlock) {
  open(picture::ShotFraming(kTrailer));
  std::size_t sent = 0;
  while (reader->request()) ++sent;
  EXPECT_GT(sent, 0U);
}

TEST_F(ReaderTest, CloseWakesWhoWaitsAndIsTwiceNothingMore) {
  open(picture::ShotFraming(kTrailer));
  write(raw_screen(8, 8, 'a').substr(0, 20));
  std::atomic<bool> woken = false;
  std::thread consumer([&] {
    EXPECT_FALSE(reader->next_until(monotonic_us() + kLong));
    woken = true;
  });
  reader->close();
  consumer.join();
  EXPECT_TRUE(woken);
  reader->close();
  EXPECT_FALSE(reader->next_until(monotonic_us() + kLong));
  EXPECT_FALSE(reader->request());
}

TEST_F(ReaderTest, ClosedByManyThreadsWhilePicturesCome) {
  open(picture::ShotFraming(kTrailer), {.capacity = 1});
  std::thread sender([this] {
    const std::string one = shot(raw_screen(60, 60, 'a'));
    for (int i = 0; i < 1000; ++i) {
      if (send(device.get(), one.data(), one.size(), MSG_NOSIGNAL) < 0) return;
    }
  });
  std::thread consumer([this] {
    for (int i = 0; i < 20; ++i) reader->next_until(monotonic_us() + 1000);
  });
  std::thread asker([this] {
    for (int i = 0; i < 100; ++i) reader->request();
  });
  consumer.join();
  std::thread closer([this] { reader->close(); });
  reader->close();
  closer.join();
  device.close();
  sender.join();
  asker.join();
}

TEST_F(ReaderTest, FramesOutliveTheReader) {
  open(picture::ShotFraming(kTrailer));
  write(shot(raw_screen(8, 8, 'a')));
  auto kept = std::make_optional(next<Shot>());
  const std::uint8_t before = luma(*kept);
  reader.reset();
  EXPECT_EQ(luma(*kept), before);
  EXPECT_EQ(pool->in_use(), 1U) << "the reader has given its own back";
  kept.reset();
  EXPECT_EQ(pool->in_use(), 0U);
}

}  // namespace
}  // namespace mediacore::io
