"""H.264 of other people's encoders: Annex B bytes to access units, parameter sets, and the rewriting of an SPS.

Everything here is native and sans-IO: no sockets, no clocks, no threads. Any bytes-like object is accepted.

A source with frame boundaries gives each frame to ``AccessUnitParser.push(data, complete=True)`` and has the unit at
once. A source without them (a raw stream) pushes what it reads and has a unit when the next one begins; ``BurstFlush``
says when the stream has gone idle and the unit may be taken with ``AccessUnitParser.flush()``::

    deadline_us = burst.observe(now_us, data)     # on data
    units = parser.push(data)

    burst.observe(now_us, b"")                    # when the deadline has passed, and one more read gave nothing
    unit = parser.flush()
    if unit is not None:
        burst.flushed(now_us)

A flush can come too early, in the middle of a picture. Both notice by the bytes that follow. The parser then drops the
rest of the picture and all units up to the next random access point, and ``stats().cut_units`` grows: the unit that was
flushed was not whole, so ask the source for a key frame. ``BurstFlush`` waits longer from then on.

What does not parse is dropped and counted; only a passed limit, and a parameter set given to ``parse_sps`` or
``low_delay_sps``, raise ``BitstreamError``.
"""

from __future__ import annotations

from mediacore._core import (
    AccessUnit,
    AccessUnitParser,
    BitstreamRestriction,
    BurstFlush,
    FrameCropping,
    HrdParameters,
    HrdSchedule,
    NalUnit,
    ParameterSets,
    ParserStats,
    ProfileLevelId,
    Sps,
    TimingInfo,
    Vui,
    find_start_codes,
    guaranteed_level,
    low_delay_sps,
    parse_sps,
    required_level,
)
from mediacore.errors import BitstreamError

__all__ = [
    "AccessUnit",
    "AccessUnitParser",
    "BitstreamError",
    "BitstreamRestriction",
    "BurstFlush",
    "FrameCropping",
    "HrdParameters",
    "HrdSchedule",
    "NalUnit",
    "ParameterSets",
    "ParserStats",
    "ProfileLevelId",
    "Sps",
    "TimingInfo",
    "Vui",
    "find_start_codes",
    "guaranteed_level",
    "low_delay_sps",
    "parse_sps",
    "required_level",
]
