// The outcome of parsing untrusted bytes: a value, or an error code with the byte where it was found.
//
// Policy: expected failure is a value, never an exception; every code has words for people (`describe`).
// Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

namespace mediacore::h264 {

enum class ErrorCode : std::uint8_t {
  empty,
  truncated,
  forbidden_bit,
  wrong_type,
  exp_golomb_too_long,
  id_out_of_range,
  value_out_of_range,
  picture_too_large,
  crop_too_large,
  unknown_parameter_set,
  access_unit_too_large,
  too_many_nal_units,
};

struct ParseError {
  ErrorCode code;
  std::size_t byte_offset;  // in the bytes that were given
};

// One sentence without a full stop, for error messages.
constexpr std::string_view describe(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::empty: return "empty NAL unit";
    case ErrorCode::truncated: return "NAL unit ends too early";
    case ErrorCode::forbidden_bit: return "forbidden_zero_bit is set";
    case ErrorCode::wrong_type: return "NAL unit is of another type";
    case ErrorCode::exp_golomb_too_long: return "Exp-Golomb code is longer than 32 bits";
    case ErrorCode::id_out_of_range: return "parameter set id is out of range";
    case ErrorCode::value_out_of_range: return "value is out of range";
    case ErrorCode::picture_too_large: return "picture is larger than any level allows";
    case ErrorCode::crop_too_large: return "cropping leaves no picture";
    case ErrorCode::unknown_parameter_set: return "parameter set is not known";
    case ErrorCode::access_unit_too_large: return "access unit is larger than the limit";
    case ErrorCode::too_many_nal_units: return "access unit has more NAL units than the limit";
  }
  return "unknown error";
}

template <class T>
class ParseResult {
 public:
  ParseResult(T value) : content_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  ParseResult(ParseError error) : content_(error) {}    // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return content_.index() == 0; }
  const T& operator*() const noexcept { return *std::get_if<0>(&content_); }
  T& operator*() noexcept { return *std::get_if<0>(&content_); }
  const T* operator->() const noexcept { return std::get_if<0>(&content_); }
  ParseError error() const noexcept { return *std::get_if<1>(&content_); }

 private:
  std::variant<T, ParseError> content_;
};

}  // namespace mediacore::h264
