"""STUN next to aioice: what one writes the other reads the same."""

from __future__ import annotations

import ipaddress
from random import Random
from typing import Any

import pytest
from aioice import stun

from mediacore._core import read_stun, write_stun_answer
from mediacore.errors import BitstreamError

ROUNDS = 500
CLASSES = {
    stun.Class.REQUEST: "request",
    stun.Class.INDICATION: "indication",
    stun.Class.RESPONSE: "success",
    stun.Class.ERROR: "error",
}


@pytest.fixture
def chance() -> Random:
    return Random(8489)


def random_message(chance: Random, password: str) -> stun.Message:
    values: dict[str, Any] = {
        "USERNAME": "u" * chance.randrange(1, 500),
        "PRIORITY": chance.getrandbits(32),
        "USE-CANDIDATE": None,
        "ICE-CONTROLLING": chance.getrandbits(64),
        "ICE-CONTROLLED": chance.getrandbits(64),
        "SOFTWARE": "s" * chance.randrange(40),
        "XOR-MAPPED-ADDRESS": ("192.0.2.1", chance.getrandbits(16)),
        "CHANGE-REQUEST": chance.getrandbits(32),
    }
    names = chance.sample(list(values), chance.randrange(len(values) + 1))
    message = stun.Message(
        chance.choice(list(stun.Method)),
        chance.choice(list(stun.Class)),
        chance.randbytes(12),
        {name: values[name] for name in names},
    )
    if chance.random() < 0.8:
        message.add_message_integrity(password.encode())
    elif chance.random() < 0.5:
        message.add_fingerprint()
    return message


def test_what_aioice_writes(chance: Random) -> None:
    for _ in range(ROUNDS):
        password = "p" * chance.randrange(22, 256)
        message = random_message(chance, password)
        attributes = message.attributes
        signed = "MESSAGE-INTEGRITY" in attributes
        assert read_stun(bytes(message), password) == {
            "class": CLASSES[message.message_class],
            "method": message.message_method,
            "transaction_id": message.transaction_id,
            "username": attributes.get("USERNAME", "").encode(),
            "use_candidate": "USE-CANDIDATE" in attributes,
            "controlling": "ICE-CONTROLLING" in attributes,
            "controlled": "ICE-CONTROLLED" in attributes,
            "has_priority": "PRIORITY" in attributes,
            "has_unknown": "CHANGE-REQUEST" in attributes,
            "has_integrity": signed,
            "authentic": signed,
        }
        assert not read_stun(bytes(message), password[1:])["authentic"]


@pytest.mark.parametrize("address", ["192.0.2.1", "255.255.255.255", "2001:db8::1", "fe80::1234:5678:9abc:def0"])
def test_what_we_answer(address: str, chance: Random) -> None:
    for _ in range(ROUNDS // 10):
        transaction_id, port = chance.randbytes(12), chance.getrandbits(16)
        password = "p" * chance.randrange(22, 256)
        data = write_stun_answer(transaction_id, ipaddress.ip_address(address).packed, port, password)
        message = stun.parse_message(data)
        assert (message.message_method, message.message_class) == (stun.Method.BINDING, stun.Class.RESPONSE)
        assert message.transaction_id == transaction_id
        assert message.attributes["XOR-MAPPED-ADDRESS"] == (address, port)
        assert message.check_message_integrity(password.encode())
        assert list(message.attributes) == ["XOR-MAPPED-ADDRESS", "MESSAGE-INTEGRITY", "FINGERPRINT"]
        # Byte for byte what aioice would have answered.
        theirs = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id)
        theirs.attributes["XOR-MAPPED-ADDRESS"] = (address, port)
        theirs.add_message_integrity(password.encode())
        assert data == bytes(theirs)


def test_every_changed_byte_is_noticed(chance: Random) -> None:
    for _ in range(ROUNDS // 10):
        message = random_message(chance, "password")
        message.add_message_integrity(b"password")
        data = bytearray(bytes(message))
        data[chance.randrange(len(data) - 8)] ^= 1 << chance.randrange(8)
        try:
            assert not read_stun(bytes(data), "password")["authentic"]
        except BitstreamError:
            continue


def test_what_is_refused() -> None:
    with pytest.raises(BitstreamError, match="cookie"):
        read_stun(bytes(20), "password")
    with pytest.raises(ValueError, match="4 or 16 bytes"):
        write_stun_answer(bytes(12), bytes(5), 1, "password")
    with pytest.raises(ValueError, match="12 bytes"):
        write_stun_answer(bytes(11), bytes(4), 1, "password")
