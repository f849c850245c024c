"""How pictures move: the mapping's regressor, order and kernels of the smoothing, the followers."""

from typing import Any

from PySide6.QtWidgets import QWidget

from offline.pairing.setting_rows import (
    MOTIONS,
    OWN,
    REGRESSOR_HELP,
    Row,
    Sections,
    acting,
    motion_of,
    motion_sections,
    motion_values,
)
from offline.pairing.studio import Studio
from offline.pairing.window.parts import Choice, label, row
from offline.pairing.window.setting_lines import NAMES, SettingsPanel, widen
from offline.readable import if_readable

MOTION_HELP = "Sets order, kernels and followers as a variant of `ponticello lab` does; see docs/laboratory.md."


class MotionView(SettingsPanel):
    """Settings of the training, which learn the pairs again, and of the motion, which act at once."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio, "motion")
        self.state = label("", "small")
        self.state.setWordWrap(True)
        self.motion = Choice("motion-variant", MOTION_HELP)
        widen(self.motion)
        self.motion.addItems([OWN, *MOTIONS])
        self.motion.textActivated.connect(self._choose)

    def sections(self) -> Sections:
        project = self.studio.project
        assert project is not None
        return motion_sections({name: project.control(name) for name in project.settings})

    def head(self, title: str) -> list[QWidget]:
        if title == "Mapping":
            return [self.state]
        if title == "Motion":
            name, line = label("variant", "dim"), QWidget()
            name.setFixedWidth(NAMES)
            name.setToolTip(MOTION_HELP)
            line.setLayout(row(name, self.motion, gap=8))
            return [line]
        return []

    def values(self) -> dict[str, object]:
        project = self.studio.project
        if project is None:
            return {}
        names = project.training.__struct_fields__
        return {**project.settings, **{f"training/{name}": getattr(project.training, name) for name in names}}

    def acting(self) -> set[str]:
        project = self.studio.project
        return set() if project is None else acting(project.settings, project.training)

    def change(self, row: Row, value: Any) -> None:
        project = self.studio.project
        if project is None:
            return
        folder, _, name = row.name.rpartition("/")
        if folder == "training":
            project.set_training(name, value)
        else:
            project.set(row.name, value)

    def refresh(self) -> None:
        """Show the preset's values."""
        super().refresh()
        project = self.studio.project
        if project is not None:
            self.motion.setCurrentText(motion_of(project.settings, project.preset.settings.inputs))
            self.show_training(any(job.kind == "training" for job in self.studio.jobs.running))

    def show_training(self, is_running: bool) -> None:
        """Show what the present mapping is, or that another one is being learned."""
        self.state.setText("training…" if is_running else self._state())

    def _state(self) -> str:
        project = self.studio.project
        if project is None:
            return ""
        wanted = project.training.regressor
        mapping = if_readable(lambda: project.preset.mapping)
        if mapping is None:
            return REGRESSOR_HELP[wanted]
        if mapping.regressor.name != wanted:
            return f"Not trained yet: the mapping is still that of {mapping.regressor.name}. Press Train in Pairs."
        losses = [pair.loss for pair in project.pairs if pair.loss is not None]
        loss = f" Largest loss of a pair: {max(losses):.0e}." if losses else ""
        return REGRESSOR_HELP[wanted] + loss

    def _choose(self, name: str) -> None:
        project = self.studio.project
        if project is None:
            return
        inputs = project.preset.settings.inputs
        if name != OWN:
            self.studio.attempt(project.set_all, motion_values(name, inputs), f"motion {name}")
        self.motion.setCurrentText(motion_of(project.settings, inputs))  # also after an error
