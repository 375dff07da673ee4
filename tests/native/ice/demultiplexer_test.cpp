#include "core/ice/demultiplexer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "two_viewers.hpp"

namespace mediacore::ice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the other half of this file

TEST_F(DemultiplexerTest, NamesAndIdsAreTakenOnce) {
  EXPECT_FALSE(demux_.add(kAnna, "carl", "password"));
  EXPECT_FALSE(demux_.add(13, "anna+1", "password"));
  EXPECT_FALSE(demux_.add(13, "", "password"));
  EXPECT_FALSE(demux_.add(13, "carl", ""));
  EXPECT_FALSE(demux_.add(0, "carl", "password"));
  EXPECT_TRUE(demux_.add(13, "carl", "password"));
  demux_.remove(kAnna);
  EXPECT_TRUE(demux_.add(14, "anna+1", "other password"));
}

TEST_F(DemultiplexerTest, ARequestBelongsToTheViewerItNames) {
  const Verdict verdict = classify(request_of(kAnna), v4(1));
  EXPECT_EQ(verdict.kind, Kind::up);
  EXPECT_EQ(verdict.viewer, kAnna);
  EXPECT_TRUE(verdict.authenticated);
  EXPECT_FALSE(verdict.moved);
  EXPECT_EQ(verdict.from, v4(1));
  EXPECT_EQ(verdict.payload.data(), last_.data());
  EXPECT_EQ(verdict.payload.size(), last_.size());
  EXPECT_EQ(demux_.destination(kAnna), std::nullopt);
  EXPECT_EQ(classify(request_of(kBert), v4(1, 5001)).viewer, kBert);
}

TEST_F(DemultiplexerTest, ARequestIsAnsweredForItsAddress) {
  for (const Endpoint& from : {v4(7, 0x1234), v6(7, 0x1234)}) {
    const Verdict verdict = classify(request_of(kAnna), from);
    const auto response = stun::parse(verdict.response);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->message_class, stun::Class::success);
    EXPECT_EQ(response->method, stun::kBinding);
    EXPECT_EQ(response->transaction_id, id_of(transaction_));
    EXPECT_TRUE(stun::verify(verdict.response, *response, "anna's password 123456"));
    // XOR-MAPPED-ADDRESS is the first attribute; the port is XORed with the cookie.
    const auto& bytes = verdict.response;
    EXPECT_EQ(rtp::load_be<2>(&bytes[20]), 0x0020U);
    EXPECT_EQ(bytes[25], from.is_ipv4() ? 1 : 2);
    EXPECT_EQ(rtp::load_be<2>(&bytes[26]) ^ 0x2112U, 0x1234U);
    EXPECT_EQ(bytes[28] ^ 0x21, from.is_ipv4() ? 192 : 0x20);
  }
  EXPECT_EQ(demux_.stats().answered, 2U);
}

TEST_F(DemultiplexerTest, ForgedRequestsAreDropped) {
  EXPECT_EQ(classify(check("anna+1:x", "bert's password 123456", 1, true), v4(1)).kind, Kind::dropped);
  EXPECT_EQ(classify(StunBytes(kBindingRequest, 1).username("anna+1:x").controlling().bytes(), v4(1)).kind,
            Kind::dropped);
  Buffer changed = request_of(kAnna);
  changed[31] ^= 1;  // in their ufrag
  const Verdict verdict = classify(changed, v4(1));
  EXPECT_EQ(verdict.kind, Kind::dropped);
  EXPECT_EQ(verdict.viewer, 0U);
  EXPECT_TRUE(verdict.response.empty());
  EXPECT_FALSE(verdict.authenticated);
  EXPECT_EQ(demux_.stats().bad_integrity, 3U);
  EXPECT_EQ(demux_.stats().answered, 0U);
  // The address is not the viewer's.
  EXPECT_EQ(classify(kDtls, v4(1)).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().unknown_address, 1U);
}

TEST_F(DemultiplexerTest, UnknownNamesAreDropped) {
  for (const char* name : {"carl:x", "anna+1", "anna+", "anna+12:x", ":anna+1", "", "ANNA+1:x"}) {
    EXPECT_EQ(classify(check(name, "anna's password 123456", 1, false), v4(1)).kind, Kind::dropped) << name;
  }
  EXPECT_EQ(demux_.stats().unknown_ufrag, 7U);
}

