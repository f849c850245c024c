"""`ponticello candidates`: images to choose from, the artist's choice among them, and a proposal."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray

from offline.options import DeviceOption, PresetArgument, counted, example, new_app
from offline.pictures import note_of, read_png, thumbnail, write_png, write_sheet
from offline.progress import progress, say
from offline.sampling import appearance, farthest_point_sampling
from offline.writable import writable
from shared.atomic import make_folder
from shared.errors import PresetError, SettingError, UserError, pasted
from shared.image.checkpoint import read_architecture
from shared.image.latents import latents_from_seeds
from shared.preset.candidates import THUMBNAIL, Candidates, Draw, Origin, name_of
from shared.preset.history import PAIRS, save_choice
from shared.preset.lock import preset_lock
from shared.preset.pairs import LatentSpace, Pairs
from shared.preset.preset import CANDIDATES, Preset

MOST = 10_000
SAVED_S = 1.0  # so often images that are made so far become candidates
LARGEST_IMAGE = 512  # pixels a side of a single image's file: a render shows it whole
SHEET, PROPOSAL = "candidates.png", "proposal.png"


def draw_candidates(preset: Preset, draw: Draw, device: str | None = None) -> Candidates:
    """Make the images of a draw and write them as the preset's candidates; what is there of them is used as it is.

    Images that the artist has chosen or paired stay, whatever their seeds. Writes candidates.safetensors, images/seed17.png, ...
    and candidates.png. A broken-off draw goes on where it was. Raises SettingError or PresetError for a draw that the
    generator cannot make.
    """
    if not 1 <= draw.count <= MOST:
        raise SettingError(f"-n {draw.count} given; allowed are 1 to {MOST}")
    if not 0 <= draw.first <= 2**32 - draw.count:
        raise SettingError(f"--seed {draw.first} given; allowed are 0 to {2**32 - draw.count}")  # what numpy takes
    origin = _origin(preset)
    before = _before(preset, draw, origin)
    kept = before.kept if before else frozenset[int]()
    names = paired(preset)
    staying = {seed for seed in before.seeds if seed in kept or name_of(seed) in names} if before else set()
    seeds = sorted({*range(draw.first, draw.first + draw.count), *staying})
    latents = draw_latents(preset, draw, seeds)
    if before:  # a chosen image stays what it is, and a paired one
        for seed in staying:
            latents[seeds.index(seed)] = before.latents[before.seeds.index(seed)]
    notes = [_note(latent, origin) for latent in latents]
    folder = preset.folder / "images"
    make_folder(folder)
    missing = [i for i, seed in enumerate(seeds) if note_of(image_file(preset, seed)) != notes[i]]
    is_shown = (preset.folder / SHEET).is_file()
    if before and not missing and is_shown and (before.seeds, before.draw) == (tuple(seeds), draw):
        say(f"{preset.folder / CANDIDATES} holds these {counted(len(seeds), 'image')} already; nothing to do")
        return before
    thumbnails = _thumbnails(preset, before, {seed for i, seed in enumerate(seeds) if i not in set(missing)})

    def save() -> Candidates:
        """Write the images that are made so far, with the choice as it is now: it may be changed meanwhile."""
        made = [i for i, seed in enumerate(seeds) if seed in thumbnails]
        with preset_lock(preset.folder):
            so_far = Candidates(
                tuple(seeds[i] for i in made),
                latents[made],
                np.stack([thumbnails[seeds[i]] for i in made]),
                origin,
                draw,
                _choice_now(preset, draw, origin) & {seeds[i] for i in made},
            )
            so_far.save(preset.folder / CANDIDATES)
        return so_far

    grows = before is None or set(before.seeds) <= set(seeds)  # else a draw that is broken off leaves the old one whole
    saved = time.monotonic()
    try:
        for number in _paint(preset, draw.space, [(seeds[i], latents[i], notes[i]) for i in missing], device):
            seed = seeds[missing[number]]
            thumbnails[seed] = thumbnail(read_png(image_file(preset, seed)), THUMBNAIL)
            if grows and time.monotonic() - saved >= SAVED_S:
                save()
                saved = time.monotonic()
    except BaseException:
        if grows and thumbnails:
            save()
        raise
    made = save()
    if before and (gone := len(set(before.seeds) - set(seeds))):
        again = f"-n {before.draw.count} --seed {before.draw.first}"
        say(f"{counted(gone, 'image')} not chosen, removed; {again} brings them back")
    write_contact_sheet(preset, made)
    ours = {image_file(preset, seed) for seed in seeds}
    for file in folder.glob("seed*.png"):
        if file not in ours and note_of(file):  # of an earlier draw; what the program did not make stays
            file.unlink()
    return made


def next_draw(preset: Preset, count: int) -> Draw:
    """A draw of `count` images more than there are; the first class in w, where the generator has classes."""
    if preset.has_candidates and preset.candidates.origin.generator == preset.generator_sha256:
        there = preset.candidates.draw
        return msgspec.structs.replace(there, count=there.count + count)
    if read_architecture(preset.generator_path).c_dim:
        return Draw(count=count, space="w", class_=0)
    return Draw(count=count)


def _choice_now(preset: Preset, draw: Draw, origin: Origin) -> frozenset[int]:
    """The artist's choice on disk, of candidates of this generator and space."""
    try:
        there = Candidates.load(preset.folder / CANDIDATES)
    except PresetError:  # none yet, or damaged
        return frozenset()
    return there.kept if (there.origin.generator, there.space) == (origin.generator, draw.space) else frozenset()


