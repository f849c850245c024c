"""`ponticello demo`: the shipped preset with the shipped sound, as a film."""

import time
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from offline.options import example, new_app
from offline.progress import say
from offline.render import Job, check_overwriting, render
from offline.video.frame import FrameRequest
from shared.preset.preset import SHIPPED, Preset

SIZE = (1280, 720)  # the shipped generator draws them 456 x 256

NEXT = (
    "next: ponticello live glass (your microphone), ponticello live violin (a violin), ponticello render glass SOUND -o FILM.mp4, "
    "ponticello new (pictures of your own); OSC on port 57140: docs/osc.md"
)

DEFAULT = Path("demo.mp4")

app = new_app()


@app.command(epilog=example("ponticello demo", "ponticello demo -o demo.mov"))
def command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Film to write.")] = DEFAULT,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a stopped demo.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing film (demo.mp4 always is).")] = False,
) -> None:
    """Play the shipped preset with the shipped sound in a window; with an option, or without a screen, render them."""
    check_overwriting(output, force or output == DEFAULT, resume)
    preset = Preset.load(SHIPPED / "glass")
    sound = preset.folder / "sounds" / "glass.flac"
    say(f"rendering {sound.name} through the preset {preset.name}")
    began = time.monotonic()
    pictures = render(Job(preset, sound, frame=FrameRequest(SIZE, Fraction(*SIZE))), output, resume=resume)
    print(
        f"{output.resolve()}: {pictures} pictures in {time.monotonic() - began:.0f} s, sound included; open it in any player"
    )
    print(NEXT)