TEST_F(DemultiplexerTest, WhatIsNothingIsCountedAsMalformed) {
  Buffer cut = request_of(kAnna);
  cut.pop_back();
  const std::vector<Buffer> nothing{{},
                                    {0},
                                    {0, 1},
                                    cut,
                                    Buffer(20, 0),
                                    Buffer(200, 4),
                                    Buffer(100, 16),
                                    Buffer(100, 80),
                                    Buffer(100, 200),
                                    {64, 0, 0},
                                    {0x80, 200, 0, 0, 0, 0, 0},
                                    {0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0}};
  connect(kAnna, v4(1));
  for (const Buffer& bytes : nothing) EXPECT_EQ(classify(bytes, v4(1)).kind, Kind::dropped) << bytes.size();
  EXPECT_EQ(demux_.stats().malformed, nothing.size());
  // A client of TURN is somewhere else, and nobody is at port 0.
  const Buffer allocate =
      StunBytes(kAllocateRequest, 1).username("anna+1:x").integrity("anna's password 123456").bytes();
  EXPECT_EQ(classify(allocate, v4(1)).kind, Kind::dropped);
  EXPECT_EQ(classify(request_of(kAnna), v4(1, 0)).kind, Kind::dropped);
  EXPECT_EQ(classify(channel_data(0x4000, kDtls), v4(1)).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().malformed, nothing.size() + 3);
}

TEST_F(DemultiplexerTest, EverythingElseBelongsToWhoWasHeardFromThere) {
  classify(request_of(kAnna), v4(1));
  classify(request_of(kBert), v4(1, 5001));  // of the same host
  const auto kinds = [&](const Endpoint& from) {
    return std::array{classify(kDtls, from).kind, classify(kRtcp, from).kind, classify(kRtp, from).kind};
  };
  EXPECT_EQ(kinds(v4(1)), (std::array{Kind::up, Kind::rtcp, Kind::rtp}));
  EXPECT_EQ(classify(kDtls, v4(1)).viewer, kAnna);
  EXPECT_EQ(classify(kRtcp, v4(1, 5001)).viewer, kBert);
  EXPECT_FALSE(classify(kRtcp, v4(1)).authenticated);
  // Another port, another host, another socket of ours.
  for (const Endpoint& from : {v4(1, 5002), v4(2), v4(1, 5000, 1), v6(1)}) {
    EXPECT_EQ(kinds(from), (std::array{Kind::dropped, Kind::dropped, Kind::dropped}));
  }
  EXPECT_EQ(demux_.stats().unknown_address, 12U);
}

TEST_F(DemultiplexerTest, MediaGoesWhereItIsValidAndNominated) {
  EXPECT_FALSE(classify(request_of(kAnna, true), v4(1)).moved);
  EXPECT_EQ(demux_.destination(kAnna), std::nullopt);
  const Verdict answered = prove(kAnna, v4(1));
  EXPECT_TRUE(answered.moved);
  EXPECT_TRUE(answered.authenticated);
  EXPECT_EQ(answered.kind, Kind::up);
  EXPECT_EQ(demux_.destination(kAnna), v4(1));

  // The other order, for another viewer.
  EXPECT_FALSE(prove(kBert, v6(2)).moved);
  EXPECT_FALSE(classify(request_of(kBert), v6(2)).moved);
  EXPECT_TRUE(classify(request_of(kBert, true), v6(2)).moved);
  EXPECT_EQ(demux_.destination(kBert), v6(2));
  EXPECT_EQ(demux_.destination(kAnna), v4(1));
}

TEST_F(DemultiplexerTest, MediaFollowsANewPort) {
  connect(kAnna, v4(1));
  EXPECT_FALSE(classify(request_of(kAnna, true), v4(1, 6000)).moved);
  EXPECT_EQ(demux_.destination(kAnna), v4(1));  // not before our check was answered
  EXPECT_TRUE(prove(kAnna, v4(1, 6000)).moved);
  EXPECT_EQ(demux_.destination(kAnna), v4(1, 6000));
  // Neither consent responses nor checks that nominate nothing move it back.
  EXPECT_FALSE(prove(kAnna, v4(1)).moved);
  EXPECT_FALSE(classify(request_of(kAnna), v4(1)).moved);
  EXPECT_EQ(demux_.destination(kAnna), v4(1, 6000));
  // A new nomination does.
  EXPECT_TRUE(classify(request_of(kAnna, true), v4(1)).moved);
  EXPECT_EQ(demux_.destination(kAnna), v4(1));
}