def _thumbnails(preset: Preset, before: Candidates | None, seeds: set[int]) -> dict[int, UInt8[np.ndarray, "16 16 3"]]:
    """Those of images that are made already: as they are known, else from their files."""
    known = {} if before is None else dict(zip(before.seeds, before.thumbnails, strict=True))
    return {
        seed: known[seed] if seed in known else thumbnail(read_png(image_file(preset, seed)), THUMBNAIL)
        for seed in seeds
    }


def draw_latents(preset: Preset, draw: Draw, seeds: list[int]) -> Float32[np.ndarray, "n latent"]:
    """The latents of seeds in the draw's space and class. SettingError where the generator has no such class or space."""
    path = preset.generator_path
    architecture = read_architecture(path)
    if draw.class_ is not None and not 0 <= draw.class_ < architecture.c_dim:
        has = f"classes 0 to {architecture.c_dim - 1}" if architecture.c_dim else "no classes"
        raise SettingError(f"--class {draw.class_} given; {path.name} has {has}")
    if architecture.c_dim and (draw.space == "z" or draw.class_ is None):
        raise SettingError(
            f"{path.name} is conditional: it draws a z only together with a class; give --space w --class N "
            f"(0 to {architecture.c_dim - 1})"
        )
    z = latents_from_seeds(seeds, architecture.z_dim)
    if draw.space == "z":
        return z
    import torch

    from shared.image.generator import load_generator

    generator = load_generator(path)
    c = None
    if draw.class_ is not None:
        c = torch.zeros(1, architecture.c_dim)
        c[0, draw.class_] = 1
    return np.stack([generator.map(torch.from_numpy(row)[None], c)[0, 0].numpy() for row in z])


def paired(preset: Preset) -> tuple[str, ...]:
    """Names of images that are paired with sounds."""
    file = preset.folder / PAIRS
    return Pairs.load(file).names if file.is_file() else ()


def image_file(preset: Preset, seed: int) -> Path:
    """Where a candidate's single image is."""
    return preset.folder / "images" / f"{name_of(seed)}.png"


def choose(preset: Preset, keep: Iterable[int] = (), drop: Iterable[int] | None = ()) -> Candidates:
    """Add seeds to the artist's choice and take others out of it (None: all); gives the candidates as they now are."""
    candidates = preset.candidates
    known = set(candidates.seeds)
    wanted, unwanted = set(keep), set(candidates.kept if drop is None else drop)
    if unknown := (wanted | unwanted) - known:
        raise SettingError(f"no candidate {min(unknown)}; there are {len(known)}: {spans(known)}")
    kept = (candidates.kept | wanted) - unwanted
    candidates = save_choice(preset.folder, candidates, kept)
    write_contact_sheet(preset, candidates)
    return candidates


