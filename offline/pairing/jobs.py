"""Jobs: long work in the background, with the code of the commands, progress and cancellation."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from offline.candidates.drawing import draw_candidates, next_draw
from offline.corpus.corpus import make_corpus
from offline.new import new
from offline.pairing.children import Child, live_command, render_command
from offline.pairing.missing import found, sound_file
from offline.pairing.project import Project
from offline.pairing.session import Pairing
from offline.progress import Advance, reporting
from offline.train import train
from shared.background import Background, Then
from shared.errors import Stopped, UserError
from shared.mapping.regression import Training
from shared.preset import Preset
from shared.preset.places import OWN

if TYPE_CHECKING:
    from offline.pairing.studio import Studio

JobKind = Literal["new", "sounds", "candidates", "training", "map", "render", "live"]
TITLES: dict[str, str] = {
    "new": "New preset",
    "sounds": "Analysing",
    "candidates": "Making images",
    "training": "Training",
    "map": "Drawing map.png",
    "render": "Rendering",
    "live": "Live",
}
REPORTED_S = 0.1  # between two reports of progress


@dataclass(frozen=True)
class Progress:
    """The progress of a job. done and total: steps; total is 0 while unknown. text: the present task, or the outcome.

    state: running, done, cancelled or failed (an `error` event gives the reason).
    """

    kind: JobKind
    text: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    state: Literal["running", "done", "cancelled", "failed"] = "running"


@dataclass(frozen=True)
class Fit:
    """A finished training: number of pairs, orders of magnitude by which the loss fell, seconds, and pairs not learned."""

    pairs: int
    orders: float
    seconds: float
    unlearned: tuple[str, ...]


class RunningJob:
    """A running job, as a reporter of its progress: sends events, and ends the work if it was cancelled."""

    def __init__(self, studio: "Studio", kind: JobKind) -> None:
        self._studio = studio
        self.progress = Progress(kind, TITLES[kind])
        self.is_cancelled = False
        self._reported = 0.0

    def begin(self, what: str, total: int) -> Advance:
        """Begin work of `total` steps."""
        start = time.monotonic()
        title = TITLES[self.progress.kind]
        text = title if what in title.lower() else f"{title}: {what}"

        def advance(done: int, /) -> None:
            if self.is_cancelled:
                raise Stopped(f"{title} was cancelled")
            now = time.monotonic()
            if total and done >= total:  # what follows has not said how long it takes
                self.report(replace(self.progress, text=text, done=0, total=0, seconds_left=None))
            elif now - self._reported >= REPORTED_S:
                left = (now - start) * (total - done) / done if done else None
                self.report(replace(self.progress, text=text, done=done, total=total, seconds_left=left))

        advance(0)
        return advance

    def say(self, line: str) -> None:
        """Show a line to the user."""
        self._studio.events.send("note", line)

    def report(self, progress: Progress) -> None:
        """Send the progress."""
        self.progress = progress
        self._reported = time.monotonic()
        self._studio.events.send("progress", progress)


class Jobs:
    """Methods return immediately; `progress` events follow. Of training requests, the newest one counts."""

    def __init__(self, studio: "Studio") -> None:
        self._studio = studio
        self._running: dict[str, RunningJob] = {}
        self._children: dict[str, Child] = {}
        self._work, self._training = Background("work"), Background("training")
        for background in (self._work, self._training):
            background.start()
        self._learned: tuple[str, Training | None] = (
            "",
            None,
        )  # the last training request: digest of the pairs, settings
        self._known: Project | None = None
        self.train_on_drop = True
        studio.events.on("preset", self._note_pairs)
        studio.events.on("pairs", self._train_if_changed)
        studio.events.on("training", self._train_as_set)
        self.is_warm = False
        """Whether torch is imported and a first fit done: the next one takes its usual time."""

    @property
    def running(self) -> list[Progress]:
        """The running jobs."""
        return [job.progress for job in self._running.values()]

    def cancel(self, kind: JobKind) -> None:
        """Cancel a job; finished parts stay usable."""
        if (job := self._running.get(kind)) is not None:
            job.is_cancelled = True
        if (child := self._children.get(kind)) is not None:
            child.end()

    def new(self, folder: Path, generator: Path | str) -> None:
        """Make a preset around a generator file (.safetensors) or a shipped preset's generator (its name), and open it."""

        def work(_: RunningJob) -> Then:
            if folder.parent == OWN:  # the proposed folder does not exist at first
                OWN.mkdir(parents=True, exist_ok=True)
            path = Path(generator)
            file = path if path.suffix or path.is_file() else Preset.load(str(generator)).for_pairing.generator_path
            new(folder, file)
            return lambda: self._studio.open(folder)

        self._start(self._work, "new", work)

    def add_sounds(self, paths: Sequence[Path]) -> None:
        """Analyse sounds and map them together with the present ones."""
        self._make_corpus(list(paths), None)

    def remove_sound(self, number: int) -> None:
        """Remove a sound, and map the others again."""
        self._make_corpus([], number)

    def _make_corpus(self, added: list[Path], removed: int | None) -> None:
        project = self._project()
        preset = project.writable()
        sounds: list[Path] = []
        channels: list[int | None] = []
        seed = 0
        if project.corpus is not None:
            seed = project.corpus.facts.seed
            for number, sound in enumerate(project.corpus.facts.sounds):
                if number == removed:
                    continue
                if found(preset, sound) is None:
                    raise UserError(
                        f"the sound {sound_file(preset, sound)} is missing; point to it, or remove it, first"
                    )
                sounds.append(sound_file(preset, sound))
                channels.append(sound.channel)
        for path in added:
            if (resolved := path.expanduser().resolve()) not in sounds:
                sounds.append(resolved)
                channels.append(None)
        if not sounds:
            raise UserError("this is the only sound; add another one before you remove it")

        def work(_: RunningJob) -> Then:
            make_corpus(preset, sounds, seed=seed, channels=channels)
            pairing = Pairing(Preset.load(preset.folder))
            if len(pairing.pairs):
                pairing.draw()
            return project.take_up

        self._start(self._work, "sounds", work)

    def make_candidates(self, count: int = 500) -> None:
        """Make `count` more images; they appear as they are made (`candidates` events). 0: only those with missing files."""
        project = self._project()
        preset = project.writable()

        def work(_: RunningJob) -> Then:
            draw_candidates(preset, next_draw(preset, count))
            return project.take_up

        self._start(self._work, "candidates", work)

    def train(self) -> None:
        """Train the mapping on the pairs. Happens automatically after each change of the pairs while `train_on_drop` is set."""
        project = self._project()
        preset, pairs = project.writable(), project.learned_from
        self._learned = pairs.digest, project.training
        if (before := self._running.get("training")) is not None:
            before.is_cancelled = True  # only the newest pairs matter

        def work(_: RunningJob) -> Then:
            start = time.monotonic()
            trained = train(preset)
            fit = Fit(len(pairs), trained.orders, time.monotonic() - start, tuple(trained.unlearned))

            def then() -> None:
                project.take_up()
                self._studio.events.send("trained", fit)

            return then

        self._start(self._training, "training", work)

    def render(self, sound: int, start: float, end: float, output: Path, shape: str = "square") -> None:
        """Render a region of a sound (seconds) to a video: `ponticello render --shape SHAPE`, with progress."""
        project = self._project()
        project.flush()
        if project.corpus is None or (path := found(project.preset, project.corpus.facts.sounds[sound])) is None:
            raise UserError("the sound of this region is missing; point to it first")
        facts = project.corpus.facts.sounds[sound]
        command = render_command(project.preset.folder, path, facts.channel, start, end, output, shape)
        self._start_child("render", command)

    def play_live(self, shape: str = "window") -> None:
        """Open `ponticello live PRESET --shape SHAPE` beside the window."""
        project = self._project()
        project.flush()
        if not project.preset.for_playing.is_direct and not project.is_trained:
            raise UserError("the mapping is not trained on these pairs yet; place images, or wait for the training")
        self._start_child("live", live_command(project.preset.folder, shape))

    def draw_map(self) -> None:
        """Draw map.png for the present pairs."""
        draw = self._project().map_job()

        def work(_: RunningJob) -> Then:
            draw()
            return lambda: None

        self._start(self._work, "map", work)

    def poll(self) -> None:
        """Complete jobs that have ended, on the window's thread."""
        for background in (self._training, self._work):
            for then in background.done():
                then()
        for kind, child in list(self._children.items()):
            job = self._running[kind]
            for what, done, total in child.progress():
                job.is_cancelled = False
                job.begin(what, total)(done)
            if (status := child.status()) is not None:
                del self._children[kind]
                self._finish(job, "done" if status == 0 else "cancelled" if child.is_ended else "failed")
                if status != 0 and not child.is_ended:
                    self._studio.events.send("error", child.last_line())

    def close(self) -> None:
        """Cancel all jobs and wait for their ends."""
        for job in self._running.values():
            job.is_cancelled = True
        for kind, child in self._children.items():
            if kind != "live":  # a show continues without the window
                child.end()
        for background in (self._training, self._work):
            background.close()

    def _project(self) -> Project:
        if self._studio.project is None:
            raise UserError("no preset is open; open one, or make a new one")
        return self._studio.project

    def _start(self, background: Background, kind: JobKind, work: Callable[[RunningJob], Then]) -> None:
        if kind != "training" and kind in self._running:
            raise UserError(f"{TITLES[kind]} is still going on; wait for its end, or cancel it")
        job = self._running[kind] = RunningJob(self._studio, kind)
        job.report(job.progress)

        def run() -> Then:
            if job.is_cancelled:
                return partial(self._finish, job, "cancelled")
            try:
                with reporting(job):
                    then = work(job)
            except Stopped:
                return partial(self._finish, job, "cancelled")

            def finish() -> None:
                then()
                self._finish(job, "done")

            return finish

        def failed(line: str) -> None:
            self._finish(job, "failed")
            self._studio.events.send("error", line)

        background.do(run, failed, kind)

    def _start_child(self, kind: JobKind, command: list[str]) -> None:
        if kind in self._running:
            raise UserError(f"{TITLES[kind]} is still going on; wait for its end, or cancel it")
        self._children[kind] = Child(command)
        job = self._running[kind] = RunningJob(self._studio, kind)
        job.report(job.progress)

    def _finish(self, job: RunningJob, state: Literal["done", "cancelled", "failed"]) -> None:
        if self._running.get(job.progress.kind) is job:
            del self._running[job.progress.kind]
        job.report(replace(job.progress, state=state, text=f"{TITLES[job.progress.kind]}: {state}", seconds_left=None))
        if job.progress.kind == "candidates" and self._studio.project is not None:
            self._studio.project.take_up()

    def _note_pairs(self) -> None:
        """Pairs of a preset that is opened are not trained automatically; a copy made for a change is the same preset."""
        project = self._studio.project
        if project is not self._known:
            self._known = project
            self._learned = ("", None) if project is None else (project.learned_from.digest, project.training)

    def _train_if_changed(self) -> None:
        project = self._studio.project
        if project is None or not self.train_on_drop or not len(project.learned_from):
            return
        if project.learned_from.digest != self._learned[0] and not project.is_trained:
            self.train()

    def _train_as_set(self) -> None:
        """Train with other settings, if there are pairs."""
        project = self._studio.project
        if project is None or not len(project.learned_from):
            return
        if (project.learned_from.digest, project.training) != self._learned:
            self._studio.attempt(self.train)

    def warm_up(self) -> None:
        """Import torch and fit once, beside the window: the first fit of a process takes more than a second longer.

        Call it when the window is painted: until then it would only be in the way.
        """
        self._training.do(self._first_fit, lambda line: self._studio.events.send("error", line))

    def _first_fit(self) -> Then:
        import numpy as np

        from shared.mapping.regression import MLPRegressor, Training

        numbers = np.random.default_rng(0)
        descriptors, latents = numbers.standard_normal((2, 23)), numbers.standard_normal((2, 8)).astype(np.float32)
        MLPRegressor.fit(descriptors, latents, Training(epochs=2))
        self.is_warm = True
        return lambda: None