TEST_F(DemultiplexerTest, AResponseCountsFromWhereTheRequestWent) {
  classify(request_of(kAnna, true), v4(66));  // as if from a victim's address
  demux_.note_transaction(kAnna, id_of(900), v4(1), now_us_);
  const Buffer success = StunBytes(kBindingSuccess, 900).bytes();
  EXPECT_EQ(classify(success, v4(66)).kind, Kind::dropped);
  EXPECT_EQ(classify(success, v4(1, 5000, 1)).kind, Kind::dropped);
  EXPECT_EQ(demux_.destination(kAnna), std::nullopt);
  EXPECT_EQ(demux_.stats().unknown_transaction, 2U);
  // It was not used up, and is now.
  EXPECT_EQ(classify(success, v4(1)).kind, Kind::up);
  EXPECT_EQ(classify(success, v4(1)).kind, Kind::dropped);
}

TEST_F(DemultiplexerTest, AnErrorResponseGoesUpAndProvesNothing) {
  classify(request_of(kAnna, true), v4(1));
  demux_.note_transaction(kAnna, id_of(900), v4(1), now_us_);
  const Verdict verdict = classify(StunBytes(kBindingError, 900).bytes(), v4(1));
  EXPECT_EQ(verdict.kind, Kind::up);
  EXPECT_EQ(verdict.viewer, kAnna);
  EXPECT_FALSE(verdict.authenticated);
  EXPECT_EQ(demux_.destination(kAnna), std::nullopt);
}

TEST_F(DemultiplexerTest, TransactionsExpire) {
  demux_.note_transaction(kAnna, id_of(900), v4(1), now_us_);
  demux_.note_transaction(kAnna, id_of(901), v4(1), now_us_);
  now_us_ += kTransactionUs - 1;
  EXPECT_EQ(classify(StunBytes(kBindingSuccess, 900).bytes(), v4(1)).kind, Kind::up);
  now_us_ += 1;
  EXPECT_EQ(classify(StunBytes(kBindingSuccess, 901).bytes(), v4(1)).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().unknown_transaction, 1U);
}

TEST_F(DemultiplexerTest, TransactionsAreBounded) {
  for (std::uint32_t i = 0; i <= kMaxTransactions; ++i) {
    demux_.note_transaction(kAnna, id_of(1000 + i), v4(1), now_us_);
    demux_.note_transaction(kAnna, id_of(1000 + i), v4(2), now_us_);  // a retransmission: changes nothing
  }
  demux_.note_transaction(kBert, id_of(2000), v4(1), now_us_);
  const auto answer = [&](std::uint32_t id) { return classify(StunBytes(kBindingSuccess, id).bytes(), v4(1)).kind; };
  EXPECT_EQ(answer(1000), Kind::dropped);  // the oldest
  EXPECT_EQ(answer(1001), Kind::up);
  EXPECT_EQ(answer(1000 + kMaxTransactions), Kind::up);
  EXPECT_EQ(answer(2000), Kind::up);
}

TEST_F(DemultiplexerTest, AddressesAreBounded) {
  connect(kAnna, v4(1));
  classify(request_of(kBert), v4(200));
  for (std::uint8_t i = 2; i < 3 + kMaxAddresses; ++i) classify(request_of(kAnna), v4(i));
  // The two oldest but the one that media goes to are gone.
  EXPECT_EQ(classify(kDtls, v4(1)).viewer, kAnna);
  EXPECT_EQ(classify(kDtls, v4(2)).viewer, 0U);
  EXPECT_EQ(classify(kDtls, v4(3)).viewer, 0U);
  for (std::uint8_t i = 4; i < 3 + kMaxAddresses; ++i) EXPECT_EQ(classify(kDtls, v4(i)).viewer, kAnna) << int{i};
  EXPECT_EQ(classify(kDtls, v4(200)).viewer, kBert);
}

