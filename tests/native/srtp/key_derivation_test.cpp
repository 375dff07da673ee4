#include "core/srtp/key_derivation.hpp"

#include <gtest/gtest.h>

#include "../rtp/bytes.hpp"

namespace mediacore::srtp {
namespace {

using rtp::testing::Buffer;
using rtp::testing::from_hex;
using rtp::testing::to_buffer;

KeyMaterial material(Profile profile, const Buffer& key, const Buffer& salt) {
  KeyMaterial keys{profile, {}, {}};
  std::ranges::copy(key, keys.key.begin());
  std::ranges::copy(salt, keys.salt.begin());
  return keys;
}

TEST(KeyDerivation, GivesTheKeysOfRfc3711B3) {
  const KeyMaterial master = material(Profile::aes128_cm_sha1_80, from_hex("e1f97a0d3e018be0d64fa32c06de4139"),
                                      from_hex("0ec675ad498afeebb6960b3aabe6"));
  const SessionKeys keys(master, Protocol::rtp);
  EXPECT_EQ(to_buffer(keys.cipher_key()), from_hex("c61e7a93744f39ee10734afe3ff7a087"));
  EXPECT_EQ(to_buffer(keys.salt), from_hex("30cbbc08863d8c85d49db34a9ae1"));
  EXPECT_EQ(to_buffer(keys.auth_key), from_hex("cebe321f6ff7716b6fd4ab49af256a156d38baa4"));
}

TEST(KeyDerivation, GivesTheLongAuthenticationKeyOfRfc3711B3) {
  Buffer key(94);
  derive_key(from_hex("e1f97a0d3e018be0d64fa32c06de4139"), from_hex("0ec675ad498afeebb6960b3aabe6"), 1, key);
  EXPECT_EQ(key, from_hex("cebe321f6ff7716b6fd4ab49af256a15 6d38baa48f0a0acf3c34e2359e6cdbce"
                          "e049646c43d9327ad175578ef7227098 6371c10c9a369ac2f94a8c5fbcdddc25"
                          "6d6e919a48b610ef17c2041e47403576 6b68642c59bbfc2f34db60dbdfb2"));
}

TEST(KeyDerivation, GivesTheKeysOfRfc6188ForLongMasterKeys) {
  const Buffer key = from_hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
  const Buffer salt = from_hex("3b04803de51ee7c96423ab5b78d2");
  Buffer out(32);
  derive_key(key, salt, 0, out);
  EXPECT_EQ(out, from_hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
  out.resize(20);
  derive_key(key, salt, 1, out);
  EXPECT_EQ(out, from_hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
  out.resize(14);
  derive_key(key, salt, 2, out);
  EXPECT_EQ(out, from_hex("fa31791685ca444a9e07c6c64e93"));
}

TEST(KeyDerivation, PadsTheSaltOfGcmOnTheRight) {
  const KeyMaterial master = material(Profile::aead_aes_128_gcm, from_hex("000102030405060708090a0b0c0d0e0f"),
                                      from_hex("a0a1a2a3a4a5a6a7a8a9aaab"));
  const SessionKeys keys(master, Protocol::rtp);
  Buffer padded(16);
  derive_key(std::span(master.key).first(16), from_hex("a0a1a2a3a4a5a6a7a8a9aaab0000"), 0, padded);
  EXPECT_EQ(to_buffer(keys.cipher_key()), padded);
}

TEST(KeyDerivation, GivesRtpAndRtcpDifferentKeys) {
  for (const Profile profile : {Profile::aes128_cm_sha1_80, Profile::aead_aes_128_gcm, Profile::aead_aes_256_gcm}) {
    const KeyMaterial master = material(profile, Buffer(key_bytes(profile), 1), Buffer(salt_bytes(profile), 2));
    const SessionKeys rtp(master, Protocol::rtp);
    const SessionKeys rtcp(master, Protocol::rtcp);
    EXPECT_NE(rtp.key, rtcp.key);
    EXPECT_NE(rtp.salt, rtcp.salt);
    EXPECT_EQ(rtp.auth_key == rtcp.auth_key, is_gcm(profile)) << "GCM has none";
    EXPECT_EQ(rtp.cipher_key().size(), key_bytes(profile));
  }
}

struct Exported {
  Profile profile;
  std::size_t bytes;
};

class ExportedKeys : public ::testing::TestWithParam<Exported> {};

TEST_P(ExportedKeys, AreKeysThenSaltsClientFirst) {
  const auto [profile, bytes] = GetParam();
  Buffer exported(bytes);
  for (std::size_t i = 0; i < bytes; ++i) exported[i] = static_cast<std::uint8_t>(i);
  const auto pair = split_exported(profile, exported);
  ASSERT_TRUE(pair);
  const std::size_t key = key_bytes(profile);
  const std::size_t salt = salt_bytes(profile);
  EXPECT_EQ(bytes, 2 * (key + salt));
  EXPECT_EQ(pair->client.profile, profile);
  EXPECT_EQ(pair->server.profile, profile);
  for (std::size_t i = 0; i < key; ++i) {
    EXPECT_EQ(pair->client.key[i], i);
    EXPECT_EQ(pair->server.key[i], key + i);
  }
  for (std::size_t i = 0; i < salt; ++i) {
    EXPECT_EQ(pair->client.salt[i], 2 * key + i);
    EXPECT_EQ(pair->server.salt[i], 2 * key + salt + i);
  }
}

TEST_P(ExportedKeys, OfAnotherSizeAreNone) {
  const auto [profile, bytes] = GetParam();
  for (std::size_t size = 0; size < 100; ++size) {
    EXPECT_EQ(split_exported(profile, Buffer(size)).has_value(), size == bytes) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles, ExportedKeys,
                         ::testing::Values(Exported{Profile::aes128_cm_sha1_80, 60},
                                           Exported{Profile::aead_aes_128_gcm, 56},
                                           Exported{Profile::aead_aes_256_gcm, 88}));

}  // namespace
}  // namespace mediacore::srtp
