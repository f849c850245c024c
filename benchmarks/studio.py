"""The studio window with 10 minutes of sound, and with an hour: ticks, processor time, memory, drops, sound."""

import contextlib
import math
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from offline.corpus.corpus import silence_left_out
from offline.corpus.map_picture import MAP, write_map
from offline.corpus.sound_map import principal_components
from offline.pairing.envelope import decode
from offline.pairing.session import Pairing
from offline.train import train
from shared.audio.descriptors import DESCRIPTORS, describe_blocks
from shared.audio.files import SoundReader
from shared.errors import Failure, PonticelloError
from shared.preset.corpus import Corpus, CorpusSound, MapFacts
from shared.preset.places import SHIPPED
from shared.preset.preset import Preset, sha256_of
from shared.sound_card.client import list_devices
from shared.sound_card.devices import channels_of
from shared.stage import HOP, SAMPLE_RATE

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
FRAMES, FRAMES_OF_AN_HOUR = 50_000, 310_000
PAIRS = 17
TARGETS = {
    "ticks while playing": (28.0, "at least", "ticks/s"),
    "window's thread while playing": (15.0, "at most", "% of a core"),
    "idle": (3.0, "at most", "% of a core"),
    "repaints while idle": (0.0, "at most", "/s"),
    "panning": (30.0, "at least", "repaints/s"),
    "hover": (1.0, "at most", "ms"),
    "drop to disk": (30.0, "at most", "ms of CPU"),
    "drop to trained": (1.0, "at most", "s"),
    "drop to changed film": (1.0, "at most", "s"),
    "opening": (4.0, "at most", "s"),
    "underflows": (0.0, "at most", ""),
    "memory of an hour": (2000.0, "at most", "MB"),
    "ticks of an hour": (20.0, "at least", "ticks/s"),
}


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and print; takes about 5 minutes, a third of that if quick (without the hour, and scrubbing for less long).

    Needs PySide6, and a screen or Xvfb. Sound goes to the sound card, else to a JACK server without one, else nowhere.
    The map's places are two principal components: what is measured is the window, not UMAP. Each size is measured in a
    process of its own, after one that opens the preset (files and compiled code are then warm).
    """
    seconds, scrubbing = (4.0, 8.0) if quick else (8.0, 60.0)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    print(f"the machine's load before: {load:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="ponticello-studio-") as temporary, screen(), sound_card():
        os.environ["XDG_STATE_HOME"] = temporary  # the window's memory stays out of the user's folder
        folder = make_preset(Path(temporary) / "ten-minutes", FRAMES)
        in_process(str(folder), SIZES["720p"], 1.0, 1.0)
        figures: dict[str, Any] = {"load": load}
        rows: list[tuple[str, str, float]] = []
        for name, size in SIZES.items():
            figures[name] = found = in_process(str(folder), size, seconds, scrubbing if name == "720p" else 8.0)
            rows += [(what, name, value) for what, value in judged(found).items()]
            report(name, found)
        if not quick:
            folder = make_preset(Path(temporary) / "hour", FRAMES_OF_AN_HOUR)
            figures["hour"] = found = in_process(str(folder), SIZES["720p"], seconds, 8.0)
            report("hour", found)
            rows += [
                ("memory of an hour", "720p", found["memory_mb"]),
                ("ticks of an hour", "720p", found["playing"]["ticks"]),
            ]
    if found["silent"]:
        print(f"the sound was {found['silent']}")
    figures["met"] = True
    for what, where, value in rows:
        target, sense, unit = TARGETS[what]
        met = value >= target if sense == "at least" else value <= target
        figures["met"] = figures["met"] and met
        print(f"{what:<30} {where:<6} {value:8.2f} {unit:<12} {sense} {target:g}: {'met' if met else 'missed'}")
    return figures


def report(name: str, found: dict[str, Any]) -> None:
    """Print the figures that have no target."""
    panning, scrubbing = found["playing_and_panning"], found["scrubbing_and_training"]
    print(
        f"{name}: playing and panning {panning['map_paints']:.0f} repaints/s, {panning['window_percent']:.0f} % of a core; "
        f"scrubbing and training {scrubbing['ticks']:.0f} ticks/s, {scrubbing['fits']:.0f} fits; "
        f"generator {found['generator_rate']:.0f} pictures/s; opened in {found['opened_s']:.1f} s; "
        f"memory {found['memory_mb']:.0f} MB"
    )


def judged(found: dict[str, Any]) -> dict[str, float]:
    """The figures that have targets."""
    return {
        "ticks while playing": found["playing"]["ticks"],
        "window's thread while playing": found["playing"]["window_percent"],
        "idle": found["idle"]["process_percent"],
        "repaints while idle": found["idle"]["map_paints"] + found["idle"]["wave_paints"],
        "panning": found["panning"]["map_paints"],
        "hover": found["hover_ms"],
        "drop to disk": found["drop_to_disk_cpu_ms"],
        "drop to trained": found["drop_to_trained_s"],
        "drop to changed film": found["drop_to_film_s"],
        "opening": found["opened_s"],
        "underflows": found["underflows"],
    }


def make_preset(folder: Path, frames: int) -> Path:
    """A copy of glass with a corpus of `frames` sounding frames: its sounds repeated at different speeds."""
    shutil.copytree(SHIPPED / "glass", folder, ignore=shutil.ignore_patterns("make", "corpus.safetensors", "history"))
    sound = folder / "sounds" / "long.wav"
    with SoundReader(folder / "sounds" / "glass.flac") as reader:
        piece = np.concatenate(list(reader.blocks()))
    with soundfile.SoundFile(sound, "w", SAMPLE_RATE, 1, "PCM_16") as file:
        turn = 0
        while file.frames < 1.2 * frames * HOP:
            steps = np.arange(0, len(piece) - 1, 0.7 + 0.6 * (turn * 0.618 % 1))
            file.write(np.interp(steps, np.arange(len(piece)), piece))
            turn += 1
    start = time.perf_counter()
    with SoundReader(sound) as reader:
        rows = np.concatenate(list(describe_blocks(reader.blocks())))
    print(f"analysed {len(rows)} frames in {time.perf_counter() - start:.1f} s")
    frame, stands_for = silence_left_out(rows, sound)
    last = int(frame[min(frames, len(frame)) - 1]) + 1
    frame, stands_for = frame[:frames], stands_for[:last]
    facts = CorpusSound("sounds/long.wav", sha256_of(sound), None, last)
    standardised = (rows[frame] - rows[frame].mean(axis=0)) / rows[frame].std(axis=0)
    scores = principal_components(standardised)[0][:, :2]
    low, high = np.percentile(scores, (1, 99), axis=0)
    places = np.clip((scores - low) / (high - low), 0, 1)
    facts_of_map = MapFacts(DESCRIPTORS, DESCRIPTORS, (facts,), 19, 0.99, 0)
    corpus = Corpus(rows[frame], places, np.zeros(len(frame), np.int64), frame, stands_for, facts_of_map)
    corpus.save(folder / "corpus.safetensors")
    preset = Preset.load(folder)
    write_map(folder / MAP, corpus)
    Pairing(preset, draws=False).auto("kmeans" if frames <= FRAMES else "pca", PAIRS)
    train(Preset.load(folder))
    decode(sound, facts.sha256, None)
    return folder


def in_process(folder: str, size: tuple[int, int], seconds: float, scrubbing: float) -> dict[str, Any]:
    """The figures of a window, measured in a process of its own. seconds: of a phase; scrubbing: of that one."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(theirs, folder, size, seconds, scrubbing, time.time()))
    process.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        raise Failure("the window ended before it was measured; try: ponticello studio") from None
    finally:
        process.join(20)
        if process.is_alive():
            process.kill()
    if isinstance(found, str):
        raise Failure(found)
    return dict(found)