TEST_F(DemultiplexerTest, AnAddressGoesToWhoProvesIt) {
  // Not yet proved: the newest request owns it.
  classify(request_of(kAnna, true), v4(1));
  classify(request_of(kBert), v4(1));
  EXPECT_EQ(classify(kDtls, v4(1)).viewer, kBert);
  EXPECT_EQ(prove(kAnna, v4(1)).viewer, kAnna);
  EXPECT_EQ(classify(kDtls, v4(1)).viewer, kAnna);
  classify(request_of(kAnna, true), v4(1));
  EXPECT_EQ(demux_.destination(kAnna), v4(1));

  // Proved: a request of another viewer, its source forged, takes nothing, and goes up so that it is checked.
  demux_.set_handing_up(kBert, false);
  const Verdict forged = classify(request_of(kBert, true), v4(1));
  EXPECT_EQ(forged.viewer, kBert);
  EXPECT_EQ(forged.kind, Kind::up);
  EXPECT_FALSE(forged.moved);
  EXPECT_EQ(classify(kRtcp, v4(1)).viewer, kAnna);
  EXPECT_EQ(demux_.destination(kAnna), v4(1));

  // With an answer it does.
  const Verdict proved = prove(kBert, v4(1));
  EXPECT_EQ(proved.displaced, kAnna);
  EXPECT_EQ(demux_.destination(kAnna), std::nullopt);
  EXPECT_EQ(classify(kRtcp, v4(1)).viewer, kBert);
  EXPECT_TRUE(classify(request_of(kBert, true), v4(1)).moved);
  EXPECT_EQ(demux_.destination(kBert), v4(1));
}

TEST_F(DemultiplexerTest, ARoleConflictIsLeftToPython) {
  const auto request = [&](bool controlled) {
    StunBytes message(kBindingRequest, ++transaction_);
    message.username("anna+1:x").priority().use_candidate();
    if (controlled) message.controlled();
    return message.integrity("anna's password 123456").bytes();
  };
  demux_.set_handing_up(kAnna, false);
  for (const bool controlled : {true, false}) {
    const Verdict verdict = classify(request(controlled), v4(1));
    EXPECT_EQ(verdict.kind, Kind::up);
    EXPECT_TRUE(verdict.authenticated);
    EXPECT_TRUE(verdict.response.empty());
    // Python's answer to it is sent; others were answered here.
    EXPECT_TRUE(demux_.note_sent(kAnna, StunBytes(kBindingSuccess, transaction_).bytes(), v4(1), now_us_));
  }
  EXPECT_FALSE(prove(kAnna, v4(1)).moved);  // who is controlled nominates nothing
  classify(request_of(kAnna), v4(1));
  EXPECT_FALSE(demux_.note_sent(kAnna, StunBytes(kBindingSuccess, transaction_).bytes(), v4(1), now_us_));
  EXPECT_EQ(demux_.stats().answered, 1U);
}

TEST_F(DemultiplexerTest, AnUnknownAttributeIsLeftToPython) {
  const Buffer request = StunBytes(kBindingRequest, 5)
                             .username("anna+1:x")
                             .controlling()
                             .priority()
                             .attribute(0x7777, "must be understood")
                             .integrity("anna's password 123456")
                             .bytes();
  const Verdict verdict = classify(request, v4(1));
  EXPECT_EQ(verdict.kind, Kind::up);
  EXPECT_TRUE(verdict.response.empty());
}

TEST_F(DemultiplexerTest, WithoutPriorityItIsAnsweredOnly) {
  const Buffer request =
      StunBytes(kBindingRequest, 5).username("anna+1:x").controlling().integrity("anna's password 123456").bytes();
  const Verdict verdict = classify(request, v4(1));
  EXPECT_EQ(verdict.kind, Kind::dropped);
  EXPECT_TRUE(verdict.authenticated);
  EXPECT_FALSE(verdict.response.empty());
}

TEST_F(DemultiplexerTest, WhatChangesNothingIsNotHandedUp) {
  connect(kAnna, v4(1));
  EXPECT_EQ(classify(request_of(kAnna, true), v4(1)).kind, Kind::up);
  demux_.set_handing_up(kAnna, false);
  const Verdict same = classify(request_of(kAnna, true), v4(1));
  EXPECT_EQ(same.kind, Kind::dropped);
  EXPECT_EQ(same.viewer, kAnna);
  EXPECT_TRUE(same.authenticated);
  EXPECT_FALSE(same.response.empty());
  // A new address, and a nomination of one that is known.
  EXPECT_EQ(classify(request_of(kAnna), v4(2)).kind, Kind::up);
  EXPECT_EQ(classify(request_of(kAnna), v4(2)).kind, Kind::dropped);
  EXPECT_EQ(classify(request_of(kAnna, true), v4(2)).kind, Kind::up);
  EXPECT_EQ(classify(request_of(kAnna, true), v4(2)).kind, Kind::dropped);
  // A move.
  EXPECT_EQ(prove(kAnna, v4(2)).kind, Kind::up);
  EXPECT_EQ(demux_.destination(kAnna), v4(2));
  EXPECT_EQ(classify(request_of(kAnna, true), v4(1)).kind, Kind::up);
  // DTLS and answers go up as ever.
  EXPECT_EQ(classify(kDtls, v4(1)).kind, Kind::up);
  EXPECT_EQ(prove(kAnna, v4(1)).kind, Kind::up);
}

