// STUN from anybody: as it comes, and with its length, MESSAGE-INTEGRITY and FINGERPRINT put right, so that what is behind
// them is reached. A plain reading of the attributes must agree. Answers are read back.

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string>
#include <string_view>

#include "core/rtp/byte_order.hpp"
#include "core/stun/crc32.hpp"
#include "core/stun/message.hpp"
#include "input.hpp"

namespace mediacore::fuzz {
namespace {

using rtp::load_be;
using rtp::store_be;

constexpr std::string_view kPassword = "a password of some bytes";

struct Attribute {
  std::uint16_t type;
  std::size_t offset;
  Bytes value;
};

std::vector<Attribute> attributes_of(Bytes message) {
  std::vector<Attribute> attributes;
  for (std::size_t at = stun::kHeaderBytes; at + 4 <= message.size();) {
    const auto size = static_cast<std::size_t>(load_be<2>(&message[at + 2]));
    expect(at + 4 + size <= message.size(), "an attribute that was accepted is whole");
    attributes.push_back({static_cast<std::uint16_t>(load_be<2>(&message[at])), at, message.subspan(at + 4, size)});
    at += 4 + (size + 3) / 4 * 4;
  }
  return attributes;
}

void check_attributes(Bytes data, const stun::Message& message) {
  const std::vector<Attribute> attributes = attributes_of(data);
  bool sealed = false;
  const Attribute* username = nullptr;
  const Attribute* integrity = nullptr;
  bool use_candidate = false;
  bool controlling = false;
  bool controlled = false;
  bool priority = false;
  for (const Attribute& attribute : attributes) {
    if (attribute.type == 0x8028) {
      expect(&attribute == &attributes.back(), "FINGERPRINT is the last");
      expect((stun::crc32(data.first(attribute.offset)) ^ 0x5354554e) == load_be<4>(attribute.value.data()),
             "FINGERPRINT is right");
    }
    if (sealed) continue;
    if (attribute.type == 0x0006 && username == nullptr) username = &attribute;
    if (attribute.type == 0x0008) integrity = &attribute;
    use_candidate = use_candidate || attribute.type == 0x0025;
    priority = priority || attribute.type == 0x0024;
    controlled = controlled || attribute.type == 0x8029;
    controlling = controlling || attribute.type == 0x802a;
    sealed = attribute.type == 0x0008 || attribute.type == 0x001c;
  }
  const Bytes name = username == nullptr ? Bytes() : username->value;
  expect(message.username.size() == name.size() &&
             std::equal(name.begin(), name.end(), message.username.begin(),
                        [](std::uint8_t byte, char c) { return byte == static_cast<std::uint8_t>(c); }),
         "the first USERNAME");
  expect(message.has_integrity == (integrity != nullptr), "MESSAGE-INTEGRITY");
  expect(integrity == nullptr || message.integrity_offset == integrity->offset, "place of MESSAGE-INTEGRITY");
  expect(message.use_candidate == use_candidate && message.has_priority == priority &&
             message.controlled == controlled && message.controlling == controlling,
         "attributes of ICE");
}

std::optional<stun::Message> check_parsing(Bytes data) {
  const auto message = stun::parse(data);
  if (!message) {
    expect(message.error().byte_offset <= data.size(), "an error is where the bytes are");
    return std::nullopt;
  }
  expect(stun::looks_like_stun(data) || data[0] > 3, "what is read looks like STUN");
  expect(message->method <= 0xfff, "a method has 12 bits");
  check_attributes(data, *message);
  expect(message->has_integrity || !stun::verify(data, *message, kPassword), "nothing is proven by nothing");
  expect(!stun::verify(data, *message, ""), "an empty password proves nothing");
  return *message;
}

void append_head(Buffer& message, std::uint16_t type, std::size_t size) {
  message.resize(message.size() + 4);
  store_be<2>(type, &message[message.size() - 4]);
  store_be<2>(size, &message[message.size() - 2]);
}

// Header, these attributes, integrity and fingerprint, all right as far as the attributes are.
void check_sealed(Bytes header, Bytes attributes, bool with_integrity, bool with_fingerprint) {
  Buffer message(stun::kHeaderBytes);
  std::copy(header.begin(), header.end(), message.begin());
  message[0] &= 0x3f;
  store_be<4>(stun::kMagicCookie, &message[4]);
  message.insert(message.end(), attributes.begin(),
                 attributes.end() - static_cast<std::ptrdiff_t>(attributes.size() % 4));
  const std::size_t covered = message.size();
  if (with_integrity) {
    store_be<2>(covered + 24 - stun::kHeaderBytes, &message[2]);
    std::array<std::uint8_t, 20> hmac{};
    HMAC(EVP_sha1(), kPassword.data(), static_cast<int>(kPassword.size()), message.data(), message.size(), hmac.data(),
         nullptr);
    append_head(message, 0x0008, hmac.size());
    message.insert(message.end(), hmac.begin(), hmac.end());
  }
  store_be<2>(message.size() + (with_fingerprint ? 8 : 0) - stun::kHeaderBytes, &message[2]);
  if (with_fingerprint) {
    const std::uint32_t checksum = stun::crc32(message) ^ 0x5354554e;
    append_head(message, 0x8028, 4);
    message.resize(message.size() + 4);
    store_be<4>(checksum, &message[message.size() - 4]);
  }
  const Copy copy(message);
  const auto read = check_parsing(copy.view());
  if (!read || !with_integrity || read->integrity_offset != covered) return;
  expect(stun::verify(copy.view(), *read, kPassword) == (covered <= stun::kMaxVerifiedBytes), "it is authentic");
  expect(!stun::verify(copy.view(), *read, kPassword.substr(1)), "by its password only");
}

void check_answer(Input& input) {
  stun::TransactionId id{};
  const Bytes id_bytes = input.take(id.size());
  std::copy(id_bytes.begin(), id_bytes.end(), id.begin());
  const auto port = static_cast<std::uint16_t>(input.pick(0, 65'535));
  const Copy ip(input.take(input.flip() ? 4 : 16));
  const Bytes rest = input.rest();
  const std::string password(rest.begin(), rest.end());
  std::array<std::uint8_t, stun::kMaxResponseBytes> out{};
  const std::size_t size = stun::write_binding_success(id, {ip.view(), port}, password, out);
  const std::size_t bytes = ip.view().size();
  expect(size == (bytes == 4 ? 64U : bytes == 16 ? 76U : 0U), "size of an answer");
  if (size == 0) return;
  const Copy answer(Bytes(out).first(size));
  const auto message = present(check_parsing(answer.view()), "an answer is read");
  expect(
      message.message_class == stun::Class::success && message.method == stun::kBinding && message.transaction_id == id,
      "an answer is one");
  expect(stun::verify(answer.view(), message, password) == !password.empty(), "an answer is authentic");
  const Bytes mapped = attributes_of(answer.view())[0].value;
  expect((load_be<2>(&mapped[2]) ^ stun::kMagicCookie >> 16) == port, "port of an answer");
  for (std::size_t i = 0; i < bytes; ++i) {
    expect((mapped[4 + i] ^ answer.view()[4 + i]) == ip.view()[i], "address of an answer");
  }
}

void run(Input input) {
  const std::size_t kind = input.pick(0, 15);
  if (kind < 2) return check_answer(input);
  const Copy data(input.rest());
  const Bytes bytes = data.view();
  check_parsing(bytes);
  const Bytes header = bytes.first(std::min(bytes.size(), stun::kHeaderBytes));
  check_sealed(header, bytes.subspan(header.size()), (kind & 1) != 0, (kind & 2) != 0);
}

}  // namespace
}  // namespace mediacore::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mediacore::fuzz::run(mediacore::fuzz::Input({data, size}));
  return 0;
}
