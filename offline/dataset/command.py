"""`ponticello dataset`: films and pictures to a data set for training."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from offline.dataset.archive import GrowingArchive
from offline.dataset.contact_sheet import write_contact_sheet
from offline.dataset.conversion import Counts, Making, check_labels, convert, counts, listing
from offline.dataset.film_facts import FilmFacts, film_facts
from offline.dataset.left_out import LeftOut, Omission, reasons, write_list
from offline.dataset.likeness import THRESHOLD
from offline.dataset.reader import Dataset
from offline.dataset.selection import Selection
from offline.dataset.sources import FilmFile, Sources, find_sources
from offline.dataset.square import FORMS, Crop
from offline.dataset.stills import parse_colour
from offline.options import PICTURES, RESULT, counted
from offline.progress import progress, say
from shared.command_line import example, new_app, option
from shared.errors import Stopped, UserError, pasted, printable

SIZES = [16 << i for i in range(9)]  # pixels
FILMS = "Films"

app = new_app()


def make_dataset(paths: list[Path], output: Path, making: Making, *, force: bool = False) -> Counts:
    """Make the zip of a data set, or continue one that was interrupted. Raises UserError, Stopped."""
    if output.suffix != ".zip":
        raise UserError(f"the output is {output}; name a file that ends in .zip")
    if making.size not in SIZES:
        raise UserError(f"--size {making.size} given; allowed are {', '.join(map(str, SIZES))}")
    sources = find_sources(paths)
    items = sources.items
    if making.labels:
        check_labels(items)
    if sources.labelled and not making.labels:
        say(f"{sources.labelled[0]} has labels; they are not used without --labels")
    with GrowingArchive(output, _settings(sources, making), force=force) as archive:
        facts, unreadable = _film_facts(sources)
        total = sum(
            1 if number not in facts else making.selection.estimate(facts[number]) for number in range(len(items))
        )
        _announce(output, archive, sources, making, total)
        try:
            with progress("reading pictures", max(total, 1)) as advance:
                convert(archive, items, facts, making, lambda done: advance(min(done, max(total, 1))))
        except KeyboardInterrupt:
            raise Stopped(f"stopped after {_pictures(archive.count)}; the same command continues") from None
        made = counts(archive.lines, items)
        made = made._replace(omissions=[*sources.left_out, *unreadable, *made.omissions])
        if not made.pictures:
            why = f": {made.omissions[0].source}: {made.omissions[0].reason}" if made.omissions else ""
            raise UserError(f"no picture could be used{printable(why)}")
        archive.finish(listing(archive.lines, items, use_labels=making.labels))
    return made


def _settings(sources: Sources, making: Making) -> object:
    """Facts that must not change for an interrupted run to continue: the sources and the settings."""
    return [
        json.loads(json.dumps(asdict(making), default=str)),
        [[item.name, *item.identity] for item in sources.items],
    ]


def _film_facts(sources: Sources) -> tuple[dict[int, FilmFacts], list[Omission]]:
    facts, unreadable = {}, []
    for number, item in enumerate(sources.items):
        if isinstance(item, FilmFile):
            try:
                facts[number] = film_facts(item.path)
            except LeftOut as error:
                unreadable.append(Omission(item.name, str(error)))
    return facts, unreadable


def _announce(output: Path, archive: GrowingArchive, sources: Sources, making: Making, total: int) -> None:
    films = sum(isinstance(item, FilmFile) for item in sources.items)
    kinds = [
        counted(number, noun)
        for number, noun in ((films, "film"), (len(sources.items) - films, "picture file"))
        if number
    ]
    say(f"{' and '.join(kinds)}, about {_pictures(total)} to read")
    if archive.lines:
        say(f"continuing: {_pictures(archive.count)} are in the data set already")
    needed = (total - len(archive.lines)) * making.size**2 * (1 if making.grey else 3) * (2 if making.mirror else 1)
    free = shutil.disk_usage(output.parent).free
    if needed > free and making.distinct is None:
        say(
            f"about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free; use --every, --ranges or another disk"
        )


def _pictures(number: int) -> str:
    return f"{number:,} picture{'' if number == 1 else 's'}"


@app.command(
    epilog=example(
        "ponticello dataset breaking.mp4 -o glass.zip --size 512 --every 4",
        "ponticello dataset photos/ films/ -o ink.zip --labels --distinct",
    )
)
def command(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="VIDEO|FOLDER|ZIP...", help="Films, pictures, folders and zips of them.", show_default=False
        ),
    ],
    output: Annotated[
        Path,
        option("-o", "--output", metavar="DATA.zip", panel=RESULT, help="Where to write.", show_default=False),
    ],
    size: Annotated[int, option("--size", panel=RESULT, help="Pixels a side: a power of two.")] = 1024,
    labels: Annotated[
        bool,
        option("--labels", panel=RESULT, help="Give each picture a class: the folder below the given one."),
    ] = False,
    mirror: Annotated[
        bool,
        option("--mirror", panel=RESULT, help="Add a copy of each picture, flipped left to right."),
    ] = False,
    grey: Annotated[bool, option("--grey", panel=RESULT, help="One channel instead of RGB.")] = False,
    force: Annotated[
        bool, option("--force", panel=RESULT, help="Replace DATA.zip and start from the beginning.")
    ] = False,
    crop: Annotated[
        str, option("--crop", metavar="CROP", panel=PICTURES, help=f"Squares to cut out: {FORMS}.")
    ] = "centre",
    background: Annotated[
        str, option("--background", metavar="COLOUR", panel=PICTURES, help="Colour behind transparent pictures.")
    ] = "black",
    distinct: Annotated[bool, option("--distinct", panel=PICTURES, help="Leave out near-duplicates.")] = False,
    likeness: Annotated[
        float,
        option(
            "--likeness",
            panel=PICTURES,
            help="With --distinct: largest difference between near-duplicates, in grey levels of any block of 16 x 16.",
        ),
    ] = THRESHOLD,
    every: Annotated[int, option("--every", metavar="N", panel=FILMS, help="Take every N-th frame.")] = 1,
    ranges: Annotated[
        str | None,
        option(
            "--ranges",
            metavar="START-END,...",
            panel=FILMS,
            help="Take only these times, such as 00:12-00:19,1:02-1:04.5.",
        ),
    ] = None,
    deinterlace: Annotated[
        bool,
        option("--deinterlace", panel=FILMS, help="Deinterlace all frames, not only those marked as interlaced."),
    ] = False,
) -> None:
    """Make a data set of square pictures for training. If it is interrupted, the same command continues it."""
    if not 0 <= likeness <= 255:
        raise UserError(f"--likeness {likeness} given; allowed are 0 to 255 grey levels")
    making = Making(
        size,
        Selection.parse(every, ranges),
        Crop.parse(crop),
        parse_colour(background),
        grey,
        mirror,
        likeness if distinct else None,
        deinterlace,
        labels,
    )
    made = make_dataset(sources, output, making, force=force)
    sheet, left_out = (output.with_name(f"{output.stem}-{name}") for name in ("sheet.png", "left-out.csv"))
    dataset = Dataset(output, use_labels=labels)
    write_contact_sheet(sheet, dataset)
    left_out.unlink(missing_ok=True)
    if made.omissions:
        write_list(left_out, made.omissions)
        for line in reasons(made.omissions):
            say(printable(line))
        say(f"all that was left out: {left_out}")
    if made.enlarged:
        say(f"{_pictures(made.enlarged)} were smaller than {size} pixels and are enlarged")
    print(f"{output}: {_pictures(made.pictures)} of {size} x {size} from {made.frames:,} read")
    if labels:
        print(printable(dataset.describe_labels()))
    print(f"contact sheet: {pasted(sheet)}")
