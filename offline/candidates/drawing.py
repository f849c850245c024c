"""Draw candidates: the images of a row of seeds, painted once and kept."""

import hashlib
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32, UInt8

from offline.candidates.files import IMAGES, SHEET, image_file, write_contact_sheet
from offline.candidates.latents import draw_latents
from offline.options import counted
from offline.pictures import note_of, read_png, thumbnail, write_png
from offline.progress import progress, say
from offline.readable import if_readable
from shared.atomic import make_folder
from shared.errors import SettingError, UserError
from shared.image.checkpoint import read_architecture
from shared.preset.candidates import THUMBNAIL, Candidates, Draw, Origin, name_of
from shared.preset.history import PAIRS
from shared.preset.lock import preset_lock
from shared.preset.pairs import Pairs
from shared.preset.preset import CANDIDATES, Preset

MOST = 10_000
SAVE_INTERVAL_S = 1.0  # finished images become candidates this often while others are drawn
LARGEST_IMAGE = 512  # pixels of the longest side in a candidate's file; a render shows it at full size


def draw_candidates(preset: Preset, draw: Draw, device: str | None = None) -> Candidates:
    """Make the images of a draw and write them as the preset's candidates. Images that exist already are kept.

    Chosen and paired images stay, whatever their seeds. Writes candidates.safetensors, images/seed17.png, ... and
    candidates.png. An interrupted draw continues where it stopped. One program at a time paints images of a preset; its
    pairs and the choice may change meanwhile. Raises SettingError or PresetError for a draw that the generator cannot make.
    """
    if not 1 <= draw.count <= MOST:
        raise SettingError(f"-n {draw.count} given; allowed are 1 to {MOST}")
    if not 0 <= draw.first <= 2**32 - draw.count:  # as numpy takes them
        raise SettingError(f"--seed {draw.first} given; allowed are 0 to {2**32 - draw.count}")
    images = preset.folder / IMAGES
    make_folder(images)
    with preset_lock(images):
        drawing = _Drawing(Preset.load(preset.folder).for_pairing, draw)
        if drawing.before is not None and drawing.is_done:
            say(
                f"{preset.folder / CANDIDATES} holds these {counted(len(drawing.seeds), 'image')} already; nothing to do"
            )
            return drawing.before
        drawing.paint(device)
        return drawing.finish()


