import pytest

from shared.errors import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, grün, 音, 👩‍🎨 and C:\\temp", "plain, grün, 音, 👩‍🎨 and C:\\temp"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\0", "a\\nb\\tc\\x00"),
        ("\x7f\x9b31m", "\\x7f\\x9b31m"),
        ("gpj.\u202eexe\u2066\u200f", "gpj.\\u202eexe\\u2066\\u200f"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        (b"\xff.wav".decode("utf-8", "surrogateescape"), "\\udcff.wav"),
    ],
)
def test_control_characters_are_escaped_and_nothing_else(text, shown):
    assert printable(text) == shown
    shown.encode("utf-8")


def test_an_error_is_one_line():
    assert one_line(ValueError("a\n   b\x1b]0;c\x07")) == "a b\\x1b]0;c\\x07"
    assert one_line(KeyError()) == "KeyError"
