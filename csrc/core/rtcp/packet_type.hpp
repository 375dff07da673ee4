// The kinds of RTCP packets, and the four bytes that each begins with (RFC 3550 6.4.1).
//
// Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mediacore::rtcp {

// Numbers of the IANA registry "RTCP Control Packet Types".
enum class PacketType : std::uint8_t {
  sender_report = 200,
  receiver_report = 201,
  source_description = 202,
  bye = 203,
  transport_feedback = 205,  // RFC 4585 6.2
  payload_feedback = 206,    // RFC 4585 6.3
};

// Formats of feedback: the five bits that count reports elsewhere.
inline constexpr std::uint8_t kNackFormat = 1;                // of transport_feedback; RFC 4585 6.2.1
inline constexpr std::uint8_t kTransportWideFormat = 15;      // draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1
inline constexpr std::uint8_t kPictureLossFormat = 1;         // of payload_feedback; RFC 4585 6.3.1
inline constexpr std::uint8_t kFullIntraFormat = 4;           // RFC 5104 4.3.1
inline constexpr std::uint8_t kApplicationFormat = 15;        // RFC 4585 6.4; REMB is one
inline constexpr std::uint32_t kRembIdentifier = 0x52454d42;  // "REMB"

inline constexpr std::size_t kHeaderBytes = 4;
inline constexpr std::size_t kMaxCount = 31;                                 // 5 bits
inline constexpr std::size_t kMaxPacketBytes = std::size_t{0xffff + 1} * 4;  // 16 bits count words, less one
inline constexpr std::size_t kSenderInfoBytes = 20;                          // NTP time, RTP timestamp, packets, octets
inline constexpr std::size_t kReportBlockBytes = 24;
inline constexpr std::size_t kFeedbackSsrcBytes = 8;  // of the sender and of the media
inline constexpr std::size_t kNackPairBytes = 4;
inline constexpr std::size_t kFullIntraBytes = 8;
inline constexpr std::size_t kRembFixedBytes = 8;  // identifier, number of SSRCs, exponent and mantissa

}  // namespace mediacore::rtcp
