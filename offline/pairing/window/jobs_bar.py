"""The bar for long jobs: the present one, its progress, and a button to cancel it."""

from PySide6.QtWidgets import QProgressBar, QWidget

from offline.pairing.jobs import JobKind, Progress
from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.parts import button, label, row

QUIET: tuple[JobKind, ...] = ("training", "map", "live")
"""Kinds of jobs that are too short for the bar."""


COUNTED = 10_000  # steps; of more (samples of a sound) the share is shown


class JobsBar(QWidget):
    """A line for the running job; hidden if there is none."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setObjectName("jobs")
        self.studio = studio
        self._kind: JobKind | None = None
        self.text = label()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.left = label("", "small")
        self.left.setMinimumWidth(150)
        self.cancel = button("Cancel", self._cancel, "End it; what is finished stays")
        layout = row(self.text, self.bar, self.left, self.cancel, margins=(theme.GAP + 4, 2, theme.GAP, 2), gap=12)
        layout.setStretch(1, 1)
        self.setLayout(layout)
        self.hide()

    def refresh(self) -> None:
        """Show the running jobs."""
        loud = [job for job in self.studio.jobs.running if job.kind not in QUIET]
        self.setVisible(bool(loud))
        self._kind = loud[0].kind if loud else None
        if not loud:
            return
        job = loud[0]
        self.text.setText(job.text + (f"   (and {len(loud) - 1} more)" if len(loud) > 1 else ""))
        self.bar.setRange(0, job.total)  # 0 of 0: it moves to and fro
        self.bar.setValue(job.done)
        self.left.setText(time_left(job))

    def _cancel(self) -> None:
        if self._kind is not None:
            self.studio.attempt(self.studio.jobs.cancel, self._kind)


def time_left(job: Progress) -> str:
    """The progress in words."""
    share = f"{100 * job.done // job.total} %" if job.total > COUNTED else f"{job.done} of {job.total}"
    counted = share if job.total else ""
    if job.seconds_left is None:
        return counted
    seconds = round(job.seconds_left)
    left = f"{seconds} s left" if seconds < 90 else f"{round(seconds / 60)} min left"
    return f"{counted}, {left}" if counted else left
