"""Every error the package raises on purpose, sorted by whose fault it is.

``MediacoreError`` is the root. Below it: ``AdbError`` (the adb server or its binary), ``DeviceError`` (one device),
``ViewerError`` (what a viewer sent), ``BitstreamError`` and ``PictureError`` (bytes that do not parse) and
``SetupError`` (this machine or this installation). Each message says what was wrong and what to do about it.

``code`` is a stable word for programs: it stands in the HTTP error body and in log lines.
"""

from __future__ import annotations

from typing import ClassVar


class MediacoreError(Exception):
    """The root of all errors that mediacore raises on purpose."""

    code: ClassVar[str] = "internal"


class SetupError(MediacoreError):
    """This machine or this installation lacks something that is needed."""

    code = "setup"


class NoLocalAddressError(SetupError):
    """No network address is up that a viewer could reach, so no connection can be offered."""

    code = "no_local_address"


class DependencyMismatchError(SetupError):
    """An installed library is not the one this version of mediacore was made for."""

    code = "dependency_mismatch"


class SettingsError(SetupError):
    """A setting has a value that cannot be used; the message names the setting and its limits."""

    code = "settings"


class RecordingError(SetupError):
    """A recording to be played cannot be read, or holds no H.264 video."""

    code = "recording"


class AdbError(MediacoreError):
    """The adb server, or the way to it, failed; no single device is at fault."""

    code = "adb"


class AdbNotFoundError(AdbError):
    """There is no adb program on this machine to start a server with."""

    code = "adb_not_found"


class AdbUnavailableError(AdbError):
    """The adb server cannot be reached, or went away."""

    code = "adb_unavailable"


class AdbProtocolError(AdbError):
    """The adb server answered something that is not in its protocol."""

    code = "adb_protocol"


class DeviceError(MediacoreError):
    """One device failed or is in the wrong state. ``serial`` names it."""

    code = "device"

    def __init__(self, serial: str, message: str) -> None:
        super().__init__(f"{serial}: {message}")
        self.serial = serial


class DeviceNotFoundError(DeviceError):
    """No device of this serial is known to the adb server."""

    code = "device_not_found"


class DeviceOfflineError(DeviceError):
    """The device is known, but does not answer."""

    code = "device_offline"


class DeviceUnauthorizedError(DeviceError):
    """The device waits for somebody to accept this machine's key on its screen."""

    code = "device_unauthorized"


class DeviceDisconnectedError(DeviceError):
    """The device went away while it was in use."""

    code = "device_disconnected"


class DeviceTimeoutError(DeviceError):
    """The device did not answer within the deadline."""

    code = "device_timeout"


class CommandError(DeviceError):
    """A command on the device failed."""

    code = "command"


class CaptureError(DeviceError):
    """The device answers, but gives no usable pictures."""

    code = "capture"


class BitstreamError(MediacoreError, ValueError):
    """Bytes that are not what the specification allows. ``byte_offset`` is where in the given data."""

    code = "bitstream"

    def __init__(self, what: str, byte_offset: int) -> None:
        super().__init__(f"{what} at byte {byte_offset}")
        self.what = what
        self.byte_offset = byte_offset


class PictureError(MediacoreError, ValueError):
    """A picture that cannot be decoded. ``byte_offset`` is where in the given data.

    ``kind`` is a word for programs: ``not-a-png``, ``truncated``, ``crc``, ``header``, ``order``, ``unsupported``,
    ``too-large``, ``zlib``, ``adler``, ``filter``, ``size-mismatch`` or ``jpeg``.
    """

    code = "picture"

    def __init__(self, kind: str, byte_offset: int, what: str = "the picture cannot be decoded") -> None:
        super().__init__(f"{what} at byte {byte_offset} [{kind}]")
        self.kind = kind
        self.byte_offset = byte_offset
        self.what = what


class EncoderError(MediacoreError):
    """No encoder here does what is needed, or the one in use failed for good; the message lists the reasons."""

    code = "encoder"


class DecoderError(MediacoreError):
    """What was to be decoded cannot be: it is damaged, too large, or takes too long."""

    code = "decoder"


class ViewerError(MediacoreError):
    """What a viewer sent, or did not send, is at fault."""

    code = "viewer"


class SdpError(ViewerError):
    """The offer is not valid SDP, or asks for what we do not do."""

    code = "sdp"


class SdpTooLargeError(SdpError):
    """The offer is longer than the limit."""

    code = "sdp_too_large"


class NoCommonCodecError(ViewerError):
    """The viewer takes none of the codecs that this stream can give."""

    code = "no_common_codec"

    def __init__(self, offered: tuple[str, ...], available: tuple[str, ...]) -> None:
        super().__init__(
            f"no common video codec: the viewer offers {', '.join(offered) or 'none'}; "
            f"this stream has {', '.join(available)}"
        )
        self.offered = offered
        self.available = available


class WantedError(ViewerError, ValueError):
    """A viewer wants a codec, a size or a frame rate that there cannot be; the message names field, value and range."""

    code = "wanted"


class ConnectTimeoutError(ViewerError):
    """The viewer's connection was not there within the deadline."""

    code = "connect_timeout"


class ConnectFailedError(ViewerError):
    """The viewer's connection could not be made: ICE or DTLS failed, or one side closed it meanwhile."""

    code = "connect_failed"


class MalformedMessageError(ViewerError):
    """A message on the data channel does not follow its format. ``byte_offset`` is where in the message."""

    code = "malformed_message"

    def __init__(self, what: str, byte_offset: int) -> None:
        super().__init__(f"{what} at byte {byte_offset}")
        self.what = what
        self.byte_offset = byte_offset


class SessionNotFoundError(ViewerError):
    """There is no such session, or it has ended."""

    code = "session_not_found"


class NotGrantedError(ViewerError):
    """The viewer may not do this."""

    code = "not_granted"


class LimitError(ViewerError):
    """A configured limit is reached."""

    code = "limit"


class UnsupportedError(MediacoreError):
    """The device or its source cannot do what was asked."""

    code = "unsupported"