def _measure(
    results: Any, folder: str, size: tuple[int, int], seconds: float, scrubbing: float, started: float
) -> None:
    try:
        from offline.pairing.window.measure import measure

        results.send(measure(folder, size, seconds, scrubbing, started))
    except Exception as error:
        results.send(f"{type(error).__name__}: {error}")
        raise
    finally:
        results.close()
        os._exit(0)  # the figures are there; Qt's own end is not measured


@contextmanager
def screen() -> Iterator[None]:
    """A screen for the window: the user's, else Xvfb's with openbox if it is installed, else Qt's own offscreen one."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name != "posix":
        yield
        return
    if shutil.which("Xvfb") is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        yield
        return
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1920x1080x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    helpers = [server]
    os.environ["DISPLAY"] = f":{number}"
    try:
        if shutil.which("openbox"):
            helpers.append(subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
            time.sleep(0.5)
        yield
    finally:
        del os.environ["DISPLAY"]
        for helper in reversed(helpers):
            helper.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                helper.wait(5)


@contextmanager
def sound_card() -> Iterator[None]:
    """A sound card: the user's, else a JACK server without one, if it is installed."""
    name = f"ponticello-{os.getpid()}"
    variables = {"JACK_DEFAULT_SERVER": name, "JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
    if has_output() or not (shutil.which("jackd") and shutil.which("jack_wait")):
        yield
        return
    card = ["-d", "dummy", "-r", str(SAMPLE_RATE), "-p", "256", "-C", "2", "-P", "2"]
    os.environ |= variables
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(["jackd", "-n", name, "-R", "-P70", *card], **quiet)  # type: ignore[call-overload]
    try:
        subprocess.run(["jack_wait", "-s", name, "-w", "-t", "5"], **quiet, check=False)  # type: ignore[call-overload]
        yield
    finally:
        for variable in variables:
            del os.environ[variable]
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(5)


def has_output() -> bool:
    """Whether the sound system has an output device."""
    try:
        return any(channels_of(device, "output") for device in list_devices())
    except PonticelloError:
        return False
