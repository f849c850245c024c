"""The action `preset`: load a preset in the background, then cross-fade to it."""

from collections.abc import Callable
from dataclasses import replace

from live.show.actions.context import ActionCall, ShowContext
from live.show.preset_library import PresetLibrary
from shared.background import Then
from shared.controls import Value
from shared.preset import Preset

CHANGE_EVERY_S = 0.15  # faster requests of one sender replace each other: each preset that fades costs a picture
MAX_FADING = 3  # presets on stage: from there on a change is a cut, which ends all cross-fades below it


class PresetActions:
    """Changes the preset.

    play: called in the main thread with the preset to play from now on. crossfade_s: gives the duration of the
    cross-fade to a preset, in seconds. wait_for_save: called before the preset is loaded.
    """

    def __init__(
        self,
        context: ShowContext,
        library: PresetLibrary,
        play: Callable[[Preset], None],
        crossfade_s: Callable[[Preset], Value],
        wait_for_save: Callable[[ActionCall], None],
    ) -> None:
        self._context, self._library, self._play, self._crossfade_s = context, library, play, crossfade_s
        self._wait_for_save = wait_for_save
        self.changes = 0
        """Preset changes so far."""

    def call(self, call: ActionCall) -> None:
        """Load the preset with this number or name; a request that still waits is replaced."""
        which = call.argument
        assert isinstance(which, str | float)

        def load() -> Then:
            self._wait_for_save(call)
            preset = self._library.load(which, self._context.engine.presets)
            return lambda: self._change(preset)

        self._context.run(self._context.lanes.loading, call, load, "preset", CHANGE_EVERY_S)

    def _change(self, preset: Preset) -> None:
        fading = len(set(map(id, self._context.engine.presets)))
        crossfade_s = self._crossfade_s(preset) if fading < MAX_FADING else 0.0
        if crossfade_s != preset.controls["crossfade"]:
            preset = replace(preset, controls={**preset.controls, "crossfade": crossfade_s})
        self._play(preset)
        self.changes += 1
