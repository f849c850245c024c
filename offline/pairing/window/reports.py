"""Forwards the studio's events to the parts of the window."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from offline.pairing.jobs import Fit, Progress
from offline.pairing.window.jobs_bar import QUIET

if TYPE_CHECKING:
    from offline.pairing.window.main_window import MainWindow


class Reports:
    """Follows the events of a window's studio."""

    def __init__(self, window: MainWindow) -> None:
        self.window, self.studio = window, window.studio
        self._fit: Fit | None = None
        self._has_hinted = False
        events = self.studio.events
        events.on("preset", self.refresh_preset)
        events.on("corpus", self._corpus_changed)
        events.on("candidates", self._candidates_changed)
        events.on("pairs", self._pairs_changed)
        events.on("settings", self._settings_changed)
        events.on("history", self._history_changed)
        events.on("trained", self._trained)
        events.on("progress", self._progressed)
        events.on("error", window.say)
        events.on("note", self._note)
        events.on("transport", self._transport_changed)
        events.on("film", window.film.follow)
        events.on("film", window.tray.follow)
        events.on("missing", self._show_missing)
        events.on("sounds", window.wave.redraw)

    def refresh_preset(self) -> None:
        """Show another preset, or the start page where none is open."""
        window = self.window
        project = self.studio.project
        window.pages.setCurrentIndex(0 if project is None else 1)
        for part in (window.undo, window.redo):
            part.setVisible(project is not None)
        window.name.setText(project.preset.name if project else "")
        window.setWindowTitle(f"{project.preset.name} - Ponticello studio" if project else "Ponticello studio")
        window.look.change(selected="", region=None)
        self._fit = None
        if project is not None:
            window.memory.note_preset(project.preset.folder)
            window.memory.save()
        window.welcome.show_recent(window.memory.recent)
        window.look.forget_images([])
        window.pictures.use(project)
        window.map.fit()
        window.map.forget_pointer()
        window.map.setFocus()
        self._corpus_changed()
        window.tray.refresh()
        self._settings_changed()
        self._history_changed()
        window.jobs.refresh()

    def _corpus_changed(self) -> None:
        window = self.window
        self._pairs_changed()
        if self.studio.board is not None and not window.memory.hints_seen and not self._has_hinted:
            self._has_hinted = True  # not before: they speak of a map
            window.hints.begin()
        window.map_bar.refresh()
        window.transport.refresh()
        window.wave.show_sound(self.studio.transport.sound)
        window.follow_now()

    def _candidates_changed(self) -> None:
        window = self.window
        window.pictures.refresh()
        window.tray.refresh()
        window.map.update()
        window.wave.redraw()

    def _pairs_changed(self) -> None:
        window = self.window
        project = self.studio.project
        names = [pair.name for pair in project.pairs] if project else []
        window.look.forget_images(names)
        if window.look.selected and window.look.selected not in names:
            window.look.change(selected="")
        window.map.set_pairs(project.pairs if project else [])
        self.recolour()
        window.tray.refresh()
        window.pairs.refresh()
        self._show_training()
        window.follow_now()

    def recolour(self) -> None:
        """Update the colours of points and waveform."""
        window = self.window
        window.map.refresh_points()
        window.wave.set_colours(window.map.row_colours)

    def board_changed(self) -> None:
        """Other axes or another filter."""
        self.window.map.refresh_points()
        self.window.follow_now()

    def _settings_changed(self) -> None:
        self.window.motion.refresh()
        self.window.settings.refresh()
        self._show_state()

    def _history_changed(self) -> None:
        project = self.studio.project
        self._show_state()
        for name, what in (
            ("undo", project.can_undo if project else ""),
            ("redo", project.can_redo if project else ""),
        ):
            action = self.window.actions_by_name[name]
            action.setEnabled(bool(what))
            key = action.shortcut().toString(action.shortcut().SequenceFormat.NativeText)
            action.setToolTip(f"{name.capitalize()}: {what} ({key})" if what else f"Nothing to {name}")

    def _trained(self, fit: Fit) -> None:
        window = self.window
        self._fit = fit
        window.map.set_pairs(self.studio.project.pairs if self.studio.project else [])
        window.map.refresh_images()
        window.pairs.refresh()
        self._show_training()
        window.follow_now()

    def _progressed(self, progress: Progress) -> None:
        window = self.window
        if progress.kind in QUIET:
            self._show_training()
        else:
            window.jobs.refresh()
            is_mapping = progress.kind == "sounds" and progress.state == "running"
            window.map.progress_text = progress.text if is_mapping else ""
            if self.studio.board is None:
                window.map.place_button()
                window.map.update()
        window.wake()

    def _show_training(self) -> None:
        self.window.pairs.show_training(self._is_training, self._fit)
        self.window.motion.show_training(self._is_training)
        self._show_state()

    @property
    def _is_training(self) -> bool:
        return any(job.kind == "training" for job in self.studio.jobs.running)

    def _show_state(self) -> None:
        """Show in the corner whether the mapping is being trained and everything is saved."""
        project = self.studio.project
        saved = "" if project is None else "saved" if project.is_saved else "saving…"
        self.window.state.show_text("training…" if self._is_training else saved)

    def _transport_changed(self) -> None:
        window = self.window
        window.transport.refresh()
        transport = self.studio.transport
        window.actions_by_name["play"].setChecked(transport.state == "playing")
        window.actions_by_name["play"].setText("Stop" if transport.state == "playing" else "Play")
        if transport.state == "stopped":
            window.map.end_trail()
        window.wake()

    def _show_missing(self) -> None:
        window = self.window
        missing = self.studio.missing
        if not missing:
            return
        first = missing[0]

        if first.kind == "images":
            paint = partial(self.studio.attempt, self.studio.jobs.make_candidates, 0)
            window.notice.show_notice(first.line, "Make them", paint)
            return

        def locate() -> None:
            chosen, _ = QFileDialog.getOpenFileName(window, f"Where is {first.path.name}?", "", f"*{first.path.suffix}")
            if chosen:
                window.notice.hide()
                self.studio.attempt(self.studio.relocate, first, Path(chosen))

        rest = f" ({len(missing) - 1} more files are missing)" if len(missing) > 1 else ""
        window.notice.show_notice(first.line + rest, "Locate…", locate)

    def _note(self, line: str) -> None:
        """The lines worth showing, without that about a missing sound card, which the sound's controls show."""
        if line != self.studio.transport.silent:
            self.window.say(line, is_good=True)
