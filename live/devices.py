"""`ponticello devices`: sound inputs and outputs, monitors and processors."""

import typer

from shared.command_line import example, new_app
from shared.errors import Failure, printable
from shared.sound_card.client import Device, list_devices
from shared.sound_card.devices import Direction, channels_of


def sound_rows(direction: Direction, devices: list[Device]) -> list[str]:
    """One line per sound device of this direction."""
    lines = []
    for device in devices:
        if count := channels_of(device, direction):
            channels = f"{count} channel{'s' * (count > 1)}"
            chosen = ", the default" * getattr(device, f"default_{direction}")
            lines.append(f"{device}, {channels}, {device.rate} Hz{chosen}")
    return lines or [f"no sound {direction}"]


def processor_rows() -> list[str]:
    """One line per device that can run a generator, the default one first."""
    import torch

    from shared.image.device import devices

    lines = []
    for kind in devices():
        if kind == "cuda":
            for number in range(torch.cuda.device_count()):
                about = torch.cuda.get_device_properties(number)
                lines.append(f"cuda:{number} {about.name}, {about.total_memory / 2**30:.0f} GiB")
        elif kind == "mps":
            lines.append("mps Apple's graphics processor")
        else:
            lines.append(f"cpu, {torch.get_num_threads()} threads")
    return lines


app = new_app()


@app.command(epilog=example("ponticello devices"))
def command() -> None:
    """List sound inputs and outputs, monitors and processors, as other commands accept them."""
    from live.display.monitors import probe

    try:
        found = list_devices()
        inputs, outputs = sound_rows("input", found), sound_rows("output", found)
    except Failure as error:
        inputs = outputs = [str(error)]
    screens = probe()
    for title, lines in (
        ("sound inputs (--input)", inputs),
        ("sound outputs (--output)", outputs),
        ("monitors (--display)", [str(monitor) for monitor in screens.monitors] or [screens.problem or "no monitor"]),
        ("processors (--device)", processor_rows()),
    ):
        typer.echo("\n  ".join([title, *map(printable, lines)]))
