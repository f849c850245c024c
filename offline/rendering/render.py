"""`ponticello render`: renders a sound, or a recorded show, to a film. Each tick is a picture, and the same one every time."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

import numpy as np
import typer
from jaxtyping import UInt8

from offline.options import PresetArgument, counted
from offline.prefetch import prefetch
from offline.progress import progress, say
from offline.rendering.hashes import Hashes
from offline.rendering.material import Material, find_material
from offline.rendering.options import EvidenceOptions, ExcerptOptions, FilmOptions, parse_fps
from offline.rendering.relaxation import RelaxedMaterial
from offline.video.codecs import choose_codec
from offline.video.film_format import FilmFormat, FormatRequest
from offline.video.shards import Film, Shard
from offline.video.writer import VideoWriter, check_output, check_overwriting, segment_length
from shared.atomic import check_place
from shared.command_line import DeviceOption, PrecisionOption, example, grouped, new_app
from shared.errors import SettingError, Stopped, UserError
from shared.image.device import pick_device
from shared.image.download import Download, downloaded
from shared.painter import Painter
from shared.pipeline import Tick
from shared.preset import Preset

WAITING_TICKS = 64  # limit of the ticks analysed ahead of the generator


@runtime_checkable
class PictureLog(Protocol):
    """Receives the pictures of a render in order, such as `Hashes`."""

    known: int
    """Pictures that it received in an earlier run, from the first on."""

    def add(self, number: int, image: UInt8[np.ndarray, "h w 3"], /) -> None:
        """Take the picture of tick `number`, at the generator's own size."""


