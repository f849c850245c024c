"""Pairs changed by two programs: what only one changed counts, and nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from shared.errors import PresetError
from shared.mapping.scaling import Standardizer
from shared.preset.merging import merge
from shared.preset.pairs import Pairs, SoundFrame

SCALER = Standardizer(np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0, 0.5]))


def pairs(**rows):
    """Pairs by name, each from a number."""
    values = np.array(list(rows.values()), float).reshape(-1, 1)
    return Pairs(
        tuple(rows),
        values + np.arange(3.0),
        (values * np.ones(4)).astype(np.float32),
        values * np.ones(2),
        "z",
        SCALER,
        "map",
        tuple(SoundFrame("s", int(value)) for value in rows.values()),
    )


BASE = pairs(a=1, b=2, c=3)


def content(merged):
    return dict(zip(merged.pairs.names, merged.pairs.latents[:, 0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("ours", "theirs", "result", "remarks"),
    [
        (BASE, BASE, {"a": 1, "b": 2, "c": 3}, []),
        (pairs(a=1, b=2, c=3, d=4), BASE, {"a": 1, "b": 2, "c": 3, "d": 4}, []),
        (pairs(a=1, c=3), BASE, {"a": 1, "c": 3}, []),
        (BASE, pairs(a=1, b=2, c=3, e=5), {"a": 1, "b": 2, "c": 3, "e": 5}, ["another program added e"]),
        (BASE, pairs(a=1, c=3), {"a": 1, "c": 3}, ["another program removed b"]),
        (BASE, pairs(a=1, b=7, c=3), {"a": 1, "b": 7, "c": 3}, ["another program changed b"]),
        (pairs(a=1, b=2, c=3, d=4), pairs(c=3, e=5, a=1), {"c": 3, "e": 5, "a": 1, "d": 4},
         ["another program added e", "another program removed b"]),
        (pairs(a=1, b=9, c=3), BASE, {"a": 1, "c": 3, "b": 9}, []),
        (pairs(a=1, b=9, c=3), pairs(a=1, b=9, c=3), {"a": 1, "b": 9, "c": 3}, ["another program changed b"]),
        (pairs(a=1, b=9, c=3), pairs(a=1, b=8, c=3), {"a": 1, "b": 8, "c": 3, "b (2)": 9},
         ["another program changed b", "another program has a different pair b, too; the one of this show is now b (2)"]),
        (pairs(a=1, b=9, c=3), pairs(a=1, c=3), {"a": 1, "c": 3, "b": 9}, []),
        (pairs(a=1, c=3), pairs(a=1, b=8, c=3), {"a": 1, "b": 8, "c": 3},
         ["another program changed b", "another program changed b, which was removed here; it stays"]),
        (pairs(a=1, b=2, c=3, d=4), pairs(a=1, b=2, c=3, d=5, **{"d (2)": 6}),
         {"a": 1, "b": 2, "c": 3, "d": 5, "d (2)": 6, "d (3)": 4},
         ["another program added d (2)", "another program has a different pair d, too; the one of this show is now d (3)"]),
        (pairs(a=1, b=2, c=3, d=4), pairs(a=1, b=2, c=3, d=4), {"a": 1, "b": 2, "c": 3, "d": 4}, []),
        (pairs(), BASE, {}, []),
        (pairs(a=1, b=2, c=3, d=4), pairs(), {"d": 4}, ["another program removed a, b, c"]),
    ],
)  # fmt: skip
def test_what_is_changed_on_either_side(ours, theirs, result, remarks):
    merged = merge(BASE, ours, theirs)
    assert list(content(merged).items()) == list(result.items())
    assert list(merged.remarks) == remarks
    for row, value in enumerate(result.values()):  # all of a pair stays together
        assert np.array_equal(merged.pairs.descriptors[row], value + np.arange(3.0))
        assert merged.pairs.positions[row].tolist() == [value, value]
        assert merged.pairs.sources[row] == SoundFrame("s", value)


def test_another_scale_is_no_change_and_ours_goes_into_theirs():
    scaler = Standardizer(np.array([0.5, 1.0, -2.0]), np.array([1.5, 3.0, 0.0]))
    theirs = replace(pairs(a=1, b=2, c=3, e=5).standardised_by(scaler), map="another")
    merged = merge(BASE, pairs(a=1, b=2, d=4), theirs)
    assert list(content(merged)) == ["a", "b", "e", "d"]
    assert merged.pairs.scaler is scaler
    assert np.array_equal(merged.pairs.descriptors[:3], theirs.descriptors[[0, 1, 3]])  # bit for bit
    raw = SCALER.undone(4 + np.arange(3.0)[None])
    assert np.allclose(merged.pairs.descriptors[3], (raw - scaler.mean) / [1.5, 3.0, 1.0])
    assert np.isnan(merged.pairs.positions[3]).all()  # on another map
    assert merged.remarks == ("another program added e",)


def test_the_same_image_at_another_moment_is_another_pair():
    moved = replace(BASE, descriptors=BASE.descriptors + np.array([[0, 0, 0], [0, 1e-3, 0], [0, 0, 0]]))
    merged = merge(BASE, BASE, moved)
    assert np.array_equal(merged.pairs.descriptors, moved.descriptors)
    assert merged.remarks == ("another program changed b",)


@pytest.mark.parametrize(
    "theirs",
    [
        replace(BASE, space="w"),
        replace(BASE, latents=np.zeros((3, 5), np.float32)),
        replace(BASE, descriptors=np.zeros((3, 2)), scaler=None),
        replace(BASE, inputs=("pitch", "loudness", "flatness")),
    ],
)
def test_pairs_that_do_not_fit_any_more_are_refused(theirs):
    ours = replace(pairs(a=1, b=2, c=3, d=4), inputs=("pitch", "loudness", "crest"))
    with pytest.raises(PresetError, match="the pairs on disk are of other inputs or latents now"):
        merge(BASE, ours, theirs)
    assert len(merge(BASE, ours, theirs.at([])).pairs) == 1
