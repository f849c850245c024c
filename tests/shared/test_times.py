"""Times as people write them."""

from fractions import Fraction

import pytest

from shared.errors import SettingError
from shared.times import parse_time


@pytest.mark.parametrize(
    ("text", "seconds"), [("83.5", Fraction(167, 2)), ("1:23.5", Fraction(167, 2)), ("1:02:03.5", Fraction(7447, 2))]
)
def test_times_are_exact(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["1/0", "1/2", "1e99999999", "-1", "1:2:3:4", "", "1:", "soon", "0" * 10**6])
def test_anything_else_is_one_short_line(text):
    with pytest.raises(SettingError, match=r"allowed are seconds") as caught:
        parse_time(text)
    assert len(str(caught.value)) < 150
