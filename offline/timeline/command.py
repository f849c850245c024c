"""`ponticello timeline`: where a sound's pictures are calm, compelling or chaotic."""

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from offline.laboratory.plots import new_plot
from offline.options import PresetArgument, counted
from offline.progress import say
from offline.rendering.options import parse_fps
from offline.rendering.render import Job, render
from offline.timeline.markers import write_markers
from offline.timeline.passages import MOODS, Limits, Passage
from offline.timeline.report import passage_table, timeline_plot, write_page
from offline.timeline.timeline import FILM, Timeline, measure
from shared.atomic import written_atomically
from shared.command_line import DeviceOption, example, new_app
from shared.errors import SettingError, UserError
from shared.preset import Preset
from shared.times import parse_time


def handled(passage: Passage, timeline: Timeline, handles_s: Fraction) -> tuple[Fraction, Fraction]:
    """Start and end in seconds of the sound of a passage with its handles, within the excerpt."""
    first = round(timeline.times[0] * float(timeline.fps))
    margin = round(handles_s * timeline.fps)
    start = max(0, passage.first - margin)
    stop = min(len(timeline.times), passage.last + 1 + margin)
    return (first + start) / timeline.fps, (first + stop) / timeline.fps


def render_passages(job: Job, timeline: Timeline, mood: str, handles_s: Fraction, folder: Path) -> list[Path]:
    """Films of the passages of a mood, with handles; those that exist already are kept."""
    films = []
    chosen = [passage for passage in timeline.passages if passage.mood == mood]
    for number, passage in enumerate(chosen, 1):
        start, end = handled(passage, timeline, handles_s)
        film = folder / f"{mood}-{number:02d}.mp4"
        films.append(film)
        if film.is_file():
            say(f"{film} exists; it is kept")
            continue
        part = Job(job.preset, job.sound, job.fps, job.channel, start, end, device=job.device)
        render(part, film, resume=film.with_name(f"{film.name}.parts").is_dir())
    return films


app = new_app()


@app.command(
    epilog=example(
        "ponticello timeline mine violin.wav", "ponticello timeline mine violin.wav --render compelling --handles 2"
    )
)
def command(
    preset: PresetArgument,
    sound: Annotated[
        Path, typer.Argument(metavar="SOUND|RECORDING", help="Sound file, or the folder of a recorded show.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder for timeline.html, .png, .csv and .mp4 and for the markers.",
            show_default="SOUND-timeline",
        ),
    ] = None,
    start: Annotated[str, typer.Option(help="First time: seconds, m:ss or h:mm:ss.", metavar="TIME")] = "0",
    end: Annotated[
        str | None, typer.Option(help="Time to stop before.", show_default="the end of the sound", metavar="TIME")
    ] = None,
    fps: Annotated[str, typer.Option(help="Pictures a second.", metavar="RATE")] = "30",
    channel: Annotated[
        int | None, typer.Option(help="Channel to analyse, from 1.", show_default="the average of all", metavar="N")
    ] = None,
    mood: Annotated[
        str | None,
        typer.Option("--render", metavar="|".join(MOODS), help="Render the passages of this mood alone as well."),
    ] = None,
    handles: Annotated[
        str, typer.Option(help="With --render: what is added at both ends, in seconds.", metavar="TIME")
    ] = "1",
    calm: Annotated[
        float, typer.Option(min=0, max=10, help="Calm below this share of the spread of the pictures.")
    ] = Limits.calm,
    chaotic: Annotated[float, typer.Option(min=0, max=10, help="Chaotic above this share.")] = Limits.chaotic,
    shortest: Annotated[float, typer.Option(min=0.1, max=60, help="Shortest passage, in seconds.")] = Limits.shortest_s,
    device: DeviceOption = None,
) -> None:
    """Show where the pictures of a sound are calm, compelling or chaotic: plot, page, table, markers for editors."""
    if mood is not None and mood not in MOODS:
        raise SettingError(f"--render {mood} given; allowed are: {', '.join(MOODS)}")
    if calm >= chaotic:
        raise SettingError(f"--calm {calm:g} and --chaotic {chaotic:g} given; calm must be less")
    new_plot()  # whether plots can be drawn, before the long work
    folder = output or Path(f"{sound.resolve().stem}-timeline")
    if folder.is_file():
        raise UserError(f"{folder} is a file; give -o a folder")
    loaded = Preset.load(preset)
    excerpt = parse_time(start), None if end is None else parse_time(end)
    job = Job(loaded, sound, parse_fps(fps), channel, *excerpt, device=device)
    limits = Limits(calm, chaotic, shortest_s=shortest)
    timeline = measure(job, folder, limits)
    title = f"{loaded.name} and {sound.name}: timeline"
    with written_atomically(folder / "timeline.png") as temporary:
        timeline_plot(timeline).savefig(temporary, format="png", dpi=130, metadata={"Software": None})
    timeline.table().write_csv(folder / "timeline.csv")
    write_page(folder / "timeline.html", timeline, folder / FILM, title)
    has_sound = not np.isnan(timeline.sound_entropy).any()
    write_markers(folder, timeline.passages, job.fps, title, folder / FILM, has_sound)
    for line in passage_table(timeline).lines():
        print(line)
    print(f"{folder / 'timeline.html'}: {counted(len(timeline.passages), 'passage')}; markers for editors beside it")
    if mood is not None:
        films = render_passages(job, timeline, mood, parse_time(handles), folder)
        print(f"{counted(len(films), 'film')} of {mood} passages in {folder}")