TEST_F(DemultiplexerTest, IndicationsAreCountedOnly) {
  connect(kAnna, v4(1));
  EXPECT_EQ(classify(StunBytes(kBindingIndication, 1).bytes(), v4(1)).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().indications, 1U);
}

TEST_F(DemultiplexerTest, NothingIsLeftOfARemovedViewer) {
  connect(kAnna, v4(1));
  demux_.note_transaction(kAnna, id_of(900), v4(1), now_us_);
  demux_.remove(kAnna);
  demux_.remove(kAnna);
  EXPECT_EQ(demux_.destination(kAnna), std::nullopt);
  EXPECT_EQ(classify(kRtcp, v4(1)).kind, Kind::dropped);
  EXPECT_EQ(classify(request_of(kAnna), v4(1)).kind, Kind::dropped);
  EXPECT_EQ(classify(StunBytes(kBindingSuccess, 900).bytes(), v4(1)).kind, Kind::dropped);
  EXPECT_EQ(demux_.stats().unknown_ufrag, 1U);
  EXPECT_EQ(demux_.stats().unknown_transaction, 1U);
  // Commands for it do nothing.
  demux_.note_transaction(kAnna, id_of(901), v4(1), now_us_);
  demux_.set_handing_up(kAnna, true);
  EXPECT_FALSE(demux_.add_relay(kAnna, v4(9)));
  EXPECT_EQ(classify(StunBytes(kBindingSuccess, 901).bytes(), v4(1)).kind, Kind::dropped);
}

TEST_F(DemultiplexerTest, SentRequestsAreNoted) {
  EXPECT_TRUE(demux_.note_sent(kAnna, StunBytes(kBindingRequest, 900).bytes(), v4(1), now_us_));
  EXPECT_TRUE(demux_.note_sent(kAnna, kDtls, v4(1), now_us_));
  EXPECT_TRUE(demux_.note_sent(kAnna, StunBytes(kBindingError, 901).bytes(), v4(1), now_us_));
  EXPECT_TRUE(demux_.note_sent(kAnna, {}, v4(1), now_us_));
  EXPECT_TRUE(demux_.note_sent(99, StunBytes(kBindingSuccess, 901).bytes(), v4(1), now_us_));
  EXPECT_EQ(classify(StunBytes(kBindingSuccess, 900).bytes(), v4(1)).viewer, kAnna);
  EXPECT_EQ(classify(StunBytes(kBindingSuccess, 901).bytes(), v4(1)).kind, Kind::dropped);
}

TEST_F(DemultiplexerTest, AFloodLeavesEverythingAsItWas) {
  connect(kAnna, v4(1));
  const DemuxStats before = demux_.stats();
  constexpr std::uint64_t kFlood = 2000;
  for (std::uint32_t i = 0; i < kFlood; ++i) {
    const Endpoint from = v4(static_cast<std::uint8_t>(i), static_cast<std::uint16_t>(10'000 + i));
    classify(check("nobody:x", "p", i, true), from);
    classify(check("anna+1:x", "p", i, true), from);
    classify(StunBytes(kBindingSuccess, 0xf0000000 + i).bytes(), from);
    classify(kDtls, from);
    classify(Buffer(30, 200), from);
  }
  const DemuxStats& after = demux_.stats();
  EXPECT_EQ(after.datagrams - before.datagrams, 5 * kFlood);
  EXPECT_EQ(after.unknown_ufrag, kFlood);
  EXPECT_EQ(after.bad_integrity, kFlood);
  EXPECT_EQ(after.unknown_transaction, kFlood);
  EXPECT_EQ(after.unknown_address, kFlood);
  EXPECT_EQ(after.malformed, kFlood);
  EXPECT_EQ(after.answered, before.answered);
  EXPECT_EQ(demux_.destination(kAnna), v4(1));
  EXPECT_EQ(classify(kRtcp, v4(1)).viewer, kAnna);
}

}  // namespace
}  // namespace mediacore::ice
