"""The studio without its window: all that the window shows and does, in plain classes. It knows no toolkit.

    studio = Studio()
    studio.events.on("pairs", window.redraw_pairs)
    studio.open("my-piece")
    studio.poll()                         # on a timer of the window, about 30 times a second

One thread uses a Studio: the one that calls `poll`. Long work runs beside it and reports through `events`. Methods that
change the preset write it at once and may raise UserError or Failure; `attempt` turns these into an `error` event.

    studio.project       the open preset: pairs, candidates, settings, undo and redo      project.py
    studio.board         the sounds on their map, territories, gaps, film strip           storyboard.py
    studio.transport     hearing: play, scrub, loop, slow motion                          transport.py
    studio.film          pictures: mock-up and generator at the playhead                  film.py
    studio.jobs          long work: sounds, candidates, training, rendering               jobs.py
    studio.microphone    a live input as a place on the map                               microphone.py
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from offline.pairing.events import Events
from offline.pairing.film import Film
from offline.pairing.jobs import Jobs
from offline.pairing.microphone import Microphone
from offline.pairing.missing import Missing, found, missing_files, relocate
from offline.pairing.project import Project
from offline.pairing.storyboard import Storyboard
from offline.pairing.transport import Transport
from shared.errors import PonticelloError, UserError, one_line
from shared.sound_card.client import Device, list_devices
from shared.sound_card.devices import channels_of

T = TypeVar("T")


class Studio:
    """One open preset, or none, and everything around it.

    output: the sound device to play on, by number or part of its name; None: the system's default. Where there is no
    sound card, `transport.silent` says why, and everything else works in the time of the clock.
    """

    def __init__(self, output: str | None = None) -> None:
        self.events = Events()
        self.events.on("corpus", self._follow_corpus)
        self.events.on("pairs", self._follow_pairs)
        self.project: Project | None = None
        self.board: Storyboard | None = None
        self.transport = Transport(self.events, output)
        self.film = Film(self)
        self.jobs = Jobs(self)
        self.microphone: Microphone | None = None

    def open(self, path: str | Path) -> None:
        """Open a preset by path or name; a shipped one is copied at the first change. Raises UserError if it cannot be opened.

        Sends `preset`, then `corpus`, `candidates` and `pairs`. What was open stays open where the new one fails.
        """
        project = Project(path, self.events)
        if self.project is not None:
            self.project.flush()
        self.project = project
        for name in ("preset", "corpus", "candidates", "pairs", "settings", "history", "missing"):
            self.events.send(name)
        self._follow_corpus()
        self._follow_pairs()

    def _follow_corpus(self) -> None:
        corpus = None if self.project is None else self.project.corpus
        if self.project is None or corpus is None:
            self.board = None
            self.transport.load([])
            return
        if self.board is None or self.board.corpus is not corpus:
            self.board = Storyboard(corpus, self.project.tree)
            self._follow_pairs()
        self.transport.load([(sound, found(self.project.preset, sound)) for sound in corpus.facts.sounds])

    def _follow_pairs(self) -> None:
        if self.project is not None and self.board is not None:
            self.board.set_pairs(self.project.pairs)

    def close(self) -> None:
        """Write what is not written yet, stop the sound and all work. Never asks, never loses anything."""
        self.jobs.close()
        if self.project is not None:
            self.project.flush()
        self.film.close()
        if self.microphone is not None:
            self.microphone.close()
        self.transport.close()

    def poll(self) -> None:
        """Take up what happened: finished work, reports of the sound card, changes by commands in a terminal.

        Delivers the events on this thread. Takes well below a millisecond where nothing happened.
        """
        self.transport.poll()
        self.jobs.poll()
        if self.project is not None:
            self.project.poll()
            if self.project.map_is_due and not any(job.kind in ("map", "training") for job in self.jobs.running):
                self.jobs.draw_map()
        self.events.deliver()

    def attempt(self, action: Callable[..., T], *values: Any) -> T | None:
        """Do it; an error becomes an `error` event of one line, and None is returned."""
        try:
            return action(*values)
        except (PonticelloError, OSError) as error:
            self.events.send("error", one_line(error))
            return None

    @property
    def row(self) -> int | None:
        """The sounding frame at the playhead, as a row of the corpus; of a silent moment, the last that sounded."""
        if self.board is None:
            return None
        return self.board.row_of(self.transport.sound, self.transport.seconds)

    @property
    def missing(self) -> list[Missing]:
        """Files that the preset names and that are not where they were: generator, sounds, candidates' images."""
        return [] if self.project is None else missing_files(self.project.preset)

    def relocate(self, missing: Missing, path: Path) -> None:
        """Point to where a missing file is now. Raises UserError if it is another file (by its SHA-256)."""
        if self.project is not None:
            relocate(self.project.writable(), missing, path)
            self.project.take_up()

    def listen(self, device: str | None = None, channel: int = 1) -> None:
        """Show a live input as a dot on the map: `microphone.place`. It is opened beside the window; an `error` event says
        why it cannot be.
        """
        if self.project is None or self.board is None:
            raise UserError("no sounds yet; a live input is shown on the map of a sound")
        self.stop_listening()
        self.microphone = Microphone(self, device, channel)

    def inputs(self) -> list[Device]:
        """Live inputs to choose from; empty without a sound system. Takes up to a second: call it when a menu opens."""
        try:
            return [device for device in list_devices() if channels_of(device, "input")]
        except PonticelloError:
            return []

    def stop_listening(self) -> None:
        """Free the live input."""
        if self.microphone is not None:
            self.microphone.close()
            self.microphone = None
