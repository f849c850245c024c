"""Jobs: long work beside the window, on the same code as the commands, with progress; cancellable."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from offline.pairing.studio import Studio

JobKind = Literal["new", "sounds", "candidates", "training", "render", "decode"]


@dataclass(frozen=True)
class Progress:
    """How far a job is. done and total: steps; total 0 while unknown. text: what it does now, or how it ended.

    state: running, done, cancelled or failed (an `error` event gives the reason).
    """

    kind: JobKind
    text: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    state: Literal["running", "done", "cancelled", "failed"] = "running"


@dataclass(frozen=True)
class Fit:
    """A finished training: pairs, orders of magnitude by which the loss fell, seconds it took, and pairs not learned."""

    pairs: int
    orders: float
    seconds: float
    unlearned: tuple[str, ...]


class Jobs:
    """Each method returns at once; `progress` events follow. Of training, the newest request wins."""

    def __init__(self, studio: "Studio") -> None:
        return

    @property
    def running(self) -> list[Progress]:
        """What goes on now."""
        return

    def cancel(self, kind: JobKind) -> None:
        """End a job; what is finished stays usable."""
        return

    def new(self, folder: Path, generator: Path | str) -> None:
        """Make a preset around a generator file (.safetensors) or a shipped preset's generator (its name), and open it."""
        return

    def add_sounds(self, paths: Sequence[Path]) -> None:
        """Analyse sounds and map them together with those that are there."""
        return

    def remove_sound(self, number: int) -> None:
        """Map anew without one of the sounds."""
        return

    def make_candidates(self, count: int = 500) -> None:
        """Make `count` more images; they appear as they are made (`candidates` events)."""
        return

    def train(self) -> None:
        """Fit the mapping to the pairs, now; done by itself after each change of the pairs while `train_on_drop` is set."""
        return

    train_on_drop: bool
    """Whether each change of the pairs starts a fit. May be set; True at first."""

    def render(self, sound: int, start: float, end: float, output: Path) -> None:
        """Render a region of a sound to a video: `ponticello render`, with progress."""
        return

    def play_live(self) -> None:
        """Open `ponticello live PRESET` beside the window."""
        return
