"""What each command of the table in keys.py does: a method of its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QMenu

from offline.pairing.export_map import write_table
from offline.pairing.timespan import Timespan
from offline.pairing.window.dialogs import CountDialog, KeysDialog, NewDialog
from offline.pairing.window.welcome import shipped_presets

if TYPE_CHECKING:
    from offline.pairing.window.main_window import MainWindow

SOUNDS = "Sounds (*.wav *.aif *.aiff *.flac *.ogg *.mp3 *.opus *.w64 *.caf);;All files (*)"
VIDEOS = "Video for everybody (*.mp4);;ProRes (*.mov);;Lossless (*.mkv)"
EXPORTS = {"Picture of the map (*.png)": ".png", "Table of all moments (*.csv)": ".csv"}
AUTOMATIC = 17  # pairs, as in the paper
STEP = 1.0  # seconds


class Commands:
    """The commands of one window."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.studio = window.studio
        self.look = window.look

    # File

    def new(self, generator: Path | None = None) -> None:
        NewDialog(self.window, self._make, generator).open()

    def _make(self, folder: Path, generator: Path | str) -> None:
        self.studio.attempt(self.studio.jobs.new, folder, generator)

    def open(self) -> None:
        if chosen := QFileDialog.getExistingDirectory(self.window, "Open a preset's folder"):
            self.window.open_preset(chosen)

    def open_shipped(self) -> None:
        menu = QMenu(self.window)
        for name in shipped_presets():
            menu.addAction(name).triggered.connect(lambda _=False, name=name: self.window.open_preset(name))
        menu.popup(self.window.mapToGlobal(self.window.rect().topLeft()) + self.window.menu_corner())

    def add_sounds(self) -> None:
        if self.studio.project is None:
            self.window.say("Open or make a preset first; then add sounds to it.")
            return
        chosen, _ = QFileDialog.getOpenFileNames(self.window, "Add sounds", "", SOUNDS)
        if chosen:
            self.studio.attempt(self.studio.jobs.add_sounds, [Path(file) for file in chosen])

    def candidates(self) -> None:
        CountDialog(self.window, lambda count: self.studio.attempt(self.studio.jobs.make_candidates, count)).open()

    def render(self) -> None:
        board, project = self.studio.board, self.studio.project
        if board is None or project is None:
            self.window.say("There is no sound to render yet; add sounds first.")
            return
        sound = self.window.wave.sound
        start, end = self.look.region or (0.0, board.sounds[sound].seconds)
        proposed = str(project.preset.folder / f"{board.sounds[sound].name}.mp4")
        chosen, _ = QFileDialog.getSaveFileName(self.window, f"Render {start:.2f} to {end:.2f} s", proposed, VIDEOS)
        if chosen:
            self.studio.attempt(self.studio.jobs.render, sound, start, end, Path(chosen), self.studio.film.shape)

    def live(self) -> None:
        self.studio.transport.stop()
        self.studio.attempt(self.studio.jobs.play_live, self.look.shape)

    def export(self) -> None:
        board, project = self.studio.board, self.studio.project
        if board is None or project is None or project.corpus is None:
            self.window.say("There is no map to export yet; add sounds first.")
            return
        proposed = str(project.preset.folder / f"{project.preset.name}-map.png")
        chosen, kind = QFileDialog.getSaveFileName(self.window, "Export", proposed, ";;".join(EXPORTS))
        if not chosen:
            return
        path = Path(chosen)
        if path.suffix.lower() not in EXPORTS.values():
            path = path.with_name(path.name + EXPORTS.get(kind, ".png"))
        if path.suffix.lower() == ".csv":
            count = self.studio.attempt(write_table, path, project.corpus, board, project.pairs)
            if count is not None:
                self.window.say(f"{path}: {count} moments", is_good=True)
        elif self.window.map.grab().save(str(path)):
            self.window.say(f"{path}: the map as it is shown", is_good=True)
        else:
            self.window.say(f"{path} cannot be written; choose another place")

    def quit(self) -> None:
        self.window.close()

    # Edit

    def undo(self) -> None:
        if self.studio.project is not None and self.studio.project.can_undo:
            self.studio.attempt(self.studio.project.undo)

    def redo(self) -> None:
        if self.studio.project is not None and self.studio.project.can_redo:
            self.studio.attempt(self.studio.project.redo)

    def remove(self) -> None:
        project = self.studio.project
        if project is not None and any(pair.name == self.look.selected for pair in project.pairs):
            self.studio.attempt(project.remove, [self.look.selected])

    def pair_here(self) -> None:
        transport = self.studio.transport
        if self.studio.board is not None and (name := self.window.tray.list.current):
            self.window.place_at(name, transport.sound, transport.seconds)

    def star(self) -> None:
        name = self.window.pointed or self.window.tray.list.current or self.look.selected
        project = self.studio.project
        if project is not None and name:
            self.studio.attempt(project.star, [name], not project.is_starred(name))

    def similar(self) -> None:
        if name := self.look.selected or self.window.pointed or self.window.tray.list.current:
            self.window.tray.show_similar(name)

    def far_apart(self) -> None:
        self.window.tray.choose_far_apart()

    def auto_kmeans(self) -> None:
        self._pair_automatically("kmeans")

    def auto_assignment(self) -> None:
        self._pair_automatically("assignment")

    def auto_pca(self) -> None:
        self._pair_automatically("pca")

    def _pair_automatically(self, method: str) -> None:
        if self.studio.project is not None:
            self.studio.attempt(self.studio.project.pair_automatically, method, AUTOMATIC)

    # Sound

    def play(self) -> None:
        transport = self.studio.transport
        if self.studio.board is None:
            return
        if transport.state == "playing":
            transport.stop()
        else:
            transport.play()
            self.window.hints.done("play")
        self.window.wake()

    def stop(self) -> None:
        self.window.notice.hide()
        film = self.window.film.window_of_film
        if film is not None and film.isFullScreen():
            self.window.film.set_full_screen(False)
        self.studio.transport.stop()
        self.window.wake()

    def loop(self) -> None:
        self.look.change(loops=not self.look.loops)

    def slower(self) -> None:
        self.window.transport.change_speed(1)

    def faster(self) -> None:
        self.window.transport.change_speed(-1)

    def start(self) -> None:
        self._seek(self.look.region[0] if self.look.region else 0.0)

    def back(self) -> None:
        self._seek(self.studio.transport.seconds - STEP)

    def forward(self) -> None:
        self._seek(self.studio.transport.seconds + STEP)

    def next_image(self) -> None:
        self._to_image(1)

    def previous_image(self) -> None:
        self._to_image(-1)

    def next_sound(self) -> None:
        self._turn_sound(1)

    def previous_sound(self) -> None:
        self._turn_sound(-1)

    def remove_sound(self) -> None:
        if self.studio.board is not None:
            self.studio.attempt(self.studio.jobs.remove_sound, self.window.wave.sound)

    def region_start(self) -> None:
        now, region = self.studio.transport.seconds, self.look.region
        end = region[1] if region and region[1] > now else self.studio.transport.length
        self.look.change(region=(now, end) if end > now else None)

    def region_end(self) -> None:
        now, region = self.studio.transport.seconds, self.look.region
        start = region[0] if region and region[0] < now else 0.0
        self.look.change(region=(start, now) if now > start else None)

    def no_region(self) -> None:
        self.look.change(region=None)

    def microphone(self) -> None:
        if self.studio.microphone is None:
            self.window.listen(None)
        else:
            self.studio.stop_listening()
            self.window.show_microphone()

    def _seek(self, seconds: float) -> None:
        transport = self.studio.transport
        if self.studio.board is not None:
            transport.seek(transport.sound, min(max(seconds, 0.0), transport.length))
            self.window.follow()

    def _to_image(self, step: int) -> None:
        board, project, transport = self.studio.board, self.studio.project, self.studio.transport
        if board is None or project is None:
            return
        here = transport.seconds
        moments = sorted(
            (seconds, pair.name)
            for pair in project.pairs
            for sound, seconds in (board.time_of(pair.row),)
            if sound == transport.sound
        )
        later = [entry for entry in moments if entry[0] > here + 0.01]
        earlier = [entry for entry in moments if entry[0] < here - 0.01]
        if found := later[:1] if step > 0 else earlier[-1:]:
            self.look.change(selected=found[0][1])
            self._seek(found[0][0])

    def _turn_sound(self, step: int) -> None:
        board = self.studio.board
        if board is not None and board.sounds:
            self.window.choose_sound((self.window.wave.sound + step) % len(board.sounds))

    # Map

    def fit(self) -> None:
        self.window.map.fit()
        wave = self.window.wave
        wave.set_span(Timespan.whole(wave.span.length, wave.span.width))

    def closer(self) -> None:
        self.window.map.zoom(1, self.window.map.pointer_place())
        self.window.hints.done("zoom")

    def farther(self) -> None:
        self.window.map.zoom(-1, self.window.map.pointer_place())

    def to_playhead(self) -> None:
        board, row = self.studio.board, self.studio.row
        if board is not None and row is not None:
            self.window.map.set_plane(self.window.map.plane.centred(board.place_of(row)))

    def images(self) -> None:
        self.look.change(shows_images=not self.look.shows_images)

    def gaps(self) -> None:
        self.look.change(shows_gaps=not self.look.shows_gaps)

    def play_gap(self) -> None:
        board = self.studio.board
        if board is None:
            return
        row = board.farthest()
        if row is None:
            self.window.say("Place an image first: then the sound that is farthest from it can be played.")
            return
        self.studio.transport.seek(*board.time_of(row))
        self.studio.transport.play()
        self.look.change(shows_gaps=True)
        self.window.wake()

    def colour_image(self) -> None:
        self.look.change(colour="image")

    def colour_time(self) -> None:
        self.look.change(colour="time")

    def colour_loudness(self) -> None:
        self.look.change(colour="loudness")

    def colour_pitch(self) -> None:
        self.look.change(colour="pitch")

    def colour_sound(self) -> None:
        self.look.change(colour="sound")

    # Film

    def mockup(self) -> None:
        self.look.change(source="mock-up")

    def generator(self) -> None:
        self.look.change(source="generator")

    def both(self) -> None:
        self.look.change(source="both")

    def shape_square(self) -> None:
        self.look.change(shape="square")

    def shape_wide(self) -> None:
        self.look.change(shape="16:9")

    def shape_tall(self) -> None:
        self.look.change(shape="9:16")

    def shape_wall(self) -> None:
        self.look.change(shape="4:1")

    def shape_window(self) -> None:
        self.look.change(shape="window")

    def detach(self) -> None:
        if self.window.film.window_of_film is None:
            self.window.film.detach()
        else:
            self.window.film.attach()

    def fullscreen(self) -> None:
        film = self.window.film.window_of_film
        self.window.film.set_full_screen(film is None or not film.isFullScreen())

    def motion(self) -> None:
        self.window.turn_tab(self.window.motion)

    def settings(self) -> None:
        self.window.turn_tab(self.window.settings)

    # Help

    def keys(self) -> None:
        self.window.hints.done("keys")
        KeysDialog(self.window).open()

    def hints(self) -> None:
        self.window.hints.begin()
