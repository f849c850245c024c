"""The window: forwards requests of its parts to the studio, and follows the sound with a timer."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.actions import make_actions
from offline.pairing.window.commands import Commands
from offline.pairing.window.context_menu import context_menu
from offline.pairing.window.dragging import GENERATORS, PICTURES, dragged_files, dragged_image
from offline.pairing.window.layout import Layout, first_place
from offline.pairing.window.look import SHAPES, Look
from offline.pairing.window.memory import Memory
from offline.pairing.window.pictures import Pictures
from offline.pairing.window.reports import Reports

TICK_MS = 33  # while something moves
IDLE_MS = 100  # between two polls while nothing moves
WARM_UP_TICK = 5  # the window is painted by then
SHAPE_COMMANDS = ("shape_square", "shape_wide", "shape_tall", "shape_wall", "shape_window")
FOREIGN = (
    "Pictures of your own cannot be placed: an image on the map needs a latent, the point of the generator's space that it "
    "comes from. Choose among the candidates in the tray."
)


class MainWindow(Layout):
    """The studio's window."""

    def __init__(self, studio: Studio, memory: Memory) -> None:
        super().__init__(studio, Look(), Pictures())
        self.memory = memory
        self.look.change(colour=memory.colour, image_size=memory.image_size, point_size=memory.point_size)
        self.pointed = ""
        """The candidate under the pointer in the tray."""
        self.ticks = 0
        """How often the window has followed the sound."""
        self._is_closed = False
        self.commands = Commands(self)
        self.build(make_actions(self, self.commands))
        self.reports = Reports(self)
        self._connect()
        self.setAcceptDrops(True)
        self._look_changed("")
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.follow)
        self._timer.start(IDLE_MS)
        if not (memory.geometry_bytes and self.restoreGeometry(QByteArray(memory.geometry_bytes))):
            self.setGeometry(first_place())
        self.reports.refresh_preset()
        self.look.change(shape=memory.shape if memory.shape in SHAPES else "square")

    def _connect(self) -> None:
        self.map.scrubbed.connect(self._scrub_row)
        self.map.released.connect(self._release)
        self.map.dropped.connect(self._place)
        self.map.menu_wanted.connect(self._show_menu)
        self.map.sounds_wanted.connect(self.commands.add_sounds)
        self.wave.scrubbed.connect(self._scrub)
        self.wave.released.connect(self._release)
        self.wave.dropped.connect(self.place_at)
        self.tray.list.pointed.connect(self._point)
        self.tray.list.starred.connect(self.star)
        self.tray.list.menu_wanted.connect(self._show_menu)
        self.pairs.wanted.connect(self._go_to)
        self.pairs.menu_wanted.connect(self._show_menu)
        self.hints.seen.connect(self._hints_seen)
        self.map_bar.board_changed.connect(self.reports.board_changed)
        self.transport.sound_chosen.connect(self.choose_sound)
        self.transport.input_chosen.connect(self.listen)
        self.welcome.new_wanted.connect(self.commands.new)
        self.welcome.open_wanted.connect(self.commands.open)
        self.welcome.preset_wanted.connect(self.open_preset)
        self.look.changed.connect(self._look_changed)
        self.tabs.currentChanged.connect(self._tab_changed)

    def open_preset(self, path: str) -> None:
        """Open a preset by path or name."""
        self.notice.hide()
        self.studio.attempt(self.studio.open, path)
        self.studio.poll()  # before anything is painted: the views take up the new storyboard
        self.wake()

    def say(self, line: str, *, is_good: bool = False) -> None:
        """One line in the bar: what went wrong and what to do, or that something is done."""
        self.notice.show_notice(line, is_good=is_good)

    # requests of the views

    def _scrub_row(self, number: int) -> None:
        if self.studio.board is not None:
            self._scrub(*self.studio.board.time_of(number))

    def _scrub(self, sound: int, seconds: float) -> None:
        self.studio.transport.scrub(sound, seconds)
        self.hints.done("hear")
        self.wake()
        self.follow_now()

    def _release(self) -> None:
        if self.studio.transport.state == "scrubbing":
            self.studio.transport.stop()

    def _place(self, name: str, x: float, y: float) -> None:
        board, project = self.studio.board, self.studio.project
        if board is None or project is None or not name:
            return
        if board.axes == ("map", "map"):
            self.studio.attempt(project.place, name, x, y)
        else:
            self.studio.attempt(project.place_at, name, *board.time_of(board.row_at(x, y)))
        self.follow()
        self.look.change(selected=name)
        self.hints.done("place")
        self.wake()

    def place_at(self, name: str, sound: int, seconds: float) -> None:
        """Pair an image with a moment of a sound."""
        if self.studio.project is not None and name:
            self.studio.attempt(self.studio.project.place_at, name, sound, seconds)
            self.follow()
            self.look.change(selected=name)
            self.hints.done("place")
            self.wake()

    def star(self, name: str) -> None:
        """Choose a candidate, or undo the choice."""
        project = self.studio.project
        if project is not None:
            self.studio.attempt(project.star, [name], not project.is_starred(name))

    def _go_to(self, number: int) -> None:
        if self.studio.board is not None:
            self.studio.transport.seek(*self.studio.board.time_of(number))
            self.follow_now()

    def choose_sound(self, number: int) -> None:
        """Show another sound below the map."""
        self.studio.transport.seek(number, 0.0)
        self.follow_now()

    def _point(self, name: str) -> None:
        self.pointed = name

    def _show_menu(self, name: str, place: QPoint) -> None:
        if self.studio.project is not None:
            context_menu(self, self.studio.project, name).popup(place)

    def turn_tab(self, view: QWidget) -> None:
        """Show the motion or the sliders, or the pairs again."""
        self.tabs.setCurrentWidget(self.pairs if self.tabs.currentWidget() is view else view)

    def _tab_changed(self, _number: int) -> None:
        for name, view in (("motion", self.motion), ("settings", self.settings)):
            self.actions_by_name[name].setChecked(self.tabs.currentWidget() is view)

    def menu_corner(self) -> QPoint:
        """The position of menus that have no other one."""
        return QPoint(theme.GAP, 40)

    def _look_changed(self, name: str) -> None:
        look, actions, transport = self.look, self.actions_by_name, self.studio.transport
        if name in ("region", "loops") and self.studio.board is not None:
            whole = (0.0, transport.length)
            transport.loop = (look.region or whole) if look.loops else None
        if name == "colour":
            self.reports.recolour()
        actions["loop"].setChecked(look.loops)
        actions["gaps"].setChecked(look.shows_gaps)
        actions["images"].setChecked(look.shows_images)
        for source, command in (("mock-up", "mockup"), ("generator", "generator"), ("both", "both")):
            actions[command].setChecked(look.source == source)
        for shape, command in zip(SHAPES, SHAPE_COMMANDS, strict=True):
            actions[command].setChecked(look.shape == shape)
        if name in ("source", "shape"):
            self.follow_now()
            self.wake()

    def _hints_seen(self) -> None:
        self.memory.hints_seen = True
        self.memory.save()

    # the clock

    def wake(self) -> None:
        """Follow the sound 30 times a second until nothing moves."""
        if self._timer.interval() != TICK_MS and not self._is_closed:
            self._timer.start(TICK_MS)

    def follow(self) -> None:
        """Process events, and show the current moment."""
        self.ticks += 1
        if self.ticks == WARM_UP_TICK:
            self.studio.jobs.warm_up()
        self.studio.poll()
        self.follow_now()
        transport, film = self.studio.transport, self.studio.film
        moves = transport.state != "stopped" or bool(self.studio.jobs.running) or self.studio.microphone is not None
        if not moves and not film.is_waiting and self._timer.interval() == TICK_MS:
            self._timer.start(IDLE_MS)

    def follow_now(self) -> None:
        """Show the current moment."""
        transport = self.studio.transport
        if transport.sound != self.wave.sound:
            self.wave.show_sound(transport.sound)
            self.transport.show_sound(transport.sound)
            self.look.change(region=None)
        self.map.set_row(self.studio.row)
        self.wave.set_playhead(transport.seconds, follow=transport.state == "playing")
        self.transport.show_time(transport.seconds)
        self.film.follow()
        if self.studio.microphone is not None:
            self.map.set_microphone(self.studio.microphone.place)

    def listen(self, device: str | None) -> None:
        """Show a live input on the map: the system's default, or one by its number."""
        self.studio.attempt(self.studio.listen, device)
        self.show_microphone()
        self.wake()

    def show_microphone(self) -> None:
        """Check the action that says whether a live input is shown."""
        is_on = self.studio.microphone is not None
        self.actions_by_name["microphone"].setChecked(is_on)
        if not is_on:
            self.map.set_microphone(None)

    # files from outside, closing

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dragged_files(event.mimeData()) and not dragged_image(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.take_files(dragged_files(event.mimeData()))

    def take_files(self, files: list[Path]) -> None:
        """Handle dropped files: a preset to open, a generator for a new one, sounds to add."""
        presets = [file for file in files if (file / "preset.toml").is_file()]
        generators = [file for file in files if file.suffix.lower() in GENERATORS]
        pictures = [file for file in files if file.suffix.lower() in PICTURES]
        if presets:
            self.open_preset(str(presets[0]))
        elif generators:
            self.commands.new(generators[0])
        elif pictures:
            self.say(FOREIGN)
        elif self.studio.project is None:
            self.say("Open or make a preset first; then drop sounds on it.")
        else:
            self.studio.attempt(self.studio.jobs.add_sounds, files)
        self.wake()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._is_closed = True
        self._timer.stop()
        self.film.attach()
        look, memory = self.look, self.memory
        memory.colour, memory.image_size, memory.point_size = look.colour, look.image_size, look.point_size
        memory.shape = look.shape
        memory.note_geometry(bytes(self.saveGeometry().data()))
        memory.save()
        self.studio.close()
        self.pictures.close()
        event.accept()
