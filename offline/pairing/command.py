"""`ponticello pair`: images and moments of sound belong together."""

from typing import Annotated

import typer

from offline.pairing.automatic import METHODS
from offline.pairing.session import Pairing, clear
from offline.progress import say
from offline.writable import writable
from shared.errors import SettingError, pasted
from shared.preset import Preset, history

COUNT = 17  # the paper's
ACTIONS = ("--auto", "--place", "--at", "--remove", "--undo", "--redo", "--list")

app = typer.Typer(add_completion=False)


@app.command()
def command(
    preset: Annotated[str, typer.Argument(help="A preset's folder, or a shipped preset's name.")],
    auto: Annotated[
        str | None, typer.Option(help=f"Pair without an artist, instead of all pairs: {', '.join(METHODS)}.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(help=f"How many, for --auto: {COUNT}, or fewer where there are fewer images.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="For --auto: 0.", min=0, max=2**32 - 1)] = None,
    place: Annotated[
        tuple[str, float, float] | None,
        typer.Option(help="Put an image on the map (map.png): paired with the nearest moment.", metavar="IMAGE X Y"),
    ] = None,
    at: Annotated[
        tuple[str, float] | None,
        typer.Option(help="Pair an image with a moment of the sound.", metavar="IMAGE SECONDS"),
    ] = None,
    sound: Annotated[str | None, typer.Option(help="Which sound --at means, where there are several.")] = None,
    remove: Annotated[str | None, typer.Option(help="Take one pair away, or `all`.", metavar="IMAGE")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last change back; again, the one before.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Bring back what --undo took back last.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the pairs.")] = False,
) -> None:
    """Pair images with moments of sound, one by one or by a method; ends with the list of pairs."""
    given = dict(zip(ACTIONS, (auto, place, at, remove, undo or None, redo or None, list_ or None), strict=True))
    asked = [name for name, value in given.items() if value is not None]
    if len(asked) != 1:
        given_words = f"{' and '.join(asked)} given" if asked else "nothing asked for"
        raise SettingError(f"{given_words}; one of these at a time: {', '.join(ACTIONS)}")
    if auto is not None and auto not in METHODS:
        raise SettingError(f"--auto {auto} given; allowed are: {', '.join(METHODS)}")
    if sound is not None and at is None:
        raise SettingError("--sound belongs to --at; give both")
    if auto is None and not (count is None and seed is None):
        raise SettingError("--count and --seed belong to --auto; give both")
    if list_:
        show(Pairing(Preset.load(preset)))
        return
    with writable(preset) as own:
        if undo:
            history.undo(own.folder)
        elif redo:
            history.redo(own.folder)
        elif remove == "all":
            clear(own)
        pairing = Pairing(own)
        if auto is not None:
            wanted = COUNT if count is None else count
            made = pairing.auto(auto, wanted, seed or 0)
            if made < wanted:
                chosen = len(own.candidates.kept)
                say(
                    f"{wanted} asked for; there are images or different sounds for {made}"
                    + (
                        f"; {chosen} images are chosen: --keep more of them, or --drop all to take from all"
                        if 0 < chosen < wanted
                        else ""
                    )
                )
        elif place is not None:
            pairing.place(*place)
        elif at is not None:
            pairing.at(*at, sound)
        elif remove not in (None, "all"):
            pairing.remove(str(remove))
        else:
            pairing.draw()
        show(pairing)
        say(f"{len(pairing.pairs)} pairs; next: ponticello train {pasted(own.folder)}")


def show(pairing: Pairing) -> None:
    """List the pairs: image, place on the map, moment of sound."""
    if not len(pairing.pairs):
        say("no pairs yet")
    for number, name in enumerate(pairing.pairs.names):
        x, y = pairing.pairs.positions[number]
        print(f"{name:<16} {x:5.3f} {y:5.3f}   {pairing.moment(number)}".rstrip())
