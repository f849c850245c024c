"""A preset is a folder: an artist's image space, pairs and mapping, and their settings.

preset.toml             version, names of the inputs, generator, training, controls
generator.safetensors   the StyleGAN3 (or preset.toml names a file elsewhere, with its SHA-256)
mapping.safetensors     scaler and regressor
direct.safetensors      a decoder that draws instead of the generator, if preset.toml says picture = "direct"
pairs.safetensors       what the mapping learned from
corpus.safetensors      analysed sounds on their map, and candidates.safetensors, images to choose from: needed to pair
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import tomlkit

from shared import controls
from shared.controls import Value
from shared.errors import PresetError, pasted, refusal
from shared.image.checkpoint import MAX_BYTES as MAX_GENERATOR_BYTES
from shared.preset import places
from shared.preset.candidates import Candidates
from shared.preset.copying import copy_preset
from shared.preset.corpus import CORPUS, Corpus
from shared.preset.direct import DirectPictures
from shared.preset.history import PAIRS, save_settings
from shared.preset.learned import LearnedMapping
from shared.preset.lock import preset_lock
from shared.preset.pairs import Pairs
from shared.preset.settings import Settings, read_settings
from shared.regular_file import open_regular
from shared.stale import remove_stale

PARTS = ("preset.toml", "mapping.safetensors", "pairs.safetensors")  # with the generator, they determine the pictures
FOLDERS = ("history", "images", "sounds")  # in a preset
DIRECT_PARTS = ("preset.toml", "direct.safetensors")  # determine those of a preset that draws directly
MAPPING, CANDIDATES, DIRECT = "mapping.safetensors", "candidates.safetensors", "direct.safetensors"


@dataclass(frozen=True, eq=False)
class Preset:
    """A preset on disk with checked settings; its other files are read on first use.

    `generator_path`, `mapping` and `pairs` are those that it plays with. For one that draws directly they are the decoder's;
    `for_pairing` has those that its artist pairs and trains.
    """

    folder: Path
    settings: Settings
    controls: Mapping[str, Value]
    """Every control by its full name (`weight/pitch`), the file's values over the defaults."""
    pairing: bool = False
    """Whether its generator, pairs and mapping are meant although it draws directly."""

    @classmethod
    def load(cls, path: str | Path) -> "Preset":
        """Read a preset folder, or a shipped (or one's own) preset by its bare name.

        Raises PresetError: no such folder, unreadable or unknown settings, a newer version, unknown descriptors.
        """
        folder = places.find_preset(path)
        for part in (folder, *(folder / name for name in FOLDERS)):
            if not part.is_symlink():
                remove_stale(part)
        file = folder / "preset.toml"
        try:
            is_preset = file.is_file()
        except PermissionError as error:
            raise PresetError(f"{folder} cannot be read: {error.strerror}") from error
        if not is_preset:
            raise PresetError(f"{folder} is not a preset: it has no preset.toml")
        return cls(folder, *read_settings(file))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def is_direct(self) -> bool:
        """Whether a decoder draws its pictures directly from the sound."""
        return self.settings.picture == "direct" and not self.pairing

    @cached_property
    def for_pairing(self) -> "Preset":
        """The same preset with its generator, pairs and mapping, whatever draws its pictures."""
        return replace(self, pairing=True) if self.is_direct else self

    @cached_property
    def for_playing(self) -> "Preset":
        """The same preset as it plays."""
        return replace(self, pairing=False) if self.pairing else self

    @cached_property
    def direct(self) -> DirectPictures:
        """The decoder that draws directly. Raises PresetError if it is missing, damaged or made for other inputs."""
        path = self.folder / DIRECT
        if not path.is_file():
            raise PresetError(f"{self.folder} has no {DIRECT} yet; {self._direct_advice}")
        direct = DirectPictures.load(path)
        if direct.architecture.inputs != len(self.settings.inputs):
            raise PresetError(
                f"{path} takes {direct.architecture.inputs} descriptors, preset.toml names {len(self.settings.inputs)}; "
                f"{self._direct_advice}"
            )
        return direct

    @property
    def _direct_advice(self) -> str:
        return f"train it: ponticello train {pasted(self.folder)} --direct"

    @cached_property
    def generator_path(self) -> Path:
        """The generator's file. Raises PresetError if it is missing or not the one that the preset was made with.

        The decoder's file for a preset that draws directly.
        """
        if self.is_direct:
            return self.folder / DIRECT
        given = self.settings.generator
        try:
            path = (self.folder / Path(given.file).expanduser()).resolve()
            is_present = path.is_file()
        except (OSError, ValueError, RuntimeError) as error:  # a name that no file can have, or links in a circle
            raise PresetError(f"{self.folder / 'preset.toml'} names the generator {given.file}: {error}") from error
        if not is_present:
            raise PresetError(
                f"{self.folder / 'preset.toml'} names the generator {given.file}, but there is no file {path}"
            )
        if (size := path.stat().st_size) > MAX_GENERATOR_BYTES:
            raise PresetError(f"{path} has {size:,} bytes; generators of up to {MAX_GENERATOR_BYTES:,} are read")
        if given.sha256:
            if sha256_of(path) != given.sha256.lower():
                raise PresetError(
                    f"{path} is not the generator that {self.name} was made with (its SHA-256 differs from preset.toml's); restore it"
                )
        elif self.folder not in path.parents:
            raise PresetError(
                f"{self.folder / 'preset.toml'} names the generator {given.file} outside the preset; add its sha256"
            )
        return path

    @cached_property
    def generator_sha256(self) -> str:
        """SHA-256 of the generator's file, or of everything in the decoder's. Errors as in `generator_path`."""
        if self.is_direct:
            return self.direct.digest
        path = self.generator_path
        return self.settings.generator.sha256.lower() or sha256_of(path)

    @cached_property
    def mapping(self) -> LearnedMapping:
        """The trained mapping. Raises PresetError if it is missing, damaged or made for other inputs."""
        if self.is_direct:
            return self.direct.mapping
        path = self.folder / MAPPING
        if not path.is_file():
            raise PresetError(f"{self.folder} has no mapping.safetensors yet; train it on its pairs first")
        learned = LearnedMapping.load(path)
        if len(learned.scaler.mean) != len(self.settings.inputs):
            raise PresetError(
                f"{path} takes {len(learned.scaler.mean)} descriptors, preset.toml names {len(self.settings.inputs)}; train again"
            )
        return learned

    @cached_property
    def pairs(self) -> Pairs:
        """The pairs. Raises PresetError if they are missing, damaged or made for other inputs."""
        if self.is_direct:
            return self.direct.pairs
        path = self.folder / PAIRS
        pairs = Pairs.load(path)
        if pairs.descriptors.shape[1] != len(self.settings.inputs):
            raise PresetError(
                f"{path} has {pairs.descriptors.shape[1]} descriptors a pair, preset.toml names {len(self.settings.inputs)} inputs"
            )
        if not len(pairs):
            raise PresetError(f"{path} holds no pairs; pair at least one image with a moment of sound")
        if (self.folder / MAPPING).is_file():
            mapping = self.mapping
            taken, given = (pairs.space, pairs.latents.shape[1]), (mapping.space, mapping.latent_size)
            if taken != given:
                raise PresetError(
                    f"{path} has latents in {taken[0]} of {taken[1]} numbers, the mapping gives {given[0]} of {given[1]}; train again"
                )
            if pairs.classes.shape[1] != mapping.classes:
                raise PresetError(
                    f"{path} has {pairs.classes.shape[1]} classes, the mapping {mapping.classes}; train again"
                )
            pairs = pairs.standardised_by(self.mapping.scaler)  # the corpus may be another since it was trained
        return pairs

    @property
    def is_trained(self) -> bool:
        """Whether the mapping was trained on the pairs as they are now, or does not say on which. Errors as of `mapping` and `pairs`."""
        if self.is_direct:
            return self._is_trained_directly
        return self.mapping.pairs_digest in ("", self.pairs.digest)

    @property
    def _is_trained_directly(self) -> bool:
        """Whether the decoder knows the pairs on disk; pairs that cannot be read do not matter, as it plays without them."""
        learned, file = self.direct.pairs_digest, self.folder / PAIRS
        if not learned or not file.is_file():
            return True
        try:
            pairs = Pairs.load(file)
        except PresetError:
            return True
        fits = pairs.descriptors.shape[1] == len(self.settings.inputs)
        return fits and pairs.standardised_by(self.direct.scaler).digest == learned

    @property
    def training_advice(self) -> str:
        """The line for the user if `is_trained` is false."""
        steps = [command := f"ponticello train {pasted(self.folder)}"]
        if self.is_direct:  # pictures between the pairs are the mapping's
            steps = [command, f"{command} --direct"] if self.settings.direct.between else [f"{command} --direct"]
        return f"{self.name}: pairs changed since training; run {', then '.join(f'`{step}`' for step in steps)}"

    @property
    def has_corpus(self) -> bool:
        """Whether sounds have been analysed for it."""
        return (self.folder / CORPUS).is_file()

    @cached_property
    def corpus(self) -> Corpus:
        """The analysed sounds. Raises PresetError if there are none yet, or they were analysed for other inputs."""
        if not self.has_corpus:
            raise PresetError(
                f"{self.name} has no sounds yet; analyse some: ponticello analyse {pasted(self.folder)} SOUND"
            )
        corpus = Corpus.load(self.folder / CORPUS)
        if corpus.facts.inputs != self.settings.inputs:
            raise PresetError(
                f"{self.folder / CORPUS} was made for other inputs than those of preset.toml; analyse the sounds again"
            )
        return corpus

    @property
    def has_candidates(self) -> bool:
        """Whether there are images to choose from."""
        return (self.folder / CANDIDATES).is_file()

    @cached_property
    def candidates(self) -> Candidates:
        """The images to choose from. Raises PresetError if there are none yet, or they are damaged."""
        if not self.has_candidates:
            raise PresetError(
                f"{self.name} has no candidates yet; make them: ponticello candidates {pasted(self.folder)}"
            )
        return Candidates.load(self.folder / CANDIDATES)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that determines the pictures: settings, generator and mapping."""
        sha = hashlib.sha256()
        names = DIRECT_PARTS if self.is_direct else PARTS
        for path in (*(self.folder / name for name in names), self.generator_path):
            sha.update(sha256_of(path).encode())
        return sha.hexdigest()

    def save_controls(self, values: Mapping[str, Value]) -> "Preset":
        """Write the preset's own controls into preset.toml, keeping its comments; returns the preset as it is then.

        A shipped preset is copied to the user's folder first: see `own_copy`.
        """
        preset = self.own_copy()
        with preset_lock(preset.folder):
            preset._save_changed(values)
        return Preset.load(preset.folder)

    def _save_changed(self, values: Mapping[str, Value]) -> None:
        present = Preset.load(self.folder)
        changed: dict[tuple[str, str | None], Value] = {}
        for name, value in values.items():
            row, descriptor = controls.find_control(name, self.settings.inputs)
            checked = row.checked(value)
            if row.home == "preset" and checked != present.controls[name]:
                changed[row.name, descriptor] = checked
        if not changed:
            return
        document = tomlkit.parse((self.folder / "preset.toml").read_text("utf-8-sig"))
        table = document.setdefault("controls", tomlkit.table())
        for (name, descriptor), checked in changed.items():
            place = table.setdefault(name, tomlkit.table()) if descriptor else table
            place[descriptor or name] = list(checked) if isinstance(checked, tuple) else checked
        save_settings(self.folder, tomlkit.dumps(document))

    @property
    def own_folder(self) -> Path:
        """The place of the user's own copy, whether there is one or not."""
        return places.OWN / self.name

    def own_copy(self) -> "Preset":
        """The preset itself; for a shipped one the user's own copy, which is made where there is none yet."""
        if self.folder.parent != places.SHIPPED:
            return self
        target = self.own_folder
        if not target.exists():
            try:
                copy_preset(self.folder, target, self.for_pairing.generator_path)
            except OSError as error:
                raise refusal(f"cannot copy the shipped preset {self.name} to {target}", error) from error
        return Preset.load(target)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises PresetError if it cannot be read."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PresetError(f"{path} cannot be read: {error.strerror}") from error
