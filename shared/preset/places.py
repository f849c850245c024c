"""Where presets are: the shipped ones, the user's own, and the one that a path or a name means."""

import logging
from functools import cache
from pathlib import Path

import platformdirs

from shared.errors import PresetError, printable

SHIPPED = Path(__file__).resolve().parents[2] / "presets"
OWN = Path(platformdirs.user_documents_dir()) / "Ponticello"


def find_preset(path: str | Path) -> Path:
    """The folder of a preset, given its path or the bare name of the user's own or a shipped one.

    A preset folder of that name here comes before them, which is logged once; a folder that is no preset does not.
    """
    try:
        folder = Path(path).expanduser()
        named = _named_preset(folder)
        if folder.is_dir() and (named is None or (folder / "preset.toml").is_file()):
            if named is not None and named != folder.resolve():
                _report_shadowing(str(path), folder.resolve(), named)
            return folder.resolve()
        is_file = folder.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # a name that no folder can have, or links in a circle
        raise PresetError(f"no preset {path}: {error}") from error
    if named is not None:
        return named
    if is_file or folder.exists():
        raise PresetError(f"{path} is a file; a preset is a folder with a preset.toml")
    known = ", ".join(sorted(p.parent.name for p in SHIPPED.glob("*/preset.toml")))
    raise PresetError(f"no preset {path}; give the path of a preset folder, or the name of a shipped one: {known}")


def _named_preset(name: Path) -> Path | None:
    """The user's own or else the shipped preset of this bare name."""
    if len(name.parts) == 1:
        for place in (OWN, SHIPPED):
            if (place / name / "preset.toml").is_file():
                return (place / name).resolve()
    return None


@cache
def _report_shadowing(name: str, folder: Path, hidden: Path) -> None:
    logging.getLogger(__name__).warning(
        "%s: the folder %s is used, not the preset of that name in %s; rename the folder, or give a path",
        printable(name),
        printable(str(folder)),
        printable(str(hidden.parent)),
    )
