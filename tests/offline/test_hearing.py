"""The descriptor sets compared on one sound."""

import numpy as np
import pytest

from offline.laboratory.hearing import apart, beside, compare_sets, evenly_spread, recognised
from shared.audio.descriptors import SETS
from shared.errors import SoundError
from tests.small import write_sound


def test_moments_are_spread_evenly_and_have_frames_on_both_sides():
    for count in (119, 500, 12_345):
        moments = evenly_spread(count)
        assert len(moments) == 17
        assert np.ptp(np.diff(moments)) <= 1
        near = beside(moments)
        assert near.shape == (17, 6)
        assert near.min() >= 0
        assert near.max() < count
        assert len(np.unique([*near.ravel(), *moments])) == 17 * 7


def test_what_is_recognised():
    """Points on a line in time are all recognised; where all frames are alike, one of 17 is."""
    moments = evenly_spread(170)
    line = np.arange(170.0)[:, None]
    assert recognised(line, moments) == 1.0
    assert apart(line, moments) == pytest.approx(50 / 2)  # the median of 10, 20, ... 160, over that of 1, 2 and 3
    assert recognised(np.zeros((170, 3)), moments) == pytest.approx(1 / 17)
    assert apart(np.zeros((170, 3)), moments) == 0


@pytest.mark.slow
def test_the_page(tmp_path):
    pytest.importorskip("matplotlib")
    sound = write_sound(tmp_path / "s.wav", 2.0)
    table = compare_sets(sound, tmp_path / "page.html")
    assert [row[0] for row in table.rows] == list(SETS)
    assert [row[1] for row in table.rows] == [23, 40, 13, 76]
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("data:image/png") == 1
    assert "http" not in page.replace("http-equiv", "")
    assert all(f">{name}<" in page for name in SETS)
    with pytest.raises(SoundError, match="17 moments need at least 119"):
        compare_sets(write_sound(tmp_path / "short.wav", 0.8), tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()