def propose(preset: Preset, count: int) -> list[int]:
    """Seeds of images that are far apart in what is seen, and far from those that are chosen already; marks nothing."""
    candidates = preset.candidates
    kept = np.array([i for i, seed in enumerate(candidates.seeds) if seed in candidates.kept], np.int64)
    if len(kept) == len(candidates):
        raise SettingError(f"all {len(kept)} candidates are chosen already; make more: -n {2 * len(kept)}")
    found = farthest_point_sampling(appearance(candidates.thumbnails), count, kept)
    return [candidates.seeds[i] for i in found]


def write_contact_sheet(
    preset: Preset, candidates: Candidates, seeds: Iterable[int] | None = None, name: str = SHEET
) -> bool:
    """All candidates in the order of their seeds, or these, the chosen ones framed; not written where an image is missing."""
    wanted = candidates.seeds if seeds is None else tuple(seeds)
    pictures = [(str(seed), image_file(preset, seed), seed in candidates.kept) for seed in wanted]
    if missing := [file for _, file, _ in pictures if not file.is_file()]:
        say(f"{missing[0]} is missing; `ponticello candidates {pasted(preset.folder)}` makes it again")
        return False
    write_sheet(preset.folder / name, pictures)
    return True


def _origin(preset: Preset) -> Origin:
    values: dict[str, Any] = dict(preset.controls)
    return Origin(preset.generator_sha256, values["truncation"], values["rotate"], tuple(values["translate"]))


def _before(preset: Preset, draw: Draw, origin: Origin) -> Candidates | None:
    """The candidates that are there, if they are of this generator: their choice is carried on."""
    if not preset.has_candidates:
        return None
    try:
        before = preset.candidates
    except PresetError as error:
        say(f"{error}: they are made anew, nothing of them is chosen")
        return None
    if before.origin.generator != origin.generator:
        say("the generator is another one: the candidates are made anew, nothing of them is chosen")
        return None
    if before.space != draw.space and before.kept:
        raise UserError(
            f"the chosen candidates are in {before.space}, --space {draw.space} given; keep to one, or let them go: --drop all"
        )
    return before if before.space == draw.space else None


def _note(latent: Float32[np.ndarray, "latent"], origin: Origin) -> str:
    return f"{hashlib.sha256(latent.tobytes()).hexdigest()} {msgspec.json.encode(origin).decode()}"


def _paint(
    preset: Preset,
    space: LatentSpace,
    missing: list[tuple[int, Float32[np.ndarray, "latent"], str]],
    device: str | None,
) -> Iterator[int]:
    """Make the images of these seeds, latents and notes, with the preset's truncation and motion; gives the number of each
    that is made.
    """
    from shared.image.device import pick_device
    from shared.image.threads import side_by_side
    from shared.painter import Painter
    from shared.picture import Picture

    painter = Painter(pick_device(device))
    generator = painter.load_untrained(preset)
    values: dict[str, Any] = dict(preset.controls)
    look = values["truncation"], values["rotate"], values["translate"]

    def make(entry: tuple[int, NDArray[np.float32], str]) -> None:
        seed, latent, note = entry
        image = painter.paint(Picture(preset.generator_sha256, latent, space, *look, 1.0))
        write_png(image_file(preset, seed), image.cpu().numpy(), note, LARGEST_IMAGE)

    at_once = None if generator.device.type == "cpu" else 1
    with closing(side_by_side(make, missing, at_once)) as images, progress("images", len(missing)) as advance:
        for done, _ in enumerate(images, 1):
            yield done - 1
            advance(done)


def parse_seeds(text: str) -> list[int]:
    """`3,17,20-22` (or `seed3`) as numbers. Raises SettingError for what is none."""
    seeds: list[int] = []
    for part in text.replace("seed", "").split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or not (last.isdecimal() if dash else not last):
            raise SettingError(f"'{text}' given; allowed are numbers of candidates, such as 3,17,20-22")
        span = range(int(first), int(last or first) + 1)
        if not 1 <= len(span) <= MOST:
            raise SettingError(
                f"'{part}' given; a span goes from a lower number to a higher, such as 20-22, and holds {MOST} at most"
            )
        seeds += span
    return seeds