class _Drawing:
    """A draw at work. seeds: of all its images, with those that stay from the draw before; latents, classes, notes: of each.

    missing: indices of images that are still to be painted. thumbnails: of the painted ones, by seed.
    """

    def __init__(self, preset: Preset, draw: Draw) -> None:
        self._preset, self._draw, self._origin = preset, draw, _origin(preset)
        self.before = _before(preset, draw, self._origin)
        staying = _staying(preset, self.before)
        self.seeds = sorted({*range(draw.first, draw.first + draw.count), *staying})
        self.latents, self.classes = draw_latents(preset, draw, self.seeds)
        for seed, (latent, classes) in staying.items():  # which may be of another class
            index = self.seeds.index(seed)
            self.latents[index], self.classes[index] = latent, classes
        self.notes = [_note(*image, self._origin) for image in zip(self.latents, self.classes, strict=True)]
        self.missing = [i for i, seed in enumerate(self.seeds) if note_of(image_file(preset, seed)) != self.notes[i]]
        self.thumbnails = self._known_thumbnails()

    @property
    def is_done(self) -> bool:
        """Whether these very candidates exist, with all of their files."""
        return (
            self.before is not None
            and not self.missing
            and (self._preset.folder / SHEET).is_file()
            and (self.before.seeds, self.before.draw) == (tuple(self.seeds), self._draw)
        )

    def paint(self, device: str | None) -> None:
        """Paint what is missing. Finished images become candidates as they come, unless that would drop earlier ones."""
        grows = self.before is None or set(self.before.seeds) <= set(self.seeds)
        saved = time.monotonic()
        try:
            for index in self._painted(device):
                seed = self.seeds[index]
                self.thumbnails[seed] = thumbnail(read_png(image_file(self._preset, seed)), THUMBNAIL)
                if grows and time.monotonic() - saved >= SAVE_INTERVAL_S:
                    self.save()
                    saved = time.monotonic()
        except BaseException:
            if grows and self.thumbnails:
                self.save()
            raise

    def save(self) -> Candidates:
        """Write the painted images as candidates, with the choice as it is on disk now.

        Images that were chosen or paired since the drawing began stay, too.
        """
        with preset_lock(self._preset.folder):
            present = self._present()
            for seed, (latent, classes) in _staying(self._preset, present).items():
                if seed not in self.seeds and present is not None:
                    place = bisect(self.seeds, seed)
                    self.seeds.insert(place, seed)
                    self.latents = np.insert(self.latents, place, latent, axis=0)
                    self.classes = np.insert(self.classes, place, classes, axis=0)
                    self.thumbnails[seed] = present.thumbnails[present.seeds.index(seed)]
            painted = [i for i, seed in enumerate(self.seeds) if seed in self.thumbnails]
            seeds = tuple(self.seeds[i] for i in painted)
            thumbnails = np.stack([self.thumbnails[seed] for seed in seeds])
            kept = (present.kept if present is not None else frozenset()) & set(seeds)
            latents, classes = self.latents[painted], self.classes[painted]
            candidates = Candidates(seeds, latents, thumbnails, self._origin, self._draw, kept, classes)
            candidates.save(self._preset.folder / CANDIDATES)
        return candidates

    def finish(self) -> Candidates:
        """Write the candidates and their contact sheet; delete the images of the draw before that are not among them."""
        candidates = self.save()
        before = self.before
        if before and (gone := len(set(before.seeds) - set(self.seeds))):
            again = f"-n {before.draw.count} --seed {before.draw.first}"
            say(f"{counted(gone, 'image')} not chosen, removed; {again} brings them back")
        write_contact_sheet(self._preset, candidates)
        ours = {image_file(self._preset, seed) for seed in self.seeds}
        for file in (self._preset.folder / IMAGES).glob("seed*.png"):
            if file not in ours and note_of(file):  # files of other programs have no note
                file.unlink()
        return candidates

    def _painted(self, device: str | None) -> Iterator[int]:
        """Paint the missing images with the preset's truncation and motion; yield the index of each."""
        from shared.image.device import pick_device
        from shared.image.threads import side_by_side
        from shared.painter import Painter
        from shared.picture import Picture

        painter = Painter(pick_device(device))
        generator = painter.load_untrained(self._preset)
        look = self._origin.truncation, self._origin.rotate, self._origin.translate

        def make(index: int) -> None:
            label = self.classes[index] if self.classes.shape[1] else None
            latent, space = self.latents[index], self._draw.space
            picture = Picture(self._preset.generator_sha256, latent, space, *look, 1.0, label=label)
            image = painter.paint(picture).cpu().numpy()
            write_png(image_file(self._preset, self.seeds[index]), image, self.notes[index], LARGEST_IMAGE)

        at_once = None if generator.device.type == "cpu" else 1
        with (
            closing(side_by_side(make, self.missing, at_once)) as images,
            progress("images", len(self.missing)) as advance,
        ):
            for done, _ in enumerate(images, 1):
                yield self.missing[done - 1]
                advance(done)

    def _known_thumbnails(self) -> dict[int, UInt8[np.ndarray, "16 16 3"]]:
        """Thumbnails of the images that exist: from the candidates, else from their files."""
        before = self.before
        known = {} if before is None else dict(zip(before.seeds, before.thumbnails, strict=True))
        existing = set(self.seeds) - {self.seeds[i] for i in self.missing}
        return {
            seed: known[seed] if seed in known else thumbnail(read_png(image_file(self._preset, seed)), THUMBNAIL)
            for seed in existing
        }

    def _present(self) -> Candidates | None:
        """The candidates on disk, of this generator and space: the choice may change while images are drawn."""
        present = if_readable(lambda: Candidates.load(self._preset.folder / CANDIDATES))
        if present is None or (present.origin.generator, present.space) != (self._origin.generator, self._draw.space):
            return None
        return present


def next_draw(preset: Preset, count: int) -> Draw:
    """A draw of `count` more images than exist; of all classes in turn for a conditional generator."""
    if preset.has_candidates and preset.candidates.origin.generator == preset.generator_sha256:
        present = preset.candidates.draw
        return msgspec.structs.replace(present, count=present.count + count)
    return Draw(count=count, class_="all" if read_architecture(preset.generator_path).c_dim else None)


Row = Float32[np.ndarray, "_"]


def _staying(preset: Preset, before: Candidates | None) -> dict[int, tuple[Row, Row]]:
    """Seeds, with latent and class weights, of the images that are chosen or paired."""
    if before is None:
        return {}
    file = preset.folder / PAIRS
    paired = Pairs.load(file).names if file.is_file() else ()
    return {
        seed: (latent, classes)
        for seed, latent, classes in zip(before.seeds, before.latents, before.classes, strict=True)
        if seed in before.kept or name_of(seed) in paired
    }


def _origin(preset: Preset) -> Origin:
    values: dict[str, Any] = dict(preset.controls)
    return Origin(preset.generator_sha256, values["truncation"], values["rotate"], tuple(values["translate"]))


def _before(preset: Preset, draw: Draw, origin: Origin) -> Candidates | None:
    """The present candidates, if they are of this generator and space: their choice is carried over."""
    if not preset.has_candidates:
        return None
    before = if_readable(lambda: preset.candidates, "making the candidates again; none is chosen")
    if before is None:
        return None
    if before.origin.generator != origin.generator:
        say("the preset has another generator now: making the candidates again; none is chosen")
        return None
    if before.space != draw.space and before.kept:
        raise UserError(
            f"the chosen candidates are in {before.space}, --space {draw.space} given; keep that space, or drop your choice: --drop all"
        )
    return before if before.space == draw.space else None


def _note(latent: Row, classes: Row, origin: Origin) -> str:
    return f"{hashlib.sha256(latent.tobytes() + classes.tobytes()).hexdigest()} {msgspec.json.encode(origin).decode()}"
