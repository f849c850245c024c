"""Background jobs: in order, and only the newest of a kind."""

import threading
import time

from shared.background import Background


def test_of_waiting_jobs_of_a_kind_only_the_newest_is_done():
    background, gate, done, failed = Background(), threading.Event(), [], []

    def job(name):
        def work():
            gate.wait(5)
            return lambda: done.append(name)

        return work

    background.do(job("first"), failed.append)
    for number in range(5):
        background.do(job(f"fit {number}"), failed.append, "fit")
        background.do(job(f"save {number}"), failed.append)
    background.start()
    gate.set()
    background.close()
    for then in background.done():
        then()
    assert done == ["first", "save 0", "save 1", "save 2", "save 3", "fit 4", "save 4"]
    assert not failed


def test_a_job_that_fails_is_one_line_and_the_next_is_done():
    background, done, failed = Background(), [], []
    background.do(lambda: 1 / 0, failed.append, "fit")
    background.do(lambda: lambda: done.append(1), failed.append, "other")
    background.start()
    deadline = time.monotonic() + 5
    while not done:
        assert time.monotonic() < deadline
        for then in background.done():
            then()
    assert failed == ["division by zero"]
    background.close()
