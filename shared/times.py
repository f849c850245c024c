"""Times as people write them."""

from fractions import Fraction

from shared.errors import SettingError

LONGEST = 40  # characters


def parse_time(text: str) -> Fraction:
    """Seconds, exactly, of `83.5`, `1:23.5` (m:ss) or `1:02:03.5` (h:mm:ss). SettingError for anything else."""
    try:
        if len(text) > LONGEST or "/" in text or "e" in text.lower():  # Fraction takes 1/0, and writes 1e99999999 out
            raise ValueError
        parts = [Fraction(part) for part in text.split(":")]
        if len(parts) > 3 or any(part < 0 for part in parts):
            raise ValueError
    except ValueError:
        raise SettingError(
            f"time {text[:LONGEST]} given; allowed are seconds (83.5), m:ss (1:23.5) and h:mm:ss (1:02:03.5)"
        ) from None
    return sum((part * 60**place for place, part in enumerate(reversed(parts))), Fraction(0))


def format_time(seconds: float) -> str:
    """`9.60 s`, `1:23.50` from a minute on, `1:02:03.50` from an hour on."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    if not minutes:
        return f"{hundredths / 100:.2f} s"
    hours, minutes = divmod(minutes, 60)
    clock = f"{rest // 100:02d}.{rest % 100:02d}"
    return f"{hours}:{minutes:02d}:{clock}" if hours else f"{minutes}:{clock}"
