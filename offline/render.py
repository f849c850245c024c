"""A sound, or a recorded performance, through the pipeline to a video: every tick a picture, the same ones every time."""

import hashlib
import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from jaxtyping import UInt8

from offline.material import Material, find_material
from offline.prefetch import prefetch
from offline.progress import progress, say
from offline.video.codecs import CODECS, choose_codec
from offline.video.writer import VideoWriter
from shared.atomic import check_place, written_atomically
from shared.errors import SettingError, Stopped, UserError
from shared.image.device import pick_device
from shared.image.threads import side_by_side
from shared.mapping.decimation import checked_rate
from shared.painter import Painter, resized
from shared.pipeline import Tick
from shared.preset import Preset

WAITING_TICKS = 64  # analysed ahead of the generator, at most
NTSC = {
    "23.976": Fraction(24000, 1001),
    "23.98": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001),
    "59.94": Fraction(60000, 1001),
}


@dataclass(frozen=True)
class Job:
    """What to render: a sound or a recording (or an excerpt) at a rate and with a generator's device and precision."""

    preset: Preset
    sound: Path
    fps: Fraction = Fraction(30)
    channel: int | None = None
    start: Fraction = Fraction(0)
    """Seconds; the ticks i with start <= i/fps < end are rendered, of the whole pipeline run from its beginning."""
    end: Fraction | None = None
    device: str | None = None
    precision: str = "auto"

    @cached_property
    def material(self) -> Material:
        """The sound, opened; SoundError, PresetError or SettingError where it cannot be used."""
        return find_material(self.preset, self.sound, self.channel)

    def excerpt(self, numbers: range) -> range:
        """The numbers of the ticks that are rendered, among all of the sound's; SettingError where there are none."""
        first = numbers.start + -(-self.start * self.fps // 1)
        last = numbers.stop if self.end is None else min(numbers.stop, numbers.start + -(-self.end * self.fps // 1))
        if not (wanted := range(first, last)):
            end = "the end" if self.end is None else f"--end {float(self.end):g}"
            raise SettingError(
                f"no picture between --start {float(self.start):g} and {end}; the sound is {float(len(numbers) / self.fps):.3f} s long"
            )
        return wanted

    def ticks(self) -> Iterator[Tick]:
        """All ticks of the sound, analysed as they are asked for."""
        return self.material.ticks(self.fps)

    def identity(self, way: str) -> str:
        """What decides the pictures, as a hash: pieces of two renders fit together where it is the same.

        way: how the generator computes.
        """
        facts = (self.material.identity(), str(self.fps), str(self.start), str(self.end), way)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass
class Hashes:
    """SHA-256 of the native-size pictures: of each, and of all of them in their order."""

    rows: list[tuple[int, str]] = field(default_factory=list)
    whole: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, number: int, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Take in the next picture."""
        data = image.tobytes()
        self.rows.append((number, hashlib.sha256(data).hexdigest()))
        self.whole.update(data)

    def save(self, path: Path) -> None:
        """Write a CSV file: tick, sha256."""
        with written_atomically(path) as temporary:
            temporary.write_text("tick,sha256\n" + "".join(f"{n},{digest}\n" for n, digest in self.rows), "utf-8")


def render(
    job: Job,
    output: Path,
    *,
    codec: str | None = None,
    size: int | None = None,
    resume: bool = False,
    hashes: Hashes | None = None,
) -> int:
    """Render a job to a video file or a folder of PNGs; gives the number of pictures.

    size: side of the pictures in the file, the generator's own by default. hashes: filled where given.
    Raises UserError for bad input (nothing is written), Failure where ffmpeg or the disk fails, Stopped after a
    Ctrl-C: what is finished is then playable beside the output.
    """
    chosen = choose_codec(output, codec)
    material = job.material
    wanted = job.excerpt(material.numbers(job.fps))
    painter = Painter(pick_device(job.device), job.precision)
    generators = [painter.load(preset) for preset in material.presets]
    ways = sorted({f"{generator.device.type}, {generator.backend}" for generator in generators})
    image_size = max(generator.img_resolution for generator in generators)
    told = len(material.remarks)
    for remark in material.remarks:
        say(remark)

    writer = VideoWriter(
        output,
        codec=chosen,
        fps=job.fps,
        image_size=image_size,
        size=size,
        soundtrack=material.soundtrack(job.fps, wanted, job.end is None),
        identity=job.identity("; ".join(ways)),
        resume=resume,
        first_number=wanted.start,
    )
    if writer.note:
        say(writer.note)

    def image_of(tick: Tick) -> UInt8[np.ndarray, "h w 3"] | None:
        if tick.number - wanted.start < writer.start and hashes is None:
            return None  # finished in an earlier run
        image: UInt8[np.ndarray, "h w 3"] = painter.paint(tick.picture).cpu().numpy()
        return image

    at_once = None if generators[0].device.type == "cpu" else 1  # a card draws one after the other
    with (
        writer,
        closing(prefetch(job.ticks(), WAITING_TICKS)) as ticks,
        closing(side_by_side(image_of, within(ticks, wanted), at_once)) as images,
        progress("pictures", len(wanted)) as advance,
    ):
        if writer.start and hashes is not None:
            say(f"the {writer.start} finished pictures are made again for their hashes")
        done = writer.start
        try:
            for tick, image in images:
                place = tick.number - wanted.start
                if image is not None and hashes is not None:
                    hashes.add(tick.number, image)
                if image is not None and place >= writer.start:
                    writer.write(_at_size(image, image_size))
                done = max(done, place + 1)
                advance(done)
            writer.finish()
        except KeyboardInterrupt:
            left = writer.interrupt()
            playable = f"; {left} plays what there is" if left else ""
            raise Stopped(f"stopped after {done} of {len(wanted)} pictures{playable}; go on with --resume") from None
        finally:
            for remark in material.remarks[told:]:
                say(remark)
    return done


def _at_size(image: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    if image.shape[0] == side:
        return image
    enlarged = resized(torch.from_numpy(image).to(torch.float32), (side, side))
    return np.asarray((enlarged + 0.5).to(torch.uint8))


def within(ticks: Iterable[Tick], wanted: range) -> Iterator[Tick]:
    """The wanted ticks of all that come."""
    for tick in ticks:
        if tick.number >= wanted.stop:
            return
        if tick.number >= wanted.start:
            yield tick


def check_places(sound: Path, output: Path, hashes: Path | None) -> None:
    """UserError where one of the files would take another's place, or the hashes could not be written in the end."""
    places = [("the sound", sound), ("-o", output), *([("--hashes", hashes)] if hashes else [])]
    for (one, a), (other, b) in combinations(places, 2):
        if a.resolve() == b.resolve():
            raise UserError(f"{one} and {other} are the same file, {a}; give them names of their own")
    if hashes:
        check_place(hashes)


def parse_fps(text: str) -> Fraction:
    """`30`, `30000/1001` or `29.97` (which means 30000/1001)."""
    try:
        fps = NTSC.get(text) or Fraction(text).limit_denominator(1001)  # 29.97003 is 30000/1001 as well
    except (ValueError, ZeroDivisionError):
        raise SettingError(f"--fps {text} given; allowed are numbers and fractions like 25, 30 or 30000/1001") from None
    return checked_rate(fps)


def parse_seconds(text: str) -> Fraction:
    """`83.5` or `1:23.5` (minutes and seconds, or hours before them)."""
    try:
        parts = [Fraction(part) for part in text.split(":")]
        if len(parts) > 3 or any(part < 0 for part in parts):
            raise ValueError
    except ValueError:
        raise SettingError(f"time {text} given; allowed are seconds (83.5) or minutes and seconds (1:23.5)") from None
    return sum((part * 60**place for place, part in enumerate(reversed(parts))), Fraction(0))


app = typer.Typer(add_completion=False)


@app.command()
def command(
    preset: Annotated[str, typer.Argument(help="A preset's folder, or a shipped preset's name.")],
    sound: Annotated[
        Path,
        typer.Argument(help="A sound file (WAV, FLAC, OGG, MP3, ..., any rate), or the folder of a recorded show."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The video: .mp4, .mov, .mkv, or a folder for PNGs.")],
    fps: Annotated[str, typer.Option(help="Pictures a second; 30000/1001 is allowed.")] = "30",
    size: Annotated[
        int | None, typer.Option(help="Side of the pictures in pixels; the generator's own by default.")
    ] = None,
    codec: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(CODECS)}; by default the output's ending decides.")
    ] = None,
    channel: Annotated[
        int | None, typer.Option(help="Analyse this channel (from 1); by default all are averaged.")
    ] = None,
    start: Annotated[str, typer.Option(help="Render from this time on (seconds or m:s).")] = "0",
    end: Annotated[str | None, typer.Option(help="Render up to this time.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a stopped render of the same output ended.")
    ] = False,
    frames_hash: Annotated[
        bool, typer.Option("--frames-hash", help="Print the SHA-256 over all pictures as the last line.")
    ] = False,
    hashes: Annotated[Path | None, typer.Option(help="Write every picture's SHA-256 to this CSV file.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps; by default the fastest there is.")] = None,
    precision: Annotated[str, typer.Option(help="auto, full or half.")] = "auto",
) -> None:
    """Render a sound, or a recorded performance, to a video, with the sound in it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    check_places(sound, output, hashes)
    job = Job(
        Preset.load(preset),
        sound,
        parse_fps(fps),
        channel,
        parse_seconds(start),
        None if end is None else parse_seconds(end),
        device,
        precision,
    )
    kept = Hashes() if frames_hash or hashes else None
    pictures = render(job, output, codec=codec, size=size, resume=resume, hashes=kept)
    print(f"{output}: {pictures} pictures at {fps} a second")
    if kept and hashes:
        kept.save(hashes)
    if kept and frames_hash:
        print(kept.whole.hexdigest())
