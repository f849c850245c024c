"""Variants of a preset's motion for the laboratory: the built-in grid, a grid from a file, and keeping one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

from offline.rendering.options import parse_fps
from shared import controls
from shared.controls import ORDERS, Value
from shared.errors import PonticelloError, SettingError
from shared.pipeline.dynamics import published
from shared.preset import Preset
from shared.toml_file import BadToml, read_toml

MOST = 100  # variants of a grid
OUTSIDE = {"relax": 100.0, "change_limit": 100_000.0}
"""Settings of a variant that are no controls of a preset, with the highest values."""
LEARNED = "memory, learned"
"""Name of the variant whose memory the laboratory learns on the sound: it stands last."""
CALM: dict[str, Value] = {"pace": 8.0, "settle": 4.0}
"""Less than half of the picture's movement, nearly as close to the sound: see docs/laboratory.md."""
GRID: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as published", {}),
    *((order.replace("-", ", "), {"order": order}) for order in ORDERS[1:]),
    ("coefficient 0", {"smoothing": 0.0}),
    ("coefficient 0.5", {"smoothing": 0.5}),
    ("coefficient 0.9", {"smoothing": 0.9}),
    ("coefficient 0.95", {"smoothing": 0.95}),
    ("mean 100 ms", {"kernel": "mean", "window": 100.0}),
    ("Hann 100 ms", {"kernel": "hann", "window": 100.0}),
    ("median 100 ms", {"kernel": "median", "window": 100.0}),
    ("one-euro", {"kernel": "one-euro"}),
    ("attack 5, release 300 ms", {"kernel": "attack-release", "attack": 5.0, "release": 300.0}),
    ("critically damped 100 ms", {"kernel": "critical", "window": 100.0}),
    ("latents 0.8", {"latent_smoothing": 0.8}),
    ("latents one-euro", {"latent_kernel": "one-euro"}),
    ("latents critical 300 ms", {"latent_kernel": "critical", "latent_window": 300.0}),
    ("speed limit 2", {"speed_limit": 2.0}),
    ("picture limit 300", {"change_limit": 300.0}),
    ("calm", CALM),
    ("flow constraint", {"relax": 2.0}),
    ("15 a second", {"fps": 15}),
    ("60 a second", {"fps": 60}),
)
"""Name and settings of each variant; whatever is not named is as published."""


@dataclass(frozen=True)
class Variant:
    """Settings to try. values: controls by full name, over those of the preset."""

    number: int
    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    fps: Fraction = Fraction(30)
    relax: float = 0.0
    """Strength of the flow constraint: see `offline.rendering.relaxation`."""
    change_limit: float = 0.0
    """Highest change of the picture in grey levels per second; the laboratory turns it into a `speed_limit`. 0 is off."""

    def with_sensitivity(self, grey_levels: float) -> "Variant":
        """The variant with the speed limit that its `change_limit` makes; grey_levels: per deviation of the latent vector."""
        if not self.change_limit or grey_levels <= 0:
            return self
        limit = min(self.change_limit / grey_levels, controls.CONTROLS["speed_limit"].high)
        return replace(self, values={**self.values, "speed_limit": round(limit, 4)})

    def applied(self, preset: Preset) -> Preset:
        """The preset with these settings."""
        return replace(preset, controls={**preset.controls, **self.values})

    @property
    def summary(self) -> str:
        """Settings other than the paper's, as preset.toml writes them."""
        paper = {row.name: row.default for row in controls.CONTROLS.values()}
        changed = [
            f"{name} = {value}"
            for name, value in self.values.items()
            if value != paper[name.partition("/")[0]] and not name.startswith("memory/")
        ]
        if memory := [float(str(value)) for name, value in self.values.items() if name.startswith("memory/") and value]:
            changed.append(f"memory = {min(memory):g} to {max(memory):g} s")
        changed += [f"relax = {self.relax:g}"] if self.relax else []
        changed += [] if self.fps == 30 else [f"fps = {self.fps}"]
        return ", ".join(changed) or "as published"


def default_grid(preset: Preset) -> list[Variant]:
    """The preset as it is (0), then the variants of `GRID`."""
    own = Variant(0, "as the preset is", {name: preset.controls[name] for name in published(preset.settings.inputs)})
    return [own, *(_variant(i + 1, name, settings, preset) for i, (name, settings) in enumerate(GRID))]


def read_grid(path: Path, preset: Preset) -> list[Variant]:
    """The preset as it is (0), then the variants of a TOML file.

    The file holds tables `[[variant]]` with settings and perhaps a `name`, and a table `[product]` of lists, of which every
    combination is a variant. Raises SettingError for a file that is missing or has another content.
    """
    try:
        plain = read_toml(path)
    except (BadToml, OSError) as error:
        raise SettingError(f"--grid {path} cannot be read: {error}") from error
    if unknown := set(plain) - {"variant", "product"}:
        raise SettingError(f"{path} has the key '{min(unknown)}'; allowed are [[variant]] and [product]")
    tables, lists = plain.get("variant", []), plain.get("product", {})
    if not isinstance(tables, list) or not isinstance(lists, dict) or not all(isinstance(t, dict) for t in tables):
        raise SettingError(f"{path}: write [[variant]] with settings below, and [product] with lists")
    rows = [(str(table.get("name", "")), {k: v for k, v in table.items() if k != "name"}) for table in tables]
    if lists:
        choices = [value if isinstance(value, list) else [value] for value in lists.values()]
        rows += [("", dict(zip(lists, chosen, strict=True))) for chosen in product(*choices)]
    if not 1 <= len(rows) <= MOST:
        raise SettingError(f"{path} makes {len(rows)} variants; allowed are 1 to {MOST}")
    try:
        grid = [_variant(i + 1, name, settings, preset) for i, (name, settings) in enumerate(rows)]
    except PonticelloError as error:
        raise SettingError(f"{path}: {error}") from error
    return [default_grid(preset)[0], *grid]


def find_variant(grid: list[Variant], wanted: str) -> Variant:
    """A variant by its number or name; raises SettingError if there is none."""
    for variant in grid:
        if wanted in (str(variant.number), variant.name):
            return variant
    known = ", ".join(f"{variant.number} ({variant.name})" for variant in grid)
    raise SettingError(f"--keep {wanted} given; there are: {known}")


def _variant(number: int, name: str, settings: Mapping[str, Any], preset: Preset) -> Variant:
    values = published(preset.settings.inputs)
    fps, outside = Fraction(30), dict.fromkeys(OUTSIDE, 0.0)
    for key, value in settings.items():
        if key == "fps":
            fps = parse_fps(str(value))
            continue
        if key in OUTSIDE:
            if not isinstance(value, int | float) or not 0 <= value <= OUTSIDE[key]:
                raise SettingError(f"{key} = {value!r} given; allowed is a number from 0 to {OUTSIDE[key]:g}")
            outside[key] = float(value)
            continue
        if isinstance(value, dict):
            values |= {f"{key}/{name}": _checked(f"{key}/{name}", entry, preset) for name, entry in value.items()}
        else:
            values[key] = _checked(key, value, preset)
    shown = name or ", ".join(f"{key} {value}" for key, value in settings.items())
    return Variant(number, shown, values, fps, **outside)


def _checked(name: str, value: object, preset: Preset) -> Value:
    row, _ = controls.find_control(name, preset.settings.inputs)
    if row.home != "preset":
        raise SettingError(f"{name} belongs to the {row.home}, not to a preset")
    return row.checked(value)