app = new_app()
DRAW, CHOICE = "Images", "Choice"  # panels of --help


@app.command(
    epilog=example("ponticello candidates mine -n 500", "ponticello candidates mine --keep 3,17,40-44 --spread 17")
)
def command(
    preset: PresetArgument,
    count: Annotated[
        int | None,
        typer.Option("-n", help="Number of images.", show_default="as before, 500 at first", rich_help_panel=DRAW),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Random seed of the first image; the others follow. Images of other seeds go, unless chosen or paired.",
            show_default="as before, 0 at first",
            rich_help_panel=DRAW,
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(help="Add these images to your choice: 3,17,20-22.", metavar="NUMBERS", rich_help_panel=CHOICE),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(
            help="Remove these images, or `all`, from your choice.", metavar="NUMBERS", rich_help_panel=CHOICE
        ),
    ] = None,
    spread: Annotated[
        int | None,
        typer.Option(
            help="Propose this number of images that look as different as possible; chooses nothing.",
            min=1,
            rich_help_panel=CHOICE,
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Latent space in which images are kept: z or w.",
            show_default="as before, z at first",
            rich_help_panel=DRAW,
        ),
    ] = None,
    class_: Annotated[
        int | None,
        typer.Option("--class", help="Class to draw, for a conditional generator; needs w.", rich_help_panel=DRAW),
    ] = None,
    device: DeviceOption = None,
) -> None:
    """Make images to choose from (candidates.png, images/), and choose among them."""
    choosing = not (keep is None and drop is None and spread is None)
    drawing = not (count is None and seed is None and space is None and class_ is None)
    kept = parse_seeds(keep) if keep else []
    dropped = None if drop == "all" else parse_seeds(drop) if drop else []
    with writable(preset) as own:
        if drawing or not choosing:
            made = draw_candidates(own, _draw(own, count, seed, space, class_), device)
            print(f"{own.folder / SHEET}: {counted(len(made), 'image')}, {len(made.kept)} of them chosen")
        if keep is not None or drop is not None:
            before = Preset.load(own.folder).candidates.kept
            chosen = choose(Preset.load(own.folder), kept, dropped)
            print(f"{len(chosen.kept)} of {len(chosen)} chosen: {listed(chosen.kept)}")
            if gone := before - chosen.kept:
                say(f"--keep {listed(gone)} brings back what was taken out")
        if spread is not None:
            now = Preset.load(own.folder)
            proposed = propose(now, spread)
            if write_contact_sheet(now, now.candidates, proposed, PROPOSAL):
                print(f"{now.folder / PROPOSAL}: {counted(len(proposed), 'image')} that look different")
            print(f"to choose them: ponticello candidates {pasted(now.folder)} --keep {listed(proposed)}")


def spans(seeds: Iterable[int]) -> str:
    """As --keep takes them, neighbours as spans; the first few."""
    found: list[list[int]] = []
    for seed in sorted(seeds):
        if found and seed == found[-1][-1] + 1:
            found[-1][1:] = [seed]
        else:
            found.append([seed])
    return ",".join("-".join(map(str, span)) for span in found[:20]) + (",…" if len(found) > 20 else "")


def listed(seeds: Iterable[int]) -> str:
    """As --keep takes them."""
    return ",".join(map(str, sorted(seeds))) or "none"


def _draw(preset: Preset, count: int | None, seed: int | None, space: str | None, class_: int | None) -> Draw:
    """What was asked for; where it was not said, as the candidates that are there."""
    try:
        there = preset.candidates.draw if preset.has_candidates else Draw()
    except PresetError:  # what is wrong is told where they are made anew
        there = Draw()
    if space not in (None, "z", "w"):
        raise SettingError(f"--space {space} given; allowed are z and w")
    wanted: LatentSpace = there.space if space is None else "w" if space == "w" else "z"
    if class_ is not None and wanted == "z":
        raise SettingError("--class belongs to --space w; give both")
    return Draw(
        there.first if seed is None else seed,
        there.count if count is None else count,
        wanted,
        class_ if class_ is not None or wanted == "z" else there.class_,
    )
