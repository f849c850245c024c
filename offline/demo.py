"""`ponticello demo`: the shipped preset with the shipped sound, as a film."""

import time
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from offline.options import counted
from offline.progress import say
from offline.rendering.options import FILM, ForceOption, ResumeOption
from offline.rendering.render import Job, render
from offline.video.film_format import FormatRequest
from offline.video.writer import check_overwriting
from shared.command_line import example, new_app, option
from shared.preset.places import SHIPPED
from shared.preset.preset import Preset

SIZE = (1280, 720)  # the shipped generator draws them 456 x 256

NEXT = (
    "next: ponticello live glass (your microphone), ponticello live violin (a violin), ponticello render glass SOUND -o FILM.mp4, "
    "ponticello new (pictures of your own); OSC on port 57140: docs/osc.md"
)

DEFAULT = Path("demo.mp4")

app = new_app()


@app.command(epilog=example("ponticello demo", "ponticello demo -o demo.mov"))
def command(
    output: Annotated[
        Path,
        option(
            "--output",
            "-o",
            metavar="FILM|FOLDER",
            panel=FILM,
            help="Film to write: .mp4, .mov or .mkv, or a folder for PNG files. demo.mp4 is always replaced.",
        ),
    ] = DEFAULT,
    resume: ResumeOption = False,
    force: ForceOption = False,
) -> None:
    """Play the shipped preset with the shipped sound in a window; with an option, or without a screen, render them."""
    check_overwriting(output, force or output == DEFAULT, resume)
    preset = Preset.load(SHIPPED / "glass")
    sound = preset.folder / "sounds" / "glass.flac"
    say(f"rendering {sound.name} through the preset {preset.name}")
    began = time.monotonic()
    pictures = render(Job(preset, sound, format=FormatRequest(SIZE, Fraction(*SIZE))), output, resume=resume)
    print(
        f"{output.resolve()}: {counted(pictures, 'picture')} in {time.monotonic() - began:.0f} s, sound included; open it in any player"
    )
    print(NEXT)
