"""`ponticello devices`: what there is to hear with, to play on, to show on and to compute with; and how a device is named."""

from typing import Literal

import typer

from live.sound_link import Device, list_devices
from shared.errors import Failure, UserError

Direction = Literal["input", "output"]


def find(given: str | None, direction: Direction, devices: list[Device]) -> Device:
    """The device that is meant: by its number, by part of its name (host API included), or the system's default for None.

    Words may be parts of words, in any case; all must be there. A whole name wins over parts of others. Raises UserError
    that lists the candidates where none or more than one is meant.
    """
    allowed = [device for device in devices if channels_of(device, direction) > 0]
    if not allowed:
        raise UserError(f"this machine has no sound {direction}; plug one in, or name a sound file or osc as --input")
    if given is None:
        defaults = [device for device in allowed if getattr(device, f"default_{direction}")]
        return (defaults or allowed)[0]
    if given.isdecimal():
        matching = [device for device in allowed if device.number == int(given)]
        what = f"no {direction} has number {given}"
    else:
        words = given.lower().split()
        matching = [device for device in allowed if all(w in f"{device.name} {device.host_api}".lower() for w in words)]
        exact = [device for device in matching if given.lower() == device.name.lower()]
        matching = exact if len(exact) == 1 else matching
        what = f"no {direction} matching '{given}'"
    if len(matching) > 1:
        raise UserError(
            f"{len(matching)} {direction}s match '{given}': {listing(matching)}; give a number or more of the name"
        )
    if not matching:
        raise UserError(f"{what}; there are: {listing(allowed)}")
    return matching[0]


def listing(devices: list[Device]) -> str:
    """The devices in one line."""
    return ", ".join(str(device) for device in devices)


def channels_of(device: Device, direction: Direction) -> int:
    """How many channels the device has in this direction."""
    return device.inputs if direction == "input" else device.outputs


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
    from live.monitors import probe

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
