"""Opens the input of a show: a sound card, a sound file, or descriptors by OSC."""

import time
from pathlib import Path

import soundfile

from live.sound.channels import Channels
from live.sound.descriptor_input import OscFrames
from live.sound.file_input import FileInput
from live.sound.sound_card import SoundCard
from live.sound.source import Block, Clock, FrameBlock, SoundCounters, Source
from live.sound.speaker import Speaker, outputs_for
from live.sound.tape import Tape
from shared.audio.resampling import HIGHEST_RATE, LOWEST_RATE
from shared.errors import Failure, UserError
from shared.sound_card.client import Device, InputStream, OutputStream, list_devices
from shared.sound_card.devices import channels_of, find_device

__all__ = ["Block", "FileInput", "FrameBlock", "OscFrames", "SoundCard", "SoundCounters", "Source", "open_input"]

OSC = "osc"


def open_input(
    given: str | None,
    *,
    channel: str = "1",
    rate: int | None = None,
    play: bool = True,
    output: str | None = None,
    loop: bool = False,
    ahead_samples: int = 0,
    now: Clock = time.monotonic,
) -> Source:
    """The source named by `--input`, not started yet.

    given           `osc`, a sound file, or a recording device by number or part of its name; None: the system's default
    channel         as in `Channels.parse`
    rate            of the device in Hz; None: its own
    play, output    whether a file is played through a sound card, and through which one (None: the default). Without any
                    sound card it is paced by the clock, and `errors` says so.
    loop            whether a file repeats
    ahead_samples   how far ahead of the ear a file is read

    Raises UserError if there is no such input.
    """
    channels = Channels.parse(channel)
    if given == OSC:
        return OscFrames(now)
    if given is not None and names_a_file(given):
        tape = Tape(Path(given).expanduser(), loop)
        speaker, note = _speaker(tape, output, now) if play else (None, None)
        source = FileInput(tape, channels, speaker, ahead_samples, now)
        if note:
            source.tell(note)
        return source
    return _sound_card(given, channels, rate, now)


def names_a_file(given: str) -> bool:
    """Whether a file is meant: it exists, or looks like the path of a sound file."""
    if given.isdecimal():
        return False
    path = Path(given).expanduser()
    sound = path.suffix[1:].upper() in {*soundfile.available_formats(), "AIF", "OPUS"}
    return path.is_file() or sound or path.is_absolute()


def _sound_card(given: str | None, channels: Channels, rate: int | None, now: Clock) -> SoundCard:
    device = find_device(given, "input", list_devices())
    channels.check(device.inputs, f"input {device}")
    if rate is not None and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UserError(
            f"--rate {rate} given; allowed is a rate that the device supports; {device} runs at {device.rate} Hz"
        )

    def connect() -> InputStream:
        try:
            return InputStream(device, channels.columns, rate)
        except Failure as error:
            raise Failure(f"input {device} cannot be opened: {error}; {_advice(device, rate)}") from None

    return SoundCard(str(device), connect, channels, now, device_name=f"{device.name} {device.host_api}")


def _speaker(tape: Tape, output: str | None, now: Clock) -> tuple[Speaker | None, str | None]:
    """The speaker that plays the file, or None and the reason."""
    try:
        devices = list_devices()
        if output is None and not any(channels_of(device, "output") for device in devices):
            return None, "no sound card: the file is not audible, it is paced by the clock"
        device = find_device(output, "output", devices)
    except Failure as error:
        if output is not None:
            raise
        return None, f"the file is not audible, it is paced by the clock: {error}"
    outputs = outputs_for(tape.channels, device.outputs)

    def connect() -> OutputStream:
        try:
            return OutputStream(device, outputs)
        except Failure as error:
            raise Failure(
                f"output {device} cannot be opened: {error}; choose another one with --output, or use --no-play"
            ) from None

    return Speaker(str(device), tape.rate, connect, now), None


def _advice(device: Device, rate: int | None) -> str:
    if rate is not None and rate != device.rate:
        return f"it runs at {device.rate} Hz: omit --rate"
    return "close other programs that use it, or choose another one (ponticello devices lists them)"
