"""Which process runs which tests, where pytest-xdist runs them in several."""

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).parent.parent
REAL_TIME = re.compile(r"\brig\.(jack|xvfb|sclang|pd)\(|\bfrom tests\.live\.(shows|osc_client) import\b")

KEPT = 2  # a process keeps its last tests until it gets more or has to end


@cache
def plays_in_real_time(file: str) -> bool:
    """Whether tests of a file, a path from the root, need the whole machine."""
    return bool(REAL_TIME.search((ROOT / file).read_text("utf-8")))


class RealTimeLast(LoadFileScheduling):
    """Share files of tests out among the processes; those in real time come last, in one process, when the others end.

    Real time: programs of `tests/rig.py`, shows paced by the clock, and OSC. They need the whole machine.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "real time" if plays_in_real_time(file) else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        if "real time" in self.workqueue:
            self.workqueue.move_to_end("real time")
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        others = [other for other in self.nodes if other is not node and not other.shutting_down]
        if list(self.workqueue) != ["real time"] or not others:
            super()._reschedule(node)
        elif self._pending_of(self.assigned_work[node]) <= KEPT:
            node.shutdown()
