"""Settings of WebRTC sessions: what is refused, and in which words."""

import pytest

from mediacore.errors import SettingsError
from mediacore.settings import EngineSettings, RtcSettings, host_and_port


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"port": 8443},
        {"port": 8443, "last_port": 8443},
        {"port": 8440, "last_port": 8443, "media_threads": 4},
        {"advertised_addresses": ("203.0.113.5", "2001:db8::5")},
        {"turn_server": "turn.example.org", "turn_username": "a", "turn_password": "b"},
        {"turn_server": "[2001:db8::1]:3479"},
        {"stun_server": "192.0.2.1:19302"},
        {"playout_delay_ms": (0, 40_950)},
        {"pacing": False},
    ],
)
def test_settings_that_are_good(values: dict[str, object]) -> None:
    RtcSettings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"port": 70_000}, r"rtc\.port is 70000"),
        ({"port": -1}, r"rtc\.port is -1"),
        ({"last_port": 9000}, "without rtc.port"),
        ({"port": 9000, "last_port": 8999}, r"rtc\.last_port is 8999"),
        ({"port": 9000, "last_port": 70_000}, r"rtc\.last_port is 70000"),
        ({"port": 9000, "media_threads": 2}, "too few for rtc.media_threads 2"),
        ({"port": 9000, "last_port": 9001, "media_threads": 3}, "9000 to rtc.last_port 9001 are too few"),
        ({"media_threads": 0}, r"rtc\.media_threads is 0"),
        ({"advertised_addresses": ("example.org",)}, "rtc.advertised_addresses is 'example.org'"),
        ({"turn_server": "turn:example.org"}, "rtc.turn_server: 'turn:example.org'"),
        ({"turn_server": "example.org:0"}, "rtc.turn_server"),
        ({"stun_server": "example.org:99999"}, "rtc.stun_server"),
        ({"stun_server": "2001:db8::1"}, "rtc.stun_server"),
        ({"stun_server": ""}, "rtc.stun_server"),
        ({"turn_server": "example.org", "turn_username": "a"}, "both or not at all"),
        ({"turn_server": "example.org", "turn_password": "a"}, "both or not at all"),
        ({"playout_delay_ms": (0, 50_000)}, "playout_delay_ms"),
        ({"playout_delay_ms": (20, 10)}, "playout_delay_ms"),
        ({"playout_delay_ms": (-10, 10)}, "playout_delay_ms"),
        ({"start_rate_bps": 0}, "start_rate_bps"),
    ],
)
def test_settings_that_are_refused_by_name(values: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        RtcSettings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["max_sessions", "max_encoders"])
def test_limits_of_the_engine(name: str) -> None:
    EngineSettings(**{name: 1})
    for value in (0, -1, 1_000_000):
        with pytest.raises(SettingsError, match=f"{name} is {value}, it must be between 1 and"):
            EngineSettings(**{name: value})


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("example.org", ("example.org", 3478)),
        ("example.org:1", ("example.org", 1)),
        ("192.0.2.1:65535", ("192.0.2.1", 65_535)),
        ("[2001:db8::1]", ("2001:db8::1", 3478)),
        ("[2001:db8::1]:80", ("2001:db8::1", 80)),
    ],
)
def test_a_server_is_a_host_and_perhaps_a_port(text: str, server: tuple[str, int]) -> None:
    assert host_and_port(text, 3478) == server


def test_the_password_of_the_turn_server_is_not_shown() -> None:
    shown = repr(RtcSettings(turn_server="example.org", turn_username="name", turn_password="secret"))
    assert "name" in shown
    assert "secret" not in shown
