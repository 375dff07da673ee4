// SRTP and SRTCP: translation only. What the names mean is said in core/srtp/srtp.hpp.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bindings/bytes_like.hpp"
#include "bindings/module.hpp"
#include "bindings/results.hpp"
#include "core/srtp/srtp.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace srtp;

KeyMaterial key_material(int profile, py::handle key, py::handle salt) {
  KeyMaterial keys;
  switch (profile) {
    case 1: keys.profile = Profile::aes128_cm_sha1_80; break;
    case 7: keys.profile = Profile::aead_aes_128_gcm; break;
    case 8: keys.profile = Profile::aead_aes_256_gcm; break;
    default: throw py::value_error("profile must be 1, 7 or 8");
  }
  const BytesLike key_bytes_given(key);
  const BytesLike salt_bytes_given(salt);
  if (key_bytes_given.view().size() != key_bytes(keys.profile) ||
      salt_bytes_given.view().size() != salt_bytes(keys.profile)) {
    throw py::value_error("this profile has a key of " + std::to_string(key_bytes(keys.profile)) +
                          " bytes and a salt of " + std::to_string(salt_bytes(keys.profile)));
  }
  std::ranges::copy(key_bytes_given.view(), keys.key.begin());
  std::ranges::copy(salt_bytes_given.view(), keys.salt.begin());
  return keys;
}

const char* describe(Refusal refusal) {
  switch (refusal) {
    case Refusal::malformed: return "malformed";
    case Refusal::forged: return "forged";
    case Refusal::repeated: return "repeated";
    case Refusal::too_old: return "too old";
    case Refusal::not_encrypted: return "not encrypted";
    case Refusal::too_many_sources: return "too many sources";
  }
  return "";
}

// A copy of the packet with `more` bytes behind it.
std::vector<std::uint8_t> copy_with_room(py::handle packet, std::size_t more) {
  const BytesLike bytes(packet);
  std::vector<std::uint8_t> buffer(bytes.view().size() + more);
  std::ranges::copy(bytes.view(), buffer.begin());
  return buffer;
}

template <class Opener>
py::bytes open(Opener& opener, py::handle packet) {
  std::vector<std::uint8_t> buffer = copy_with_room(packet, 0);
  Refusal refusal{};
  const std::optional<std::size_t> size = opener.open(buffer, refusal);
  if (!size) throw py::value_error(describe(refusal));
  return to_bytes(std::span(buffer).first(*size));
}

template <class Class>
py::class_<Class> bind_keyed(py::module_& m, const char* name, const char* doc) {
  return py::class_<Class>(m, name, doc)
      .def(py::init([](int profile, py::handle key, py::handle salt) {
             return std::make_unique<Class>(key_material(profile, key, salt));
           }),
           py::arg("profile"), py::arg("key"), py::arg("salt"));
}

}  // namespace

void bind_srtp(py::module_& m) {
  bind_keyed<RtpSealer>(m, "SrtpSealer", "Seals RTP packets with master keys (RFC 3711, RFC 7714).")
      .def(
          "seal",
          [](RtpSealer& sealer, py::handle packet, std::size_t header_bytes, std::uint64_t index) {
            std::vector<std::uint8_t> buffer = copy_with_room(packet, kMaxRtpOverhead);
            const std::size_t size = sealer.seal(buffer, header_bytes, buffer.size() - kMaxRtpOverhead, index);
            if (size == 0) throw py::value_error("packet, header_bytes and index contradict each other");
            return to_bytes(std::span(buffer).first(size));
          },
          py::arg("packet"), py::kw_only(), py::arg("header_bytes"), py::arg("index"), "The sealed packet.");
  bind_keyed<RtpOpener>(m, "SrtpOpener", "Opens RTP packets of any SSRC.")
      .def("open", &open<RtpOpener>, py::arg("packet"), "The plain packet.");
  py::class_<RtcpSealer>(m, "SrtcpSealer", "Seals RTCP packets with master keys.")
      .def(py::init([](int profile, py::handle key, py::handle salt, std::uint32_t first_index) {
             return std::make_unique<RtcpSealer>(key_material(profile, key, salt), first_index);
           }),
           py::arg("profile"), py::arg("key"), py::arg("salt"), py::kw_only(), py::arg("first_index") = 0)
      .def(
          "seal",
          [](RtcpSealer& sealer, py::handle packet) {
            std::vector<std::uint8_t> buffer = copy_with_room(packet, kMaxRtcpOverhead);
            const std::optional<std::size_t> size = sealer.seal(buffer, buffer.size() - kMaxRtcpOverhead);
            if (!size) throw py::value_error("no RTCP packet, or the index is used up");
            return to_bytes(std::span(buffer).first(*size));
          },
          py::arg("packet"), "The sealed packet.");
  bind_keyed<RtcpOpener>(m, "SrtcpOpener", "Opens RTCP packets of any sender.")
      .def("open", &open<RtcpOpener>, py::arg("packet"), "The plain packet.");
}

}  // namespace mediacore::bindings
