"""The content of the head-up display."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class HudState:
    """What the player sees at a glance. A number that is not finite is unknown and shown as a dash."""

    preset: str = ""
    fps: float = math.nan
    latency_ms: float = math.nan
    dropped: int = 0
    """Pictures dropped because they would have been late."""
    dropouts: int = 0
    """Losses of sound, incoming or outgoing: overflows, gaps and underruns; one incident may count twice."""
    level_db: float = -math.inf
    """RMS of the incoming sound relative to full scale."""
    peak_db: float = -math.inf
    sounding: bool = False
    """Whether the loudness gate is open."""
    names: tuple[str, ...] = ()
    descriptors: tuple[float, ...] = ()
    """Standardised, one per name."""
    distance: float = math.nan
    """From the sound to the nearest pair, in deviations."""
    clock: str = ""
    """The timing in a word or two: `live`, `ahead 63 ms`, `natural`."""
    recording_s: float = math.nan
    """Duration of the running recording."""
    frozen: bool = False
    blackout: bool = False
    prompt: str = ""
    """The current instruction for the player."""
    errors: tuple[str, ...] = ()
    """Messages, the newest last. Those that the previous state did not have are shown for some seconds."""
