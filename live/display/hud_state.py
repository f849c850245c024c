"""What the player wants to know at a glance: the content of the head-up display."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class HudState:
    """A number that isn't finite is not known, and is shown as a dash."""

    preset: str = ""
    fps: float = math.nan
    latency_ms: float = math.nan
    dropped: int = 0
    """Pictures left out as they would have come too late."""
    dropouts: int = 0
    """Times that sound was lost, coming in or going out: overflows, gaps and underruns, of which one mishap may make two."""
    level_db: float = -math.inf
    """RMS of the sound as it comes in, full scale being 0."""
    peak_db: float = -math.inf
    sounding: bool = False
    """Whether the loudness gate is open."""
    names: tuple[str, ...] = ()
    descriptors: tuple[float, ...] = ()
    """Standardised, one for each name."""
    distance: float = math.nan
    """Of the sound from the nearest pair, standardised."""
    clock: str = ""
    """What the show goes by, in a word or two: `live`, `ahead 63 ms`, `natural`."""
    recording_s: float = math.nan
    """How long the recording has been going on."""
    frozen: bool = False
    blackout: bool = False
    prompt: str = ""
    """What the player is asked to do now."""
    errors: tuple[str, ...] = ()
    """What went wrong, the newest last. What has come to those of the state before is shown for some seconds."""
