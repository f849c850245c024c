"""Pairs and mappings of a show that were never saved, kept beside the user's presets.

    recovery/NAME-GENERATOR/DATE TIME/pairs.safetensors
                                      mapping.safetensors, if the show has trained one

NAME is the preset's, GENERATOR the first digits of its generator's SHA-256: a preset that was copied finds its own again.
"""

import contextlib
import glob
import shutil
import threading
from datetime import datetime
from pathlib import Path

from shared.errors import PresetError, UserError
from shared.pipeline.exchanges import UseMapping
from shared.preset import Preset
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs

PAIRS, MAPPING = "pairs.safetensors", "mapping.safetensors"
DIGITS = 8  # of the generator's SHA-256
KEPT = 20  # shows of a preset


class Recovery:
    """The recovery files of one preset in one show. `folder` is created with the first `write`."""

    def __init__(self, preset: Preset) -> None:
        self._shows = _shows_folder(preset)
        self.folder = self._shows / datetime.now().strftime("%Y-%m-%d %H.%M.%S.%f")
        self.earlier = _newest(preset)
        """The folder of an earlier show."""
        self.version = 0
        """Of what was written last."""
        self._lock = threading.Lock()

    def write(self, learned: UseMapping, version: int, with_mapping: bool = True) -> None:
        """Keep the pairs and, unless it is the preset's, the mapping. Raises UserError or Failure if that is impossible."""
        with self._lock:
            self._write(learned, with_mapping)
            self.version = version

    def _write(self, learned: UseMapping, with_mapping: bool) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot create {self.folder}: {error.strerror}; save the pairs in their preset") from error
        if with_mapping:
            learned.mapping.save(self.folder / MAPPING)
        else:
            (self.folder / MAPPING).unlink(missing_ok=True)
        learned.pairs.save(self.folder / PAIRS)
        for old in sorted(self._shows.iterdir())[:-KEPT]:
            _remove(old)

    def remove(self, earlier: bool) -> None:
        """Remove the files, now that pairs and mapping are saved. earlier: those that were restored at the start, too."""
        with self._lock:
            self.version = 0
            _remove(self.folder)
            if earlier and self.earlier is not None:
                _remove(self.earlier)
                self.earlier = None
            with contextlib.suppress(OSError):  # not empty
                self._shows.rmdir()


def restored(preset: Preset) -> UseMapping | None:
    """Pairs and mapping of the newest show that did not save them; None if there is none.

    Raises PresetError if the files are damaged or do not fit the preset.
    """
    if (folder := _newest(preset)) is None:
        return None
    file = folder / MAPPING
    mapping = LearnedMapping.load(file) if file.is_file() else preset.mapping
    return fitted(UseMapping(mapping, Pairs.load(folder / PAIRS)), preset, folder)


def fitted(learned: UseMapping, preset: Preset, folder: Path) -> UseMapping:
    """Unsaved pairs and mapping for a preset whose files may have changed since.

    The pairs are standardised by the preset's scaler. A mapping of another scaler is replaced by the preset's. folder: where
    they are kept. Raises PresetError if they are of other inputs or latents than the preset.
    """
    mapping, pairs = learned.mapping, learned.pairs
    given, wanted = (
        (each.descriptors.shape[1], each.latents.shape[1], each.space, each.classes.shape[1])
        for each in (pairs, preset.pairs)
    )
    if given != wanted or mapping.space != preset.mapping.space or mapping.latent_size != wanted[1]:
        raise PresetError(
            f"{folder} does not fit the preset {preset.name} any more; move it elsewhere, or play without --restore"
        )
    scaler = preset.mapping.scaler
    return UseMapping(mapping if mapping.scaler.equals(scaler) else preset.mapping, pairs.standardised_by(scaler))


def unsaved_of_generator(preset: Preset) -> Path | None:
    """For a preset that draws directly, the folder of the newest show in which its generator drew; None without one."""
    other = preset.for_pairing
    if other is preset or not any(
        _recovery_folder(preset).glob(f"{glob.escape(preset.name)}-*")
    ):  # hashing the generator takes long
        return None
    with contextlib.suppress(PresetError):  # it may have no generator any more
        return _newest(other)
    return None


def _recovery_folder(preset: Preset) -> Path:
    return preset.own_folder.parent / "recovery"


def _shows_folder(preset: Preset) -> Path:
    return _recovery_folder(preset) / f"{preset.name}-{preset.generator_sha256[:DIGITS]}"


def _newest(preset: Preset) -> Path | None:
    """The folder of the newest show whose files are complete."""
    shows = _shows_folder(preset)
    complete = sorted(path.parent for path in shows.glob(f"*/{PAIRS}"))  # written last
    return complete[-1] if complete else None


def _remove(folder: Path) -> None:
    if not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
