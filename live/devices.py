"""`ponticello devices`: what there is to hear with, to play on, to show on and to compute with."""

import typer

from shared.errors import Failure
from shared.sound_card.client import Device, list_devices
from shared.sound_card.devices import Direction, channels_of


def sound_rows(direction: Direction, there: list[Device]) -> list[str]:
    """A line for each sound device of this direction."""
    lines = []
    for device in there:
        if count := channels_of(device, direction):
            channels = f"{count} channel{'s' * (count > 1)}"
            chosen = ", the default" * getattr(device, f"default_{direction}")
            lines.append(f"{device}, {channels}, {device.rate} Hz{chosen}")
    return lines or [f"no sound {direction}"]


def processor_rows() -> list[str]:
    """A line for each device that a generator can run on, the one that is chosen by itself first."""
    import torch

    from shared.image.device import devices as kinds

    lines = []
    for kind in kinds():
        if kind == "cuda":
            for number in range(torch.cuda.device_count()):
                about = torch.cuda.get_device_properties(number)
                lines.append(f"cuda:{number} {about.name}, {about.total_memory / 2**30:.0f} GiB")
        elif kind == "mps":
            lines.append("mps Apple's graphics processor")
        else:
            lines.append(f"cpu, {torch.get_num_threads()} threads")
    return lines


app = typer.Typer(add_completion=False)


@app.command()
def devices() -> None:
    """List the sound inputs and outputs, monitors and processors that the other commands can be given."""
    from live.display.monitors import probe

    try:
        there = list_devices()
        inputs, outputs = sound_rows("input", there), sound_rows("output", there)
    except Failure as error:
        inputs = outputs = [str(error)]
    screens = probe()
    for title, lines in (
        ("sound inputs (--input)", inputs),
        ("sound outputs (--output)", outputs),
        ("monitors (--display)", [str(monitor) for monitor in screens.monitors] or [screens.problem or "no monitor"]),
        ("processors (--device)", processor_rows()),
    ):
        typer.echo("\n  ".join([title, *lines]))