@dataclass(frozen=True)
class Job:
    """What to render: a sound or recording (or an excerpt of it), at a frame rate, on a device and in a precision."""

    preset: Preset
    sound: Path
    fps: Fraction = Fraction(30)
    channel: int | None = None
    start: Fraction = Fraction(0)
    """In seconds. Ticks i with start <= i/fps < end are rendered; the pipeline always runs from the beginning."""
    end: Fraction | None = None
    format: FormatRequest = field(default_factory=FormatRequest)
    device: str | None = None
    precision: str = "auto"
    relax: float = 0.0
    """Strength of the flow constraint, see `offline.rendering.relaxation`; 0 is off."""

    @cached_property
    def material(self) -> Material:
        """The sound, opened. Raises SoundError, PresetError or SettingError."""
        return find_material(self.preset, self.sound, self.channel)

    def excerpt(self, numbers: range) -> range:
        """The tick numbers to render, of all of the sound's. Raises SettingError if there are none."""
        first = numbers.start + -(-self.start * self.fps // 1)
        last = numbers.stop if self.end is None else min(numbers.stop, numbers.start + -(-self.end * self.fps // 1))
        if not (wanted := range(first, last)):
            end = "the end" if self.end is None else f"--end {float(self.end):g}"
            raise SettingError(
                f"no picture between --start {float(self.start):g} and {end}; the sound is {float(len(numbers) / self.fps):.3f} s long"
            )
        return wanted

    def ticks(self, material: Material, drawn: Fraction) -> Iterator[Tick]:
        """All ticks of its material, analysed on demand. If the format decides the shape, their pictures have the shape `drawn`."""
        for tick in material.ticks(self.fps):
            yield replace(tick, picture=replace(tick.picture, aspect=drawn)) if self.format.decides_shape else tick

    def identity(self, backend: str, film_format: FilmFormat) -> str:
        """Hash of everything that decides the pictures: segments of renders with equal hashes can be joined.

        backend: device and backend of the generators.
        """
        drawn: tuple[object, ...] = (str(film_format.drawn), film_format.fit, *([self.relax] if self.relax else []))
        facts = (self.material.identity(), str(self.fps), str(self.start), str(self.end), backend, drawn)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def render(
    job: Job,
    output: Path,
    *,
    codec: str | None = None,
    resume: bool = False,
    log: PictureLog | None = None,
    shard: Shard | None = None,
) -> int:
    """Render a job to a film or a folder of PNG files; return the number of pictures.

    log: receives each picture. shard: the part of the film to render; `offline.rendering.join` joins the parts.
    Raises UserError for bad input, if possible before anything is loaded or written; Failure if ffmpeg or the disk fails;
    Stopped after a Ctrl-C, when the finished part is playable beside the output.
    """
    chosen = choose_codec(output, codec)
    job.format.check(chosen)
    check_output(output, chosen, job.fps, None)
    material = job.material
    whole = job.excerpt(material.numbers(job.fps))
    segment_pictures = segment_length(len(whole))
    part = range(len(whole)) if shard is None else shard.part(len(whole), segment_pictures)
    wanted = whole[part.start : part.stop]
    reported = len(material.remarks)
    for remark in material.remarks:
        say(remark)
    painter = Painter(pick_device(job.device), job.precision)
    generators = [painter.load(preset) for preset in material.presets]
    if job.relax:
        name = output.name if shard is None else f"{output.name}.{str(shard).replace('/', '-')}"
        folder = output.with_name(f"{name}.flow")
        material = RelaxedMaterial(material, painter, job.relax, folder)
    largest = max(generators, key=lambda generator: generator.img_resolution)
    film_format = FilmFormat.of(job.format, material.aspect(job.fps, whole.start), largest.config, chosen)
    soundtrack = material.soundtrack(job.fps, whole, job.end is None)
    writer = VideoWriter(
        output,
        codec=chosen,
        fps=job.fps,
        image_size=film_format.image,
        size=film_format.film,
        bars=film_format.fit == "square",
        soundtrack=soundtrack,
        identity=job.identity("; ".join(sorted({f"{g.device.type}, {g.backend}" for g in generators})), film_format),
        resume=resume,
        segment_pictures=segment_pictures,
        first_number=wanted.start,
        film=None if shard is None else Film.of(shard, whole, part, chosen, job.fps, soundtrack),
    )
    if writer.note:
        say(writer.note)
    known = writer.start if log is None else min(writer.start, log.known)
    if known < writer.start:
        say(f"drawing the first {counted(writer.start, 'picture')} again for the hashes")
    first_drawn = wanted.start + known

    def start(tick: Tick) -> Download | None:
        """The tick's picture; None if an earlier run has finished it."""
        return None if tick.number < first_drawn else Download(painter.paint(tick.picture))

    done = writer.start
    is_finished = done == len(wanted) and log is None
    with (
        writer,
        closing(prefetch(() if is_finished else job.ticks(material, film_format.drawn), WAITING_TICKS)) as ticks,
        closing(downloaded(start, within(ticks, wanted), generators[0].device)) as images,
        progress("pictures", len(wanted)) as advance,
    ):
        try:
            for tick, image in images:
                place = tick.number - wanted.start
                if image is not None and log is not None:
                    log.add(tick.number, image)
                if image is not None and place >= writer.start:
                    writer.write(film_format.fitted(image))
                done = max(done, place + 1)
                advance(done)
            if shard is None:
                writer.finish()
            else:
                writer.keep()
            material.close()
        except KeyboardInterrupt:
            partial = writer.interrupt()
            playable = f"; {partial} plays what is finished" if partial else ""
            raise Stopped(f"stopped after {done} of {len(wanted)} pictures{playable}; continue with --resume") from None
        finally:
            for remark in material.remarks[reported:]:
                say(remark)
    return done


def within(ticks: Iterable[Tick], wanted: range) -> Iterator[Tick]:
    """The ticks with these numbers."""
    for tick in ticks:
        if tick.number >= wanted.stop:
            return
        if tick.number >= wanted.start:
            yield tick


def check_files(sound: Path, output: Path, hashes: Path | None) -> None:
    """Raise UserError if two of the files are the same, or the hashes could not be written."""
    files = [("the sound", sound), ("-o", output), *([("--hashes", hashes)] if hashes else [])]
    for (one, a), (other, b) in combinations(files, 2):
        if a.resolve() == b.resolve():
            raise UserError(f"{one} and {other} are the same file, {a}; give them different names")
    if hashes:
        check_place(hashes)


app = new_app()


@app.command(
    epilog=example(
        "ponticello render mine violin.wav -o film.mp4",
        "ponticello render glass violin.wav -o try.mov --size 1920x1080 --start 1:02 --end 1:10",
        "ponticello render mine violin.wav -o film.mp4 --shards 2/8",
    )
)
@grouped
def command(
    preset: PresetArgument,
    sound: Annotated[
        Path,
        typer.Argument(
            metavar="SOUND|RECORDING",
            help="Sound file (WAV, FLAC, OGG, MP3, ..., at any sample rate), or the folder of a recorded show.",
            show_default=False,
        ),
    ],
    film: FilmOptions,
    excerpt: ExcerptOptions,
    evidence: EvidenceOptions,
    device: DeviceOption = None,
    precision: PrecisionOption = "auto",
) -> None:
    """Render a sound, or a recorded show, to a film with the sound in it."""
    shard = None if film.shards is None else Shard.parse(film.shards)
    check_files(sound, film.output, evidence.hashes)
    check_overwriting(film.output, film.force, film.resume)
    fps = parse_fps(film.fps)
    start, end = excerpt.seconds()
    job = Job(
        Preset.load(preset), sound, fps, excerpt.channel, start, end, film.format(), device, precision, film.relax
    )
    hashes = Hashes() if evidence.frames_hash or evidence.hashes else None
    pictures = render(job, film.output, codec=film.codec, resume=film.resume, log=hashes, shard=shard)
    made = film.output if shard is None else f"{shard.folder(film.output)}, shard {shard} of {film.output}"
    print(f"{made}: {counted(pictures, 'picture')}, {film.fps} a second")
    if hashes and evidence.hashes:
        hashes.save(evidence.hashes)
    if hashes and evidence.frames_hash:
        print(hashes.whole.hexdigest())
