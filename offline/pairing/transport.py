"""The transport: plays sounds, with scrubbing, loops and slow motion, on a sound card or silently by the clock."""

import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import numpy as np
from jaxtyping import Float32

from offline.pairing.envelope import Decoded, decode
from offline.pairing.events import Events
from shared.errors import PonticelloError
from shared.preset.corpus import CorpusSound
from shared.sound_card.client import Device, list_devices
from shared.sound_card.devices import channels_of, find_device
from shared.sound_card.grain_player import CardPlayer, GrainPlayer, SilentPlayer
from shared.sound_card.grains import FASTEST, SLOWEST
from shared.stage import HOP, SAMPLE_RATE

State = Literal["stopped", "playing", "scrubbing"]


class Transport:
    """The playhead and the sound that is heard. Times are seconds of a sound; speeds are 1/8 to 1.

    state   stopped, playing or scrubbing        sound   number of the sound, from 0
    silent  the reason why nothing is heard, one line; empty while a sound card plays

    The sound card is opened in a thread. Until it is open, and for sounds that are not decoded yet, the playhead moves
    silently by the clock.
    """

    def __init__(self, events: Events, output: str | None = None) -> None:
        self._events = events
        self._card: CardPlayer | None = None
        self._clock = SilentPlayer()
        self._player: GrainPlayer = self._clock
        self._loaded = ""  # SHA-256 of the player's sound
        self._opened: SimpleQueue[CardPlayer | str] = SimpleQueue()  # a player, or the reason why there is none
        self._sounds: list[tuple[CorpusSound, Path | None]] = []
        self._decoded: dict[str, Decoded] = {}
        self._decoding = threading.Event()  # set when the sounds being decoded are no longer needed
        self._position = 0.0  # samples, while it stands
        self._loop: tuple[float, float] | None = None
        self._speed, self._volume = 1.0, 1.0
        self.state: State = "stopped"
        self.sound = 0
        self.silent = "opening the sound card"
        self.use(output)

    def play(self) -> None:
        """Play from the playhead, or from the beginning of the loop if the playhead is outside it."""
        if not self._sounds:
            return
        start = self.seconds
        if self._loop is not None and not self._loop[0] <= start < self._loop[1]:
            start = self._loop[0]
        elif start >= self.length - 2 / SAMPLE_RATE:
            start = 0.0
        self._with_sound(self.sound).play(start * SAMPLE_RATE)
        self._become("playing")

    def stop(self) -> None:
        """Stop with a fade of 35 ms; the playhead stays."""
        self._position = self.samples
        self._player.stop()
        self._become("stopped")

    def scrub(self, sound: int, seconds: float) -> None:
        """Sound the moment at this time until `stop` is called. Call it at each move of the pointer."""
        if not self._sounds:
            return
        self._with_sound(sound).scrub(self._inside(seconds) * SAMPLE_RATE)
        self._become("scrubbing")

    def seek(self, sound: int, seconds: float) -> None:
        """Move the playhead; playing continues from there."""
        if not self._sounds:
            return
        if self.state == "playing":
            self._with_sound(sound).play(self._inside(seconds) * SAMPLE_RATE)
            return
        self._choose(sound)
        self._position = self._inside(seconds) * SAMPLE_RATE
        self._become("stopped")

    @property
    def samples(self) -> float:
        """The position that is heard now, in samples at 44.1 kHz."""
        return self._position if self.state == "stopped" else self._player.playhead().position

    @property
    def seconds(self) -> float:
        """The position that is heard now, in seconds."""
        return self._inside(self.samples / SAMPLE_RATE)

    @property
    def length(self) -> float:
        """Length of the present sound in seconds; 0 without one."""
        if self.sound >= len(self._sounds):
            return 0.0
        return self._sounds[self.sound][0].frames * HOP / SAMPLE_RATE

    @property
    def loop(self) -> tuple[float, float] | None:
        """The region that repeats, in seconds of the present sound; None: play to the end. May be set."""
        return self._loop

    @loop.setter
    def loop(self, region: tuple[float, float] | None) -> None:
        self._loop = None if region is None else (self._inside(min(region)), self._inside(max(region)))
        self._player.set_loop(self._loop_in_samples())

    @property
    def speed(self) -> float:
        """1 plays as recorded, 1/8 is the slowest; the pitch stays. May be set."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._speed = min(max(speed, SLOWEST), FASTEST)
        self._player.set_speed(self._speed)

    @property
    def volume(self) -> float:
        """0..1. May be set."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._volume = min(max(volume, 0.0), 1.0)
        self._player.set_volume(self._volume)

    def devices(self) -> list[Device]:
        """Outputs to choose from; empty without a sound system. Takes up to a second: call it when a menu opens."""
        try:
            return [device for device in list_devices() if channels_of(device, "output")]
        except PonticelloError:
            return []

    def use(self, device: str | None) -> None:
        """Play on a device, by number or part of its name; None for the system's default.

        It is opened in a thread. A `transport` event reports success, an `error` event the reason for a failure.
        """
        threading.Thread(target=self._open, args=(device,), name="opening", daemon=True).start()

    def _open(self, device: str | None) -> None:
        try:
            self._opened.put(CardPlayer(find_device(device, "output", list_devices())))
        except PonticelloError as error:
            self._opened.put(str(error))

    @property
    def underflows(self) -> int:
        """Number of blocks that were played late since the device was opened."""
        return self._player.underflows

    def load(self, sounds: list[tuple[CorpusSound, Path | None]]) -> None:
        """Use these sounds. They are decoded in a thread; a `sounds` event reports each one that is ready.

        A path is None if the file is missing; its sound stays silent.
        """
        present = self._sounds[self.sound][0].sha256 if self.sound < len(self._sounds) else ""
        self._sounds = list(sounds)
        hashes = [sound.sha256 for sound, _ in sounds]
        if present not in hashes:
            self.stop()
            self.sound, self._position, self._loop = 0, 0.0, None
        else:
            self.sound = hashes.index(present)
        self._decoding.set()
        self._decoding = ended = threading.Event()
        threading.Thread(target=self._decode, args=(self._sounds, ended), name="decoding", daemon=True).start()

    def _decode(self, sounds: list[tuple[CorpusSound, Path | None]], ended: threading.Event) -> None:
        def advance(_: int, __: int) -> None:
            if ended.is_set():
                raise _NotWantedError

        for sound, path in sounds:
            if path is None or sound.sha256 in self._decoded:
                continue
            try:
                decoded = decode(path, sound.sha256, sound.channel, advance)
                decoded.peaks  # noqa: B018  # read here, not by the window
            except _NotWantedError:
                return
            except (PonticelloError, OSError, MemoryError) as error:
                self._events.send("error", str(error))
                continue
            self._decoded[sound.sha256] = decoded
            self._events.send("sounds")

    def envelope(self, sound: int, start: float, end: float, columns: int) -> Float32[np.ndarray, "columns 2"] | None:
        """Minimum and maximum in each of `columns` equal parts of start..end; None while the sound is being decoded."""
        decoded = self._decoded.get(self._sounds[sound][0].sha256) if sound < len(self._sounds) else None
        return None if decoded is None else decoded.envelope(start, end, columns)

    def poll(self) -> None:
        """Process reports of the sound card: it is open, it is gone, the sound has ended."""
        while not self._opened.empty():
            self._take(self._opened.get())
        if self._card is not None and self._card.over:
            self._take("the sound device is gone; choose another one")
        if self.state == "stopped":
            return
        if self._player is self._clock and self._can_be_heard():  # it is decoded, or the card is open
            position, state = self.samples, self.state
            player = self._with_sound(self.sound)
            if state == "playing":
                player.play(position)
            else:
                player.scrub(position)
        head = self._player.playhead()
        if not head.is_moving:
            self._position = head.position
            self._become("stopped")

    def close(self) -> None:
        """Close the sound card."""
        self._decoding.set()
        while not self._opened.empty():
            self._take(self._opened.get())
        if self._card is not None:
            self._card.close()

    def _take(self, opened: CardPlayer | str) -> None:
        """Use the device that was opened, or report why none is."""
        if isinstance(opened, str) and self._card is not None and not self._card.over:
            self._events.send("error", opened)  # the one that plays goes on
            return
        position, state = self.samples, self.state
        if self._card is not None:
            self._card.close()
        self._card = None if isinstance(opened, str) else opened
        self.silent = f"silent: {opened}" if isinstance(opened, str) else ""
        self._player, self._loaded = self._clock, ""
        if state != "stopped":
            player = self._with_sound(self.sound)
            if state == "playing":
                player.play(position)
            else:
                player.scrub(position)
        if self.silent:
            self._events.send("note", self.silent)
        self._events.send("transport")

    def _choose(self, sound: int) -> None:
        if sound != self.sound:
            self.sound = min(max(sound, 0), len(self._sounds) - 1)
            self._loop = None

    def _can_be_heard(self) -> bool:
        return self._card is not None and self._sounds[self.sound][0].sha256 in self._decoded

    def _with_sound(self, sound: int) -> GrainPlayer:
        """The player for a sound, loaded with it: the sound card if the sound can be heard, else the clock."""
        self._choose(sound)
        facts = self._sounds[self.sound][0]
        decoded = self._decoded.get(facts.sha256)
        player: GrainPlayer = self._clock if self._card is None or decoded is None else self._card
        if player is not self._player or facts.sha256 != self._loaded:
            self._player.stop()
            self._player, self._loaded = player, facts.sha256
            if decoded is None:
                player.load(Path(), facts.frames * HOP)
            else:
                player.load(decoded.file, decoded.samples)
            player.set_speed(self._speed)
            player.set_volume(self._volume)
            player.set_loop(self._loop_in_samples())
        return player

    def _loop_in_samples(self) -> tuple[int, int] | None:
        return None if self._loop is None else (round(self._loop[0] * SAMPLE_RATE), round(self._loop[1] * SAMPLE_RATE))

    def _inside(self, seconds: float) -> float:
        return min(max(seconds, 0.0), self.length)

    def _become(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._events.send("transport")


class _NotWantedError(Exception):
    """Other sounds are wanted than those that are being decoded."""
