"""Changes that wait for their sample: control changes and exchanges, ordered by sample, then by request."""

from bisect import insort
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from shared import controls
from shared.controls import ControlChange
from shared.pipeline.exchanges import Exchange, UseMapping
from shared.preset.preset import Preset

Level = Literal["samples", "frames", "ticks"]
"""What a change acts on."""
LEVELS: tuple[Level, ...] = ("samples", "frames", "ticks")


class ScheduledChange(NamedTuple):
    """A change and the sample from which it acts."""

    sample: int
    order: int
    """Grows with every request, so that changes of one sample act in the order of their requests."""
    change: ControlChange | Exchange

    @property
    def is_for_preset(self) -> bool:
        """Whether it changes the preset that plays, not the show."""
        match self.change:
            case ControlChange(name=name):
                return belongs_to_preset(name)
            case UseMapping():
                return True
        return False

    @property
    def begins_fade(self) -> bool:
        """Whether it lets a preset or mapping fade in."""
        return begins_fade(self.change)


class Schedule:
    """The changes that have not acted yet, for each level in the order in which they will act."""

    def __init__(self, entries: Mapping[Level, tuple[ScheduledChange, ...]] | None = None) -> None:
        self._entries: dict[Level, list[ScheduledChange]] = {
            level: list(entries.get(level, ())) if entries else [] for level in LEVELS
        }
        self._next_order = 1 + max((entry.order for level in LEVELS for entry in self._entries[level]), default=-1)

    @property
    def entries(self) -> dict[Level, tuple[ScheduledChange, ...]]:
        """A copy of the waiting changes, by level."""
        return {level: tuple(entries) for level, entries in self._entries.items()}

    def add(self, level: Level, sample: int, change: ControlChange | Exchange) -> None:
        """Let a change act on this level from a sample on."""
        entry = ScheduledChange(sample, self._next_order, change)
        entries = self._entries[level]
        if not entries or entries[-1].sample <= sample:
            entries.append(entry)
        else:
            insort(entries, entry, key=lambda scheduled: scheduled[:2])
        self._next_order += 1

    def next_sample(self, level: Level) -> int | None:
        """The sample of the next change of a level; None if none waits."""
        entries = self._entries[level]
        return entries[0].sample if entries else None

    def take_due(self, level: Level, sample: int) -> list[ScheduledChange]:
        """Remove and return the changes that act at or before a sample.

        A tick change that was requested after a preset, and is for that preset, waits until the preset plays; so it is with
        a mapping that fades in.
        """
        if not self._entries[level]:
            return []
        fades = [entry.order for entry in self._entries["frames"] if entry.begins_fade]
        fade_order = min(fades) if fades and level == "ticks" else None

        def is_due(entry: ScheduledChange) -> bool:
            is_for_later = fade_order is not None and entry.order > fade_order and entry.is_for_preset
            return entry.sample <= sample and not is_for_later

        return self._take(level, is_due)

    def take_for_previous(self, fade: ScheduledChange) -> list[ScheduledChange]:
        """Remove and return the tick changes requested before a fade that are for the preset that played until then.

        They act before the fade begins; afterwards they would change the preset or mapping that fades in.
        """

        def is_for_previous(entry: ScheduledChange) -> bool:
            return entry.sample <= fade.sample and entry.order < fade.order and entry.is_for_preset

        return self._take("ticks", is_for_previous)

    def _take(self, level: Level, is_taken: Callable[[ScheduledChange], bool]) -> list[ScheduledChange]:
        entries = self._entries[level]
        self._entries[level] = [entry for entry in entries if not is_taken(entry)]
        return [entry for entry in entries if is_taken(entry)]


def begins_fade(change: ControlChange | Exchange) -> bool:
    """Whether a change lets a preset or mapping fade in over what plays."""
    return isinstance(change, Preset) or (isinstance(change, UseMapping) and change.crossfades)


def belongs_to_preset(name: str) -> bool:
    """Whether a control, `weight/pitch` or `fade`, is kept in presets."""
    return controls.CONTROLS[name.partition("/")[0]].home == "preset"
