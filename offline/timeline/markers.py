"""Passages as markers for editors: EDL, FCPXML, and CSV for Reaper and Premiere."""

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from offline.dataset.film_facts import film_facts
from offline.timeline.passages import Mood, Passage
from shared.atomic import written_atomically

RESOLVE_COLOURS: dict[Mood, str] = {"calm": "Blue", "compelling": "Green", "chaotic": "Red"}
RESOLVE_START_S = 3600  # timecode at which a timeline of DaVinci Resolve begins unless it is set otherwise
REAPER_COLOURS: dict[Mood, str] = {"calm": "3070C0", "compelling": "30A050", "chaotic": "C04030"}


def timecode(frame: int, fps: Fraction) -> str:
    """hh:mm:ss:ff without dropped frames: rates such as 30000/1001 count to 30."""
    seconds, frames = divmod(frame, _nominal(fps))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def edl(passages: Sequence[Passage], fps: Fraction, title: str) -> str:
    """Timeline markers as DaVinci Resolve exports and imports them: an edit decision list (CMX 3600), one frame an event.

    The length of a marker is its `|D:`, in frames. Times count from 01:00:00:00, where Resolve's timelines begin.
    """
    start = RESOLVE_START_S * _nominal(fps)
    lines = [f"TITLE: {title}", "FCM: NON-DROP FRAME", ""]
    for number, passage in enumerate(passages, 1):
        begin, end = (timecode(start + passage.first + frame, fps) for frame in (0, 1))
        lines += [
            f"{number:03d}  001      V     C        {begin} {end} {begin} {end}  ",
            f" |C:ResolveColor{RESOLVE_COLOURS[passage.mood]} |M:{passage.mood} |D:{passage.ticks}",
            "",
        ]
    return "\n".join(lines)


def fcpxml(
    passages: Sequence[Passage], fps: Fraction, title: str, film: Path, size: tuple[int, int], has_sound: bool
) -> str:
    """A Final Cut Pro project (FCPXML 1.9): the film, of this width and height, with a marker for each passage."""
    frames = passages[-1].last + 1

    def seconds(count: int) -> str:
        return f"{count * fps.denominator}/{fps.numerator}s"

    root = ET.Element("fcpxml", version="1.9")
    resources = ET.SubElement(root, "resources")
    width, height = map(str, size)
    ET.SubElement(resources, "format", id="r1", frameDuration=seconds(1), width=width, height=height)
    length = {"start": "0s", "duration": seconds(frames)}
    sound = {"hasAudio": "1", "audioSources": "1"} if has_sound else {}
    asset = ET.SubElement(resources, "asset", length | sound, id="r2", name=film.stem, hasVideo="1", format="r1")
    ET.SubElement(asset, "media-rep", kind="original-media", src=film.resolve().as_uri())
    event = ET.SubElement(ET.SubElement(root, "library"), "event", name=title)
    timing = {"duration": seconds(frames), "tcStart": "0s", "tcFormat": "NDF"}
    sequence = ET.SubElement(ET.SubElement(event, "project", name=title), "sequence", timing, format="r1")
    spine = ET.SubElement(sequence, "spine")
    clip = ET.SubElement(spine, "asset-clip", length, ref="r2", name=film.stem, offset="0s", format="r1")
    for passage in passages:
        ET.SubElement(
            clip,
            "marker",
            start=seconds(passage.first),
            duration=seconds(1),
            value=passage.mood,
            note=f"{float(passage.ticks / fps):.2f} s",
        )
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{ET.tostring(root, "unicode")}\n'


def reaper_csv(passages: Sequence[Passage], fps: Fraction) -> str:
    """Regions as Reaper's region and marker manager imports them: times in minutes and seconds."""
    rows = [["#", "Name", "Start", "End", "Length", "Color"]]
    for number, passage in enumerate(passages, 1):
        bounds = (passage.first, passage.last + 1, passage.ticks)
        rows.append(
            [f"R{number}", passage.mood, *(_clock(frame / fps) for frame in bounds), REAPER_COLOURS[passage.mood]]
        )
    return _csv(rows)


def premiere_csv(passages: Sequence[Passage], fps: Fraction) -> str:
    """Markers in the columns of Premiere's own export, with timecodes."""
    rows = [["Marker Name", "Description", "In", "Out", "Duration", "Marker Type"]]
    for passage in passages:
        bounds = (passage.first, passage.last + 1, passage.ticks)
        rows.append([passage.mood, "", *(timecode(frame, fps) for frame in bounds), "Comment"])
    return _csv(rows)


def write_markers(
    folder: Path, passages: Sequence[Passage], fps: Fraction, title: str, film: Path, has_sound: bool
) -> list[Path]:
    """Write markers.edl, markers.fcpxml, markers-reaper.csv and markers-premiere.csv; return their paths."""
    facts = film_facts(film)
    texts = {
        "markers.edl": edl(passages, fps, title),
        "markers.fcpxml": fcpxml(passages, fps, title, film, (facts.width, facts.height), has_sound),
        "markers-reaper.csv": reaper_csv(passages, fps),
        "markers-premiere.csv": premiere_csv(passages, fps),
    }
    for name, text in texts.items():
        with written_atomically(folder / name) as temporary:
            temporary.write_text(text, "utf-8", newline="")
    return [folder / name for name in texts]


def _nominal(fps: Fraction) -> int:
    """Frames that a second of timecode counts."""
    return -(-fps.numerator // fps.denominator)


def _clock(seconds: Fraction) -> str:
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 60000}:{milliseconds // 1000 % 60:02d}.{milliseconds % 1000:03d}"


def _csv(rows: list[list[str]]) -> str:
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows(rows)
    return content.getvalue()
