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
    """Share files of tests out among the processes. Those in real time come last, in one process; the others end first.

    Real time: programs of `tests/rig.py`, shows paced by the clock, and OSC. They need the whole machine.
    """

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        if node.shutting_down:  # another process may wait for its last test
            for other in self.nodes:
                self._reschedule(other)

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "real time" if plays_in_real_time(file) else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        if "real time" in self.workqueue:
            self.workqueue.move_to_end("real time")
        if self._is_real_time_left and any(self._pending_of(self.assigned_work[other]) for other in self._others(node)):
            return
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        are_others_active = any(not other.shutting_down for other in self._others(node))
        if self._is_real_time_left and are_others_active and not node.shutting_down:
            if self._pending_of(self.assigned_work[node]) <= KEPT:
                node.shutdown()
        else:
            super()._reschedule(node)

    @property
    def _is_real_time_left(self) -> bool:
        """Whether only tests in real time wait for a process."""
        return list(self.workqueue) == ["real time"]

    def _others(self, node: WorkerController) -> list[WorkerController]:
        return [other for other in self.nodes if other is not node]
