"""Find a sound device by number or by part of its name."""

from typing import Literal

from shared.errors import UserError
from shared.sound_card.client import Device

Direction = Literal["input", "output"]


def find_device(given: str | None, direction: Direction, devices: list[Device]) -> Device:
    """The device with a number, or with part of its name (host API included); for None, the system's default.

    All words must occur in the name, in any case, also as parts of words. A device with exactly this name is preferred.
    Raises UserError with the candidates unless exactly one device matches.
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
    """The device's number of channels in this direction."""
    return device.inputs if direction == "input" else device.outputs
