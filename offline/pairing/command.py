"""`ponticello pair`: images and moments of sound belong together."""

from typing import Annotated

import typer

from offline.own import writable
from offline.pairing.automatic import METHODS
from offline.pairing.session import Pairing
from offline.progress import say
from shared.errors import SettingError
from shared.preset import Preset

ACTIONS = ("--auto", "--place", "--at", "--remove", "--undo", "--list")

app = typer.Typer(add_completion=False)


@app.command()
def command(
    preset: Annotated[str, typer.Argument(help="A preset's folder, or a shipped preset's name.")],
    auto: Annotated[
        str | None, typer.Option(help=f"Pair without an artist, instead of all pairs: {', '.join(METHODS)}.")
    ] = None,
    count: Annotated[int, typer.Option(help="How many, for --auto; fewer where there are fewer images.")] = 17,
    seed: Annotated[int, typer.Option(help="For --auto.", min=0, max=2**32 - 1)] = 0,
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
    list_: Annotated[bool, typer.Option("--list", help="List the pairs.")] = False,
) -> None:
    """Pair images with moments of sound, one by one or by a method; ends with the list of pairs."""
    given = dict(zip(ACTIONS, (auto, place, at, remove, undo or None, list_ or None), strict=True))
    asked = [name for name, value in given.items() if value is not None]
    if len(asked) != 1:
        given_words = f"{' and '.join(asked)} given" if asked else "nothing asked for"
        raise SettingError(f"{given_words}; one of these at a time: {', '.join(ACTIONS)}")
    if auto is not None and auto not in METHODS:
        raise SettingError(f"--auto {auto} given; allowed are: {', '.join(METHODS)}")
    if sound is not None and at is None:
        raise SettingError("--sound belongs to --at; give both")
    pairing = Pairing(Preset.load(preset) if list_ else writable(preset))
    if auto is not None:
        made = pairing.auto(auto, count, seed)
        if made < count:
            say(f"{count} asked for; there are images or different sounds for {made}")
    elif place is not None:
        pairing.place(*place)
    elif at is not None:
        pairing.at(*at, sound)
    elif remove == "all":
        pairing.clear()
    elif remove is not None:
        pairing.remove(remove)
    elif undo:
        pairing.undo()
    for number, name in enumerate(pairing.pairs.names):
        x, y = pairing.pairs.positions[number]
        print(f"{name:<16} {x:5.3f} {y:5.3f}   {pairing.moment(number)}")
    if not list_:
        say(f"{len(pairing.pairs)} pairs, drawn in map.png; next: ponticello train {pairing.preset.folder}")
