// The outcome of work on untrusted bytes: a value, or an error code with the byte where it was found.
//
// Policy: expected failure is a value, never an exception; every code has words for people (`describe`).
// Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

namespace mediacore::rtp {

enum class ErrorCode : std::uint8_t {
  empty,
  truncated,
  wrong_version,
  bad_padding,
  extension_cut,
  extension_too_long,
  value_out_of_range,
  no_room,
  no_start_code,
  nal_unit_too_large,
  frame_too_large,
  unsupported_type,
  forbidden_bit,
  empty_entry,
  cut_entry,
  start_missing,
  start_unexpected,
  fragment_mismatch,
  not_finished,
  packets_lost,
  length_mismatch,
  wrong_cookie,
  wrong_checksum,
  after_the_last,
};

struct Error {
  ErrorCode code;
  std::size_t byte_offset;  // in the bytes that were given

  friend bool operator==(const Error&, const Error&) = default;
};

// One sentence without a full stop, for error messages.
constexpr std::string_view describe(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::empty: return "nothing to read";
    case ErrorCode::truncated: return "data ends too early";
    case ErrorCode::wrong_version: return "RTP version is not 2";
    case ErrorCode::bad_padding: return "padding is longer than the payload, or zero";
    case ErrorCode::extension_cut: return "header extension ends too early";
    case ErrorCode::extension_too_long: return "header extension is too long for its form";
    case ErrorCode::value_out_of_range: return "value is out of range";
    case ErrorCode::no_room: return "output is too small";
    case ErrorCode::no_start_code: return "no start code where the first NAL unit should begin";
    case ErrorCode::nal_unit_too_large: return "NAL unit is larger than a packet, which packetization mode 0 forbids";
    case ErrorCode::frame_too_large: return "frame is larger than the limit";
    case ErrorCode::unsupported_type: return "payload is of a type that is not supported";
    case ErrorCode::forbidden_bit: return "a bit that must be zero is set";
    case ErrorCode::empty_entry: return "empty entry in an aggregation packet";
    case ErrorCode::cut_entry: return "entry of an aggregation packet ends too early";
    case ErrorCode::start_missing: return "continuation of something whose start is missing";
    case ErrorCode::start_unexpected: return "new start before the former one was finished";
    case ErrorCode::fragment_mismatch: return "fragment does not belong to the former ones";
    case ErrorCode::not_finished: return "frame ends inside a fragmented unit";
    case ErrorCode::packets_lost: return "packets of the frame were lost";
    case ErrorCode::length_mismatch: return "lengths do not add up";
    case ErrorCode::wrong_cookie: return "STUN magic cookie is missing";
    case ErrorCode::wrong_checksum: return "checksum is wrong";
    case ErrorCode::after_the_last: return "something follows what must be last";
  }
  return "unknown error";
}

template <class T>
class Result {
 public:
  Result(T value) : content_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error) : content_(error) {}         // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return content_.index() == 0; }
  const T& operator*() const noexcept { return *std::get_if<0>(&content_); }
  const T* operator->() const noexcept { return std::get_if<0>(&content_); }
  Error error() const noexcept { return *std::get_if<1>(&content_); }

 private:
  std::variant<T, Error> content_;
};

}  // namespace mediacore::rtp
