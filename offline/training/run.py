"""A training run, from its first iteration or its newest snapshot to its end or a stop."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from offline.prefetch import prefetch
from offline.training.alarm import Alarm
from offline.training.batches import Batches, Images
from offline.training.configuration import Configuration
from offline.training.grids import COLUMNS, ROWS, generated, write_grid
from offline.training.iteration import Iteration, Progress
from offline.training.processes import ALONE, Processes
from offline.training.run_folder import BEST_FILE, Best, RunFolder, write_generator
from offline.training.score.scores import FEWEST, SCORED, Scorer, Scores
from offline.training.start import Source, begin
from shared.errors import Failure, ModelError
from shared.image.device import set_card_numerics
from shared.image.memory import keep_memory

AHEAD = 2  # batches that are read ahead
SNAPSHOT_S = 900.0


@dataclass(frozen=True)
class Report:
    """The state of a run after some iterations; `floor` are the scores of other real images."""

    progress: Progress
    seconds_per_kimg: float | None
    scores: Scores
    floor: Scores
    warnings: list[str]

    def line(self) -> dict[str, object]:
        """The report as the log keeps it."""
        return {
            "iteration": self.progress.iteration,
            "kimg": self.progress.images / 1000,
            "seconds_per_kimg": self.seconds_per_kimg and round(self.seconds_per_kimg, 3),
            "time": round(time.time(), 3),
            "p": self.progress.p,
            "losses": self.progress.losses,
            "scores": self.scores.as_dict(),
            "real_scores": self.floor.as_dict(),
            "warnings": self.warnings,
        }


@dataclass(frozen=True)
class Listener:
    """What a run calls: with the number of iterations done, each report, a line for the user, and to ask for a stop."""

    on_iteration: Callable[[int], None] = lambda _: None
    on_report: Callable[[Report], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None
    is_stopped: Callable[[], bool] = lambda: False


class TrainingRun:
    """The networks, the data and the folder of a run. The folder's settings are in place when it is made."""

    def __init__(
        self,
        configuration: Configuration,
        images: Images,
        folder: RunFolder,
        device: torch.device,
        *,
        processes: Processes = ALONE,
        source: Source | None = None,
    ) -> None:
        keep_memory()
        set_card_numerics()
        torch.set_num_threads(configuration.threads)
        self.configuration, self.folder, self.processes = configuration, folder, processes
        self.networks = begin(configuration, source, device)
        restored = folder.restore(self.networks)
        progress, self._best = restored or (Progress(p=configuration.augment_p or 0.0), Best())
        self.is_resumed = restored is not None
        if processes.is_first:
            folder.rewind(progress)
        else:
            progress.sign_sum, progress.sign_count = 0.0, 0  # the first process holds the sums of all
        self.iteration = Iteration(self.networks, progress, processes)
        self.batches = Batches(configuration, images, device)
        self._image_count = len(images)
        self._scorer: Scorer | None = None
        self._alarm = Alarm(configuration)
        self._said: set[str] = set()  # why a snapshot or its generator was not written

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return self.iteration.progress

    def train(self, listener: Listener, snapshot_s: float = SNAPSHOT_S) -> bool:
        """Iterate to the end of the run, with a snapshot each `snapshot_s` seconds and at the end or stop.

        Returns whether the end was reached.
        """
        progress, last = self.progress, self.configuration.iterations
        saved = time.monotonic()
        pace = Pace()
        saved_at = progress.iteration if self.is_resumed else -1
        is_stopped = False
        samples = self.processes.samples(self.configuration.batch)
        with closing(self._read_ahead(progress.iteration, last, samples)) as images:
            for reals in images:
                self.iteration.run(self.batches.batch(progress.iteration, samples, reals))
                pace.begin(progress.images)
                listener.on_iteration(progress.iteration)
                if self.configuration.is_tick(progress.iteration) and self.processes.is_first:
                    with pace.paused():
                        self._attempt(listener, partial(self._report, pace.seconds_per_kimg(progress.images)))
                is_due = time.monotonic() - saved >= snapshot_s
                is_stopped, is_due = self._agreed(listener.is_stopped(), is_due)
                if is_stopped:
                    break
                if is_due:
                    with pace.paused():
                        is_saved = self._attempt(listener, self._save)
                        (is_failed,) = self._agreed(not is_saved)  # only the first process writes
                    saved = time.monotonic()
                    if not is_failed:
                        saved_at = progress.iteration
        if progress.iteration != saved_at:
            self._save(listener)
        return progress.iteration >= last

    def _save(self, listener: Listener) -> None:
        """Write a snapshot, the averaged generator and a grid of its images. Every process takes part."""
        progress = self.progress
        sign_sum, sign_count = self.processes.sums(progress.sign_sum, progress.sign_count)
        if not self.processes.is_first:
            return
        whole = replace(progress, sign_sum=sign_sum, sign_count=int(sign_count))
        try:
            self.folder.save(self.networks, whole, self._best)
        except ModelError as error:  # the run has diverged: the next snapshots will fail alike
            reason = str(error).partition(":")[0]
            if reason not in self._said:
                self._said.add(reason)
                listener.say(str(error))
            return
        fakes = generated(self.networks.averaged, self.batches, COLUMNS * ROWS, "grid")
        write_grid(self.folder.path / f"fakes-{progress.images / 1000:08.1f}.png", fakes)

    def _attempt(self, listener: Listener, write: Callable[[Listener], None]) -> bool:
        """Write files. A full disk does not end the run: later files may find room. Returns whether all are written."""
        try:
            write(listener)
        except Failure as error:
            listener.say(f"{error}; the run goes on and tries again later")
            return False
        return True

    def _read_ahead(self, first: int, last: int, samples: range) -> Generator[Tensor, None, None]:
        return prefetch((self.batches.images(number, samples) for number in range(first, last)), AHEAD)

    def _agreed(self, *wishes: bool) -> tuple[bool, ...]:
        """Each wish of any process."""
        return tuple(total > 0 for total in self.processes.sums(*map(float, wishes)))

    def _report(self, seconds_per_kimg: float | None, listener: Listener) -> None:
        if self._scorer is None:
            write_grid(self.folder.path / "reals.png", self.batches.reals(COLUMNS * ROWS))
            count = min(SCORED, self._image_count // 2)
            parts = 2 if count >= FEWEST else 1
            count = count if parts == 2 else self._image_count
            reals, others = (self.batches.reals(count, part=part % parts, parts=parts) for part in (0, 1))
            self._scorer = Scorer(reals, others)
        fakes = generated(self.networks.averaged, self.batches, max(self._scorer.count, FEWEST), "score")
        scores = self._scorer(fakes)
        progress = replace(self.progress, losses=dict(self.progress.losses))
        warnings = self._alarm.warnings(progress, scores)
        report = Report(progress, seconds_per_kimg, scores, self._scorer.floor, warnings)
        listener.on_report(report)  # before the log, which a full disk may refuse
        self.folder.log(report.line())
        if self._best.distance is None or scores.gabor_frechet < self._best.distance:
            try:
                write_generator(self.folder.path / BEST_FILE, self.networks.averaged)
            except ModelError:  # not finite: no better than the best before
                return
            self._best = Best(scores.gabor_frechet, progress.images / 1000)


class Pace:
    """Seconds for a thousand images since the first iteration, which compiles; reports and snapshots do not count."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._first = 0

    def begin(self, images: int) -> None:
        """Start at this number of images, unless it has begun."""
        if self._started is None:
            self._started, self._first = time.monotonic(), images

    def seconds_per_kimg(self, images: int) -> float | None:
        """The mean, None where no iteration was measured yet."""
        if self._started is None or images == self._first:
            return None
        return (time.monotonic() - self._started) / (images - self._first) * 1000

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A context whose time does not count."""
        began = time.monotonic()
        yield
        if self._started is not None:
            self._started += time.monotonic() - began
