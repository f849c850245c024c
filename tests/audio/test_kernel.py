import numba.core.caching
import numpy as np

from shared.audio.kernel import ROWS, kernel


def double(rows):
    for k in range(len(rows)):
        for i in range(rows.shape[1]):
            rows[k, i] *= 2


def test_without_a_folder_for_machine_code_it_still_runs(monkeypatch):
    monkeypatch.setattr(numba.core.caching.CompileResultCacheImpl, "_locator_classes", [])
    compiled = kernel(ROWS)(double)
    rows = np.ones((2, 3))
    compiled(rows)
    assert (rows == 2).all()
    assert compiled.signatures
