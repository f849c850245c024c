"""Tests in real time come last, in one process, when the others have ended."""

from types import SimpleNamespace

import pytest

from tests.scheduling import RealTimeLast, plays_in_real_time

REAL_TIME = [f"tests/house/test_rig.py::test_{number}" for number in range(3)]


class Process:
    """A worker of pytest-xdist that runs its tests when it is asked to: all but the last, which waits for more or the end."""

    def __init__(self):
        self.gateway = SimpleNamespace(id="process")
        self.waiting = []
        self.shutting_down = False

    def send_runtest_some(self, indices):
        self.waiting += indices

    def shutdown(self):
        self.shutting_down = True

    @property
    def can_run(self):
        return len(self.waiting) > (0 if self.shutting_down else 1)


def ran(tests, turns, count=2):
    """Each test as it begins, with the number of tests that the other processes have not ended. turns: who runs next."""
    config = SimpleNamespace(getvalue=lambda _: ["popen"] * count, option=SimpleNamespace(loadscopereorder=True))
    scheduler = RealTimeLast(config)
    processes = [Process() for _ in range(count)]
    for process in processes:
        scheduler.add_node(process)
        scheduler.add_node_collection(process, tests)
    scheduler.schedule()
    found = []
    while able := [process for process in processes if process.can_run]:
        process = able[turns(len(able))]
        test = process.waiting.pop(0)
        others = sum(len(other.waiting) for other in processes if other is not process)
        found.append((tests[test], others, process))
        scheduler.mark_test_complete(process, test)
    assert all(process.shutting_down for process in processes)
    return found


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("turns", [lambda n: 0, lambda n: n - 1], ids=["the first", "the last"])
@pytest.mark.parametrize(
    "files", [{"stale": 1}, {"stale": 2}, {"stale": 5, "lock": 4}, {"stale": 3, "lock": 1, "errors": 6, "merging": 2}]
)
def test_tests_in_real_time_have_the_machine_to_themselves(files, turns, count):
    tests = [f"tests/shared/test_{file}.py::test_{i}" for file, number in files.items() for i in range(number)]
    found = ran([*REAL_TIME, *tests], turns, count)
    assert sorted(name for name, _, _ in found) == sorted([*REAL_TIME, *tests])
    assert [name for name, _, _ in found[-3:]] == REAL_TIME
    assert all(others == 0 for _, others, _ in found[-3:])
    assert len({process for _, _, process in found[-3:]}) == 1


def test_real_time_is_known_by_what_a_file_uses():
    assert plays_in_real_time("tests/house/test_rig.py")
    assert plays_in_real_time("tests/live/test_recovery.py")
    assert not plays_in_real_time("tests/shared/test_stale.py")
