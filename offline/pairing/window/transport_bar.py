"""The controls of the sound: play, loop, speed, volume, playhead, sound and device."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.parts import Choice, Elided, label, row, timecode
from offline.pairing.window.setting_lines import STEPS, Slider

SPEEDS = (1.0, 0.5, 0.25, 0.125)
SPEED_NAMES = ("1×", "1/2", "1/4", "1/8")


class TransportBar(QWidget):
    """One line of controls above the waveform."""

    sound_chosen = Signal(int)
    input_chosen = Signal(str)
    """A live input, by its number, to be shown on the map."""

    def __init__(self, studio: Studio, play: QAction, loop: QAction) -> None:
        super().__init__()
        self.studio = studio
        self.play, self.loop = _tool(play), _tool(loop)
        self.play.setMinimumWidth(64)
        self.time = label("0:00.00", "title")
        self.time.setMinimumWidth(74)
        self.length = label("", "dim")
        self.speed = Choice("speed", "Speed of the sound; its pitch stays", 64)
        self.speed.addItems(SPEED_NAMES)
        self.speed.activated.connect(lambda number: setattr(studio.transport, "speed", SPEEDS[number]))
        self.volume = Slider()
        self.volume.setFixedWidth(80)
        self.volume.setToolTip("Volume")
        self.volume.setValue(round(studio.transport.volume * STEPS))
        self.volume.valueChanged.connect(lambda step: setattr(studio.transport, "volume", step / STEPS))
        self.sounds = Choice("sounds", "The sound below", 180)
        self.sounds.activated.connect(self.sound_chosen)
        self.device = QToolButton()
        self.device.setText("Devices ▾")
        self.device.setObjectName("output")
        self.device.setToolTip("The sound device to play on, and a live input to show on the map")
        self.device.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.device.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = QMenu(self.device)
        menu.aboutToShow.connect(self._list_devices)
        self.device.setMenu(menu)
        self._used: str | None = None  # as chosen here; what the command line named counts as the default
        self.state = Elided("", "small")
        parts = (self.play, self.loop, 4, self.time, self.length, 8, self.sounds, 8, label("Speed", "dim"), self.speed)
        layout = row(*parts, 8, label("Volume", "dim"), self.volume, self.device, 8, self.state)
        layout.setStretch(layout.count() - 1, 1)
        self.setLayout(layout)

    def refresh(self) -> None:
        """List the sounds of the corpus, and show the reason for silence."""
        board = self.studio.board
        names = [] if board is None else [sound.name for sound in board.sounds]
        if [self.sounds.itemText(number) for number in range(self.sounds.count())] != names:
            self.sounds.clear()
            self.sounds.addItems(names)
        self.sounds.setVisible(len(names) > 1)
        for tool in (self.play, self.loop):
            tool.defaultAction().setEnabled(board is not None)
        self.speed.setEnabled(board is not None)
        self.show_sound(self.studio.transport.sound)
        silent = self.studio.transport.silent
        reason = silent.partition(";")[0]
        self.state.show_text(reason[:1].upper() + reason[1:] if silent else names[0] if len(names) == 1 else "")
        self.state.setStyleSheet(f"color: {theme.WARNING.name()}" if silent else "")

    def show_sound(self, sound: int) -> None:
        """Select a sound and show its length."""
        board = self.studio.board
        if board is None or sound >= len(board.sounds):
            self.length.setText("")
            return
        self.sounds.setCurrentIndex(sound)
        self.length.setText(f"of {timecode(board.sounds[sound].seconds)}")

    def show_time(self, seconds: float) -> None:
        """Show the playhead's time."""
        self.time.setText(timecode(seconds))

    def change_speed(self, steps: int) -> None:
        """Slower (above 0) or faster by a number of steps."""
        number = min(max(self.speed.currentIndex() + steps, 0), len(SPEEDS) - 1)
        self.studio.transport.speed = SPEEDS[number]
        self.speed.setCurrentIndex(number)

    def _list_devices(self) -> None:
        menu = self.device.menu()
        menu.clear()
        devices = self.studio.transport.devices()
        menu.addAction("Play on").setEnabled(False)
        for text, choice in (
            ("System default", None),
            *((f"{each.number} {each.name}", str(each.number)) for each in devices),
        ):
            entry = menu.addAction(text)
            entry.setCheckable(True)
            entry.setChecked(choice == self._used)
            entry.triggered.connect(lambda _=False, choice=choice: self._use(choice))
        if not devices:
            none = menu.addAction("No sound output was found")
            none.setEnabled(False)
        menu.addSeparator()
        inputs = menu.addMenu("Microphone on the map")
        for device in self.studio.inputs():
            entry = inputs.addAction(f"{device.number} {device.name}")
            entry.triggered.connect(lambda _=False, number=device.number: self.input_chosen.emit(str(number)))
        inputs.setEnabled(not inputs.isEmpty())

    def _use(self, device: str | None) -> None:
        self._used = device
        self.studio.attempt(self.studio.transport.use, device)
        self.refresh()


def _tool(action: QAction) -> QToolButton:
    made = QToolButton()
    made.setDefaultAction(action)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made
