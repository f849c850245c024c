"""The shipped preset with the shipped sound, as a video."""

import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from offline.progress import say
from offline.render import Job, render
from shared.preset.preset import SHIPPED, Preset

SIZE = 512  # the shipped generator's pictures are small; this is how large they are shown

NEXT = (
    "next: ponticello live glass (your microphone), ponticello live violin (a violin), ponticello render glass SOUND -o FILM.mp4, "
    "ponticello new (pictures of your own); OSC on port 57140: docs/osc.md"
)

app = typer.Typer(add_completion=False)


@app.command()
def command(
    output: Annotated[Path, typer.Option("--output", "-o", help="The video to write.")] = Path("demo.mp4"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a stopped demo ended.")] = False,
) -> None:
    """Play the shipped preset with the shipped sound in a window; with an option, or without a screen, render them."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    preset = Preset.load(SHIPPED / "glass")
    sound = preset.folder / "sounds" / "glass.flac"
    say(f"rendering {sound.name} through the preset {preset.name}")
    began = time.monotonic()
    pictures = render(Job(preset, sound), output, size=SIZE, resume=resume)
    print(
        f"{output.resolve()}: {pictures} pictures in {time.monotonic() - began:.0f} s, sound included; open it in any player"
    )
    print(NEXT)
