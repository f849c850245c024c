"""The studio without its window: everything that the window shows and does, in plain classes without a GUI toolkit.

    studio = Studio()
    studio.events.on("pairs", window.redraw_pairs)
    studio.open("my-piece")
    studio.poll()                         # on a timer of the window, about 30 times a second

A Studio is used by one thread, the one that calls `poll`. Long work runs in other threads and reports through `events`.
Methods that change the preset write it immediately and may raise UserError or Failure; `attempt` turns these into an `error`
event.

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
    """One open preset, or none, and its film, sound and jobs.

    output: the sound device to play on, by number or part of its name; None for the system's default. Without a sound card,
    `transport.silent` gives the reason, and everything else works, timed by the clock.
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

        Sends `preset`, then `corpus`, `candidates` and `pairs`. On an error, the previous preset stays open.
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
        """Write unwritten changes, stop the sound and end all work. Asks nothing and loses nothing."""
        self.jobs.close()
        if self.project is not None:
            self.project.flush()
        self.film.close()
        if self.microphone is not None:
            self.microphone.close()
        self.transport.close()

    def poll(self) -> None:
        """Process finished work, reports of the sound card, and changes by commands in a terminal.

        Delivers the events on this thread. Takes well below a millisecond if nothing happened.
        """
        self.transport.poll()
        self.jobs.poll()
        if self.project is not None:
            self.project.poll()
            if self.project.map_is_due and not any(job.kind in ("map", "training") for job in self.jobs.running):
                self.jobs.draw_map()
        self.events.deliver()

    def attempt(self, action: Callable[..., T], *values: Any) -> T | None:
        """Call it and return its result. An error becomes an `error` event of one line, and the result None."""
        try:
            return action(*values)
        except (PonticelloError, OSError) as error:
            self.events.send("error", one_line(error))
            return None

    @property
    def row(self) -> int | None:
        """The row of the corpus at the playhead; in a silence, the last row that sounded."""
        if self.board is None:
            return None
        return self.board.row_of(self.transport.sound, self.transport.seconds)

    @property
    def missing(self) -> list[Missing]:
        """Files that the preset names but that are missing: generator, sounds, candidates' images."""
        return [] if self.project is None else missing_files(self.project.preset)

    def relocate(self, missing: Missing, path: Path) -> None:
        """Set the new path of a missing file. Raises UserError if it is another file, by its SHA-256."""
        if self.project is not None:
            relocate(self.project.writable(), missing, path)
            self.project.take_up()

    def listen(self, device: str | None = None, channel: int = 1) -> None:
        """Show a live input as a dot on the map, at `microphone.place`.

        It is opened in a thread; if that fails, an `error` event gives the reason.
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
        """Close the live input."""
        if self.microphone is not None:
            self.microphone.close()
            self.microphone = None
