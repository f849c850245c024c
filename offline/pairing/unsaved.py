"""Settings that the window has changed and that are not on disk yet."""

import time
from collections.abc import Mapping

from offline.train import changed
from shared.controls import Value
from shared.preset import Preset
from shared.preset.lock import preset_lock
from shared.preset.training_settings import save_training

SETTLED_S = 0.5  # delay between the last change and its writing


class Unsaved:
    """One step of the history in the making: values of controls, or the settings of the training. False if empty."""

    def __init__(self) -> None:
        self.what = ""
        """What changes, as undo names it; empty if nothing does."""
        self.controls: dict[str, Value] = {}
        self.training: dict[str, object] = {}
        self._changed_at = 0.0

    def __bool__(self) -> bool:
        return bool(self.what)

    @property
    def is_due(self) -> bool:
        """Whether it is time to write it."""
        return bool(self) and time.monotonic() - self._changed_at >= SETTLED_S

    def change(
        self, what: str, controls: Mapping[str, Value] | None = None, training: Mapping[str, object] | None = None
    ) -> None:
        """Take over values of controls, and of settings of the training."""
        self.what, self._changed_at = what, time.monotonic()
        self.controls |= controls or {}
        self.training |= training or {}

    def save(self, preset: Preset) -> None:
        """Write preset.toml."""
        if self.controls:
            preset.save_controls(self.controls)
        if self.training:
            with preset_lock(preset.folder):
                save_training(preset.folder, changed(preset.settings.training, self.training))
