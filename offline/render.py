"""`ponticello render`: a sound, or a recorded show, to a film. Every tick is a picture, and the same one every time."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer

from offline.hashes import Hashes
from offline.material import Material, find_material
from offline.options import DeviceOption, PrecisionOption, PresetArgument, counted, example, new_app
from offline.prefetch import prefetch
from offline.progress import progress, say
from offline.video.codecs import CODECS, choose_codec
from offline.video.frame import Frame, FrameRequest
from offline.video.writer import VideoWriter, check_output
from shared.atomic import check_place
from shared.errors import SettingError, Stopped, UserError
from shared.image.device import pick_device
from shared.image.download import Download, downloaded
from shared.mapping.decimation import checked_rate
from shared.painter import Painter
from shared.pipeline import Tick
from shared.preset import Preset
from shared.times import parse_time

WAITING_TICKS = 64  # most ticks that are analysed ahead of the generator
FILM, EXCERPT, EVIDENCE = "Film", "Excerpt", "Evidence"  # panels of --help
LONGEST_FPS = 20  # characters
NTSC = {
    "23.976": Fraction(24000, 1001),
    "23.98": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001),
    "59.94": Fraction(60000, 1001),
}


@dataclass(frozen=True)
class Job:
    """What to render: a sound or recording (or an excerpt of it), at a frame rate, on a device and in a precision."""

    preset: Preset
    sound: Path
    fps: Fraction = Fraction(30)
    channel: int | None = None
    start: Fraction = Fraction(0)
    """Seconds. Ticks i with start <= i/fps < end are rendered; the pipeline always runs from the beginning."""
    end: Fraction | None = None
    frame: FrameRequest = field(default_factory=FrameRequest)
    device: str | None = None
    precision: str = "auto"

    @cached_property
    def material(self) -> Material:
        """The opened sound. SoundError, PresetError or SettingError where it cannot be used."""
        return find_material(self.preset, self.sound, self.channel)

    def excerpt(self, numbers: range) -> range:
        """Those of the sound's tick numbers that are rendered; SettingError where there are none."""
        first = numbers.start + -(-self.start * self.fps // 1)
        last = numbers.stop if self.end is None else min(numbers.stop, numbers.start + -(-self.end * self.fps // 1))
        if not (wanted := range(first, last)):
            end = "the end" if self.end is None else f"--end {float(self.end):g}"
            raise SettingError(
                f"no picture between --start {float(self.start):g} and {end}; the sound is {float(len(numbers) / self.fps):.3f} s long"
            )
        return wanted

    def ticks(self, drawn: Fraction) -> Iterator[Tick]:
        """All ticks of the sound, analysed on demand; where the frame was asked for, their pictures have its shape `drawn`."""
        for tick in self.material.ticks(self.fps):
            yield replace(tick, picture=replace(tick.picture, aspect=drawn)) if self.frame.decides_shape else tick

    def identity(self, way: str, frame: Frame) -> str:
        """Hash of everything that decides the pictures: pieces of two renders with the same one fit together.

        way: device and backend of the generator.
        """
        drawn = (str(frame.drawn), frame.fit)
        facts = (self.material.identity(), str(self.fps), str(self.start), str(self.end), way, drawn)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def render(
    job: Job,
    output: Path,
    *,
    codec: str | None = None,
    resume: bool = False,
    hashes: Hashes | None = None,
) -> int:
    """Render a job to a film or a folder of PNG files; return the number of pictures.

    hashes: filled where given.
    Raises UserError for bad input (before anything is loaded or written, where possible), Failure where ffmpeg or the disk
    fails, Stopped after a Ctrl-C: what is finished is then playable beside the output.
    """
    chosen = choose_codec(output, codec)
    job.frame.check(chosen)
    check_output(output, chosen, job.fps, None)
    material = job.material
    wanted = job.excerpt(material.numbers(job.fps))
    reported = len(material.remarks)
    for remark in material.remarks:
        say(remark)
    painter = Painter(pick_device(job.device), job.precision)
    generators = [painter.load(preset) for preset in material.presets]
    largest = max(generators, key=lambda generator: generator.img_resolution)
    frame = Frame.of(job.frame, material.aspect(job.fps, wanted.start), largest.config, chosen)
    writer = VideoWriter(
        output,
        codec=chosen,
        fps=job.fps,
        image_size=frame.image,
        size=frame.film,
        bars=frame.fit == "square",
        soundtrack=material.soundtrack(job.fps, wanted, job.end is None),
        identity=job.identity("; ".join(sorted({f"{g.device.type}, {g.backend}" for g in generators})), frame),
        resume=resume,
        first_number=wanted.start,
    )
    if writer.note:
        say(writer.note)
    if writer.start and hashes is not None:
        say(f"the first {counted(writer.start, 'picture')} are drawn again for the hashes")
    first_drawn = wanted.start + (writer.start if hashes is None else 0)

    def start(tick: Tick) -> Download | None:
        """The tick's picture; None where an earlier run has finished it."""
        return None if tick.number < first_drawn else Download(painter.paint(tick.picture))

    done = writer.start
    with (
        writer,
        closing(prefetch(job.ticks(frame.drawn), WAITING_TICKS)) as ticks,
        closing(downloaded(start, within(ticks, wanted), generators[0].device)) as images,
        progress("pictures", len(wanted)) as advance,
    ):
        try:
            for tick, image in images:
                place = tick.number - wanted.start
                if image is not None and hashes is not None:
                    hashes.add(tick.number, image)
                if image is not None and place >= writer.start:
                    writer.write(frame.fitted(image))
                done = max(done, place + 1)
                advance(done)
            writer.finish()
        except KeyboardInterrupt:
            partial = writer.interrupt()
            playable = f"; {partial} plays what is finished" if partial else ""
            raise Stopped(f"stopped after {done} of {len(wanted)} pictures{playable}; continue with --resume") from None
        finally:
            for remark in material.remarks[reported:]:
                say(remark)
    return done


def within(ticks: Iterable[Tick], wanted: range) -> Iterator[Tick]:
    """The ticks whose numbers are wanted."""
    for tick in ticks:
        if tick.number >= wanted.stop:
            return
        if tick.number >= wanted.start:
            yield tick


def check_files(sound: Path, output: Path, hashes: Path | None) -> None:
    """UserError where two of the files are the same, or the hashes could not be written at the end."""
    files = [("the sound", sound), ("-o", output), *([("--hashes", hashes)] if hashes else [])]
    for (one, a), (other, b) in combinations(files, 2):
        if a.resolve() == b.resolve():
            raise UserError(f"{one} and {other} are the same file, {a}; give them different names")
    if hashes:
        check_place(hashes)


def check_overwriting(output: Path, force: bool, resume: bool) -> None:
    """UserError where a finished film would be replaced without `force`; a stopped render may be resumed."""
    is_stopped = resume and output.with_name(f"{output.name}.parts").is_dir()
    if output.is_file() and not force and not is_stopped:
        raise UserError(f"{output} exists; --force replaces it, or choose another name")


def parse_fps(text: str) -> Fraction:
    """`30`, `30000/1001` or `29.97` (which means 30000/1001)."""
    try:
        if "e" in text.lower() or len(text) > LONGEST_FPS:  # 1e99999999 would take for ever
            raise ValueError
        fps = NTSC.get(text) or Fraction(text).limit_denominator(1001)  # 29.97003 is 30000/1001 as well
    except (ValueError, ZeroDivisionError):
        raise SettingError(f"--fps {text} given; allowed are numbers and fractions like 25, 30 or 30000/1001") from None
    return checked_rate(fps)


app = new_app()


@app.command(
    epilog=example(
        "ponticello render mine violin.wav -o film.mp4",
        "ponticello render glass violin.wav -o try.mov --size 1920x1080 --start 1:02 --end 1:10",
    )
)
def command(
    preset: PresetArgument,
    sound: Annotated[
        Path,
        typer.Argument(
            metavar="SOUND|RECORDING",
            help="Sound file (WAV, FLAC, OGG, MP3, ..., at any sample rate), or the folder of a recorded show.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Film to write: .mp4, .mov or .mkv, or a folder for PNG files.", rich_help_panel=FILM
        ),
    ],
    fps: Annotated[
        str, typer.Option(help="Pictures a second, also as a fraction: 30000/1001.", rich_help_panel=FILM)
    ] = "30",
    size: Annotated[
        str | None,
        typer.Option(
            help="Width and height, such as 1920x1080: pictures are drawn in that shape. One number is the shorter side.",
            show_default="the generator's own",
            rich_help_panel=FILM,
            metavar="WxH|PIXELS",
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            help="Shape of the pictures: square, or a ratio such as 16:9.",
            show_default="square, or the recording's",
            rich_help_panel=FILM,
            metavar="RATIO",
        ),
    ] = None,
    fit: Annotated[
        str,
        typer.Option(
            help="wide draws in the frame's shape; square keeps the network's square, with bars; crop cuts it; mirror "
            "continues it by its mirror images.",
            rich_help_panel=FILM,
        ),
    ] = "wide",
    codec: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(CODECS)}.", show_default="by the ending of the output", rich_help_panel=FILM),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option(help="Channel to analyse, from 1.", show_default="the average of all", rich_help_panel=EXCERPT),
    ] = None,
    start: Annotated[
        str, typer.Option(help="First time: seconds, m:ss or h:mm:ss.", rich_help_panel=EXCERPT, metavar="TIME")
    ] = "0",
    end: Annotated[
        str | None,
        typer.Option(
            help="Time to stop before.", show_default="the end of the sound", rich_help_panel=EXCERPT, metavar="TIME"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a stopped render of the same output.", rich_help_panel=FILM)
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing film.", rich_help_panel=FILM)] = False,
    frames_hash: Annotated[
        bool,
        typer.Option(
            "--frames-hash", help="Print the SHA-256 of all pictures as the last line.", rich_help_panel=EVIDENCE
        ),
    ] = False,
    hashes: Annotated[
        Path | None,
        typer.Option(help="Write the SHA-256 of every picture to this CSV file.", rich_help_panel=EVIDENCE),
    ] = None,
    device: DeviceOption = None,
    precision: PrecisionOption = "auto",
) -> None:
    """Render a sound, or a recorded show, to a film with the sound in it."""
    check_files(sound, output, hashes)
    check_overwriting(output, force, resume)
    job = Job(
        Preset.load(preset),
        sound,
        parse_fps(fps),
        channel,
        parse_time(start),
        None if end is None else parse_time(end),
        FrameRequest.parse(size, shape, fit),
        device,
        precision,
    )
    kept = Hashes() if frames_hash or hashes else None
    pictures = render(job, output, codec=codec, resume=resume, hashes=kept)
    print(f"{output}: {counted(pictures, 'picture')}, {fps} a second")
    if kept and hashes:
        kept.save(hashes)
    if kept and frames_hash:
        print(kept.whole.hexdigest())
