"""Which format the shots of a screen come in: the one that is there first, by measuring; pure.

Raw pixels cost the device nothing and the link most; ``gzip`` saves the link nearly all of a plain screen; PNG is the
device's own and often slow encoder; JPEG is small and lossy, and only newer devices have it. What is cheapest depends
on the device and on the link, and changes with both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from mediacore.capture.shots import COMMANDS

if TYPE_CHECKING:
    from mediacore.capture.shots import ShotFormat

MEASURED_SHOTS = 2
"""Of each format. The first finds a device whose program and link are cold."""
HOPELESS = 3.0
"""A format that takes so many times as long as the best one is not waited for."""
HOPELESS_US = 250_000
"""But this long it is, whatever the best one takes."""
CHANGED = 2.0
"""All are measured again when the chosen one costs so many times more, or less, than when it was chosen."""
RECENT_SHOTS = 8
AGAIN_US = 60_000_000
"""They are measured again after so long, if the screen changes and they were not hopeless."""
SOONEST_US = 10_000_000
"""What makes the costs change may stay: it is not measured again before so long."""


@dataclass(frozen=True, slots=True)
class ShotCost:
    """What one shot cost."""

    came_us: int
    """From asking until it was complete, in µs."""
    decoding_us: int
    """From then until it was decoded."""


class ShotChoice:
    """The costs of the formats on one device, and the choice among them."""

    def __init__(self) -> None:
        self._costs: dict[ShotFormat, float] = {}
        self._hopeless: set[ShotFormat] = set()
        self._missing: set[ShotFormat] = set()
        self._recent: deque[int] = deque(maxlen=RECENT_SHOTS)
        self._measured_us: int | None = None
        self._chosen_cost = 0.0

    @property
    def best(self) -> ShotFormat | None:
        """The cheapest; None if none works or none was measured."""
        able = {name: cost for name, cost in self._costs.items() if name not in self._hopeless}
        return min(able, key=lambda name: able[name], default=None)

    @property
    def patience_us(self) -> float | None:
        """How long a format is waited for that is being measured; None as long as there is no better one."""
        best = self.best
        return None if best is None else max(HOPELESS * self._costs[best], HOPELESS_US)

    def measured(self, shot_format: ShotFormat, costs: list[ShotCost]) -> None:
        """Shots of a format came, one at least."""
        self._missing.discard(shot_format)
        self._hopeless.discard(shot_format)
        # The quickest way here, but the slowest decoding: a shot like the one before is not decoded at all.
        self._costs[shot_format] = min(cost.came_us for cost in costs) + max(cost.decoding_us for cost in costs)

    def gave_up(self, shot_format: ShotFormat, after_us: int) -> None:
        """A format took longer than one is patient."""
        self._missing.discard(shot_format)
        self._hopeless.add(shot_format)
        self._costs[shot_format] = after_us

    def failed(self, shot_format: ShotFormat) -> None:
        """A format gave no picture: this device does not have it."""
        self._missing.add(shot_format)
        self._hopeless.discard(shot_format)
        self._costs.pop(shot_format, None)

    def settled(self, now_us: int) -> None:
        """All are measured."""
        best = self.best
        self._measured_us = now_us
        self._chosen_cost = self._costs[best] if best is not None else 0.0
        self._recent.clear()

    def forget(self) -> None:
        """The chosen format does not work any more: nothing is known."""
        self._measured_us = None
        self._costs.clear()
        self._hopeless.clear()

    def used(self, cost_us: int) -> None:
        """One shot of the chosen format cost so much, from asking to decoded."""
        self._recent.append(cost_us)

    def to_measure(self, now_us: int, *, changing: bool) -> tuple[ShotFormat, ...]:
        """The formats to measure now, mostly none; ``changing``: the screen changes, so that it is worth it."""
        if self._measured_us is None:
            return tuple(COMMANDS)
        age_us = now_us - self._measured_us
        if age_us < SOONEST_US or len(self._recent) < RECENT_SHOTS or not changing:
            return ()
        ratio = median(self._recent) / max(self._chosen_cost, 1.0)
        if ratio > CHANGED or ratio < 1 / CHANGED:
            return tuple(name for name in COMMANDS if name not in self._missing)
        if age_us >= AGAIN_US:
            return tuple(name for name in COMMANDS if name not in self._missing | self._hopeless)
        return ()

    def __str__(self) -> str:
        """``raw (12.1 ms; gzip 30.2 ms, png > 250.0 ms; no jpeg)``: the chosen one, the others, what there is not.

        Empty before all are measured.
        """
        best = self.best
        if best is None or self._measured_us is None:
            return ""
        others = [
            f"{name} {'> ' if name in self._hopeless else ''}{self._costs[name] / 1000:.1f} ms"
            for name in COMMANDS
            if name in self._costs and name != best
        ]
        missing = [name for name in COMMANDS if name in self._missing]
        parts = [f"{self._costs[best] / 1000:.1f} ms", ", ".join(others), f"no {', '.join(missing)}" if missing else ""]
        return f"{best} ({'; '.join(filter(None, parts))})"
