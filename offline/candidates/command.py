"""`ponticello candidates`: images to choose from, the artist's choice among them, and a proposal."""

from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np

from offline.candidates.appearance import appearance
from offline.candidates.drawing import MOST, draw_candidates
from offline.candidates.files import PROPOSAL, SHEET, write_contact_sheet
from offline.options import PresetArgument, counted
from offline.progress import say
from offline.readable import if_readable
from offline.writable import writable
from shared.command_line import DeviceOption, example, new_app, option
from shared.errors import SettingError, pasted
from shared.image.checkpoint import read_architecture
from shared.mapping.sampling import farthest_point_sampling
from shared.preset import Preset
from shared.preset.candidates import Candidates, Draw
from shared.preset.history import save_choice
from shared.preset.lock import preset_lock
from shared.preset.pairs import LatentSpace


def choose(preset: Preset, keep: Iterable[int] = (), drop: Iterable[int] | None = ()) -> Candidates:
    """Add seeds to the artist's choice and remove others (None: all); return the candidates as they are now."""
    with preset_lock(preset.folder):
        candidates = Preset.load(preset.folder).candidates
        known = set(candidates.seeds)
        wanted, unwanted = set(keep), set(candidates.kept if drop is None else drop)
        if unknown := (wanted | unwanted) - known:
            raise SettingError(f"no candidate {min(unknown)}; there are {len(known)}: {spans(known)}")
        kept = (candidates.kept | wanted) - unwanted
        candidates = save_choice(preset.folder, candidates, kept)
    write_contact_sheet(preset, candidates)
    return candidates


def propose(preset: Preset, count: int) -> list[int]:
    """Seeds of images that look different from each other and from the chosen ones. Chooses nothing."""
    candidates = preset.candidates
    kept = np.array([i for i, seed in enumerate(candidates.seeds) if seed in candidates.kept], np.int64)
    if len(kept) == len(candidates):
        raise SettingError(f"all {len(kept)} candidates are chosen already; make more: -n {2 * len(kept)}")
    found = farthest_point_sampling(appearance(candidates.thumbnails), count, kept)
    return [candidates.seeds[i] for i in found]


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
        option("-n", metavar="NUMBER", panel=DRAW, help="Number of images.", show_default="as before, 500 at first"),
    ] = None,
    seed: Annotated[
        int | None,
        option(
            "--seed",
            panel=DRAW,
            help="Random seed of the first image; the others follow. Images of other seeds are removed, unless chosen or "
            "paired.",
            show_default="as before, 0 at first",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        option("--keep", metavar="NUMBERS", panel=CHOICE, help="Add these images to your choice: 3,17,20-22."),
    ] = None,
    drop: Annotated[
        str | None,
        option("--drop", metavar="NUMBERS", panel=CHOICE, help="Remove these images, or `all`, from your choice."),
    ] = None,
    spread: Annotated[
        int | None,
        option(
            "--spread",
            metavar="NUMBER",
            panel=CHOICE,
            help="Propose this number of images that look as different as possible; chooses nothing.",
            min=1,
        ),
    ] = None,
    space: Annotated[
        str | None,
        option(
            "--space",
            metavar="z|w",
            panel=DRAW,
            help="Latent space in which images are kept.",
            show_default="as before, z at first",
        ),
    ] = None,
    class_: Annotated[
        str | None,
        option(
            "--class",
            metavar="N|all",
            panel=DRAW,
            help="Class to draw, for a conditional generator: a number from 0, or each in turn.",
            show_default="as before, all at first",
        ),
    ] = None,
    device: DeviceOption = None,
) -> None:
    """Make images to choose from (candidates.png, images/), and choose among them."""
    choosing = not (keep is None and drop is None and spread is None)
    drawing = not (count is None and seed is None and space is None and class_ is None)
    kept = parse_seeds(keep) if keep else []
    dropped = None if drop == "all" else parse_seeds(drop) if drop else []
    with writable(preset, held=False) as own:
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


def _draw(preset: Preset, count: int | None, seed: int | None, space: str | None, class_: str | None) -> Draw:
    """The draw that the options describe; what they leave out is as in the present candidates."""
    candidates = if_readable(lambda: preset.candidates)  # damage is reported when they are made again
    present = Draw() if candidates is None else candidates.draw
    if space not in (None, "z", "w"):
        raise SettingError(f"--space {space} given; allowed are z and w")
    wanted: LatentSpace = present.space if space is None else "w" if space == "w" else "z"
    if class_ is not None and class_ != "all" and not (class_.isascii() and class_.isdecimal() and len(class_) < 6):
        raise SettingError(f"--class {class_} given; allowed are a number from 0 and `all`")
    chosen: int | Literal["all"] | None = present.class_
    if class_ is not None:
        chosen = "all" if class_ == "all" else int(class_)
    elif chosen is None and read_architecture(preset.generator_path).c_dim:
        chosen = "all"
    return Draw(
        present.first if seed is None else seed,
        present.count if count is None else count,
        wanted,
        chosen,
    )
