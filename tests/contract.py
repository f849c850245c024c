"""The contract of `shared.stage.Stage`, checked for any stage by one function."""

from itertools import pairwise

import numpy as np


def run(stage, stream, cuts):
    """Feed `stream`, cut at the sorted positions `cuts`, with an empty block at every cut; concatenate the outputs."""
    out = []
    edges = [0, *cuts, len(stream)]
    for a, b in pairwise(edges):
        out.append(stage.process(stream[a:b]))
        out.append(stage.process(stream[:0]))
    return np.concatenate(out)


def filled(arrays):
    """Overwrite arrays that the stage must not use any more."""
    for array in arrays:
        array.fill(np.nan if array.dtype.kind == "f" else 77)


def check_stage(make, stream, *, seed=0, finite=True):
    """`make()` returns a new stage; `stream` (n, ...) is an input of a few hundred items or more."""
    rng = np.random.default_rng(seed)
    kept = stream.copy()
    stream.setflags(write=False)
    whole = run(make(), stream, [])
    assert len(whole) > 0
    if finite:
        assert np.isfinite(whole).all()

    def same(a, b, what):
        assert a.dtype == b.dtype
        assert a.shape == b.shape, what
        assert a.tobytes() == b.tobytes(), what

    for n in (1, 7, 50):
        cuts = np.sort(rng.integers(0, len(stream) + 1, n)).tolist()
        same(run(make(), stream, cuts), whole, f"cut at {cuts[:9]}")
    head = min(len(stream), 3000)
    stage = make()
    first = run(stage, stream[:head], list(range(1, head)))
    same(np.concatenate([first, run(stage, stream[head:], [])]), whole, "one item at a time")

    stage = make()
    run(stage, stream[: len(stream) // 3], [])
    stage.reset()
    same(run(stage, stream, []), whole, "after reset")

    cut = int(rng.integers(1, len(stream)))
    stage = make()
    before = run(stage, stream[:cut], [])
    state = {name: value.copy() for name, value in stage.state().items()}
    held = stage.state()
    after = run(stage, stream[cut:], [])
    same(np.concatenate([before, after]), whole, "state taken")
    for name, value in state.items():
        assert isinstance(value, np.ndarray), name
        same(held[name], value, f"state {name} changed after it was taken")
    other = make()
    run(other, stream[: cut // 2], [])
    other.restore(state)
    filled(state.values())
    same(run(other, stream[cut:], []), after, "restored")
    other = make()
    run(other, stream[:cut], [])
    filled(other.state().values())
    same(run(other, stream[cut:], []), after, "its state was written to")

    stage, out = make(), []
    for part in np.array_split(stream, 5):  # a caller may use its memory again, of input and output
        block = part.copy()
        made = stage.process(block)
        out.append(made.copy())
        filled([block, made] if made.flags.writeable else [block])
    same(np.concatenate(out), whole, "blocks were written to afterwards")
    assert np.array_equal(stream, kept, equal_nan=True)
    return whole
