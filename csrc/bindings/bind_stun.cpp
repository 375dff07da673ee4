// STUN: translation only. What the names mean is said in core/stun/message.hpp.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <string>

#include "bindings/bytes_like.hpp"
#include "bindings/module.hpp"
#include "bindings/results.hpp"
#include "core/stun/message.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

const char* describe_class(stun::Class message_class) {
  switch (message_class) {
    case stun::Class::request: return "request";
    case stun::Class::indication: return "indication";
    case stun::Class::success: return "success";
    case stun::Class::error: return "error";
  }
  return "";
}

py::dict read_stun(py::handle data, const std::string& password) {
  const BytesLike bytes(data);
  const auto message = stun::parse(bytes.view());
  if (!message) raise(message.error());
  py::dict fields;
  fields["class"] = describe_class(message->message_class);
  fields["method"] = message->method;
  fields["transaction_id"] = to_bytes(message->transaction_id);
  fields["username"] = py::bytes(message->username.data(), message->username.size());
  fields["use_candidate"] = message->use_candidate;
  fields["controlling"] = message->controlling;
  fields["controlled"] = message->controlled;
  fields["has_priority"] = message->has_priority;
  fields["has_unknown"] = message->has_unknown;
  fields["has_integrity"] = message->has_integrity;
  fields["authentic"] = stun::verify(bytes.view(), *message, password);
  return fields;
}

py::bytes write_stun_answer(py::handle transaction_id, py::handle ip, std::uint16_t port, const std::string& password) {
  const BytesLike id_bytes(transaction_id);
  const BytesLike ip_bytes(ip);
  stun::TransactionId id{};
  if (id_bytes.view().size() != id.size()) throw py::value_error("a transaction id has 12 bytes");
  std::ranges::copy(id_bytes.view(), id.begin());
  std::array<std::uint8_t, stun::kMaxResponseBytes> out{};
  const std::size_t size = stun::write_binding_success(id, {ip_bytes.view(), port}, password, out);
  if (size == 0) throw py::value_error("an address has 4 or 16 bytes");
  return to_bytes(std::span(out).first(size));
}

}  // namespace

void bind_stun(py::module_& m) {
  m.def("read_stun", &read_stun, py::arg("data"), py::arg("password"),
        "The fields of a message, and if it is authentic.");
  m.def("write_stun_answer", &write_stun_answer, py::arg("transaction_id"), py::arg("ip"), py::arg("port"),
        py::arg("password"), "A binding success response.");
}

}  // namespace mediacore::bindings
