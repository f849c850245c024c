"""The timeline: measures against known answers, passages, markers as editors read them, the whole command."""

import csv
import io
import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from offline.rendering.render import Job
from offline.timeline import command as command_module
from offline.timeline.command import handled, render_passages
from offline.timeline.markers import edl, fcpxml, premiere_csv, reaper_csv, timecode
from offline.timeline.meter import PictureMeter, picture_entropy
from offline.timeline.passages import Limits, Passage, local_correspondence, moving_mean, passages
from offline.timeline.report import timeline_plot
from offline.timeline.sound_entropy import sound_entropies
from offline.timeline.timeline import measure
from offline.video.soundtrack import Soundtrack
from shared.errors import Stopped
from shared.preset import Preset
from tests.small import make_preset, write_sound

FOUND = [Passage("calm", 0, 44), Passage("chaotic", 45, 89), Passage("compelling", 90, 209)]
FPS = Fraction(30)


def track(samples, rate=44100):
    return Soundtrack(rate, 1, "FLOAT", lambda: iter([samples[:, None].astype(np.float32)]))


def test_entropy_of_sounds():
    t = np.arange(44100) / 44100
    noise = np.random.default_rng(0).standard_normal(44100)
    tone, white, silent = (
        sound_entropies(track(x), 30, FPS)[2:-2] for x in (np.sin(2 * np.pi * 1000 * t), noise, t * 0)
    )
    assert tone.max() < 0.25
    assert white.min() > 0.85
    assert not silent.any()
    assert np.isnan(sound_entropies(None, 3, FPS)).all()
    appears = np.where(t < 0.5, 0, noise)
    assert np.flatnonzero(sound_entropies(track(appears), 30, FPS))[0] in (14, 15)


def test_entropy_of_pictures():
    assert picture_entropy(np.full((64, 64, 3), 9, np.uint8)) == 0
    levels = np.arange(256, dtype=np.uint8).repeat(16).reshape(64, 64)
    assert picture_entropy(np.stack([levels] * 3, axis=2)) == 6


def test_a_stopped_meter_continues(tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (20, 80, 80, 3)).astype(np.uint8)

    def run(name, cuts):
        for first, last in cuts:
            meter = PictureMeter(tmp_path / name, "x", range(100, 120))
            for i in range(first, last):
                meter.add(100 + i, pictures[i])
        return meter

    whole = run("a", [(0, 20)])
    parts = run("b", [(0, 9), (5, 12), (12, 20)])
    assert whole.known == 0
    assert PictureMeter(tmp_path / "b", "x", range(100, 120)).known == 20
    assert PictureMeter(tmp_path / "c", "x", range(100, 120)).known == 0
    assert (whole.changes[1:] > 0).all()
    assert whole.changes.tolist() == parts.changes.tolist()
    assert whole.entropies.tolist() == parts.entropies.tolist()
    assert whole.spread == parts.spread > 0
    assert PictureMeter(tmp_path / "a", "another", range(100, 120)).known == 0
    parts.close()
    assert not (tmp_path / "b").exists()


def mood_of(changes, correspondence=1.0, distances=0.0, limits=Limits()):  # noqa: B008  # frozen
    n = len(changes)
    full = [np.broadcast_to(np.asarray(x, float), n) for x in (correspondence, distances)]
    return passages(np.asarray(changes, float), *full, 100.0, 5.0, FPS, limits)


def test_moods_by_their_limits():
    assert [p.mood for p in mood_of([5] * 90)] == ["calm"]
    assert [p.mood for p in mood_of([40] * 90)] == ["compelling"]
    assert [p.mood for p in mood_of([60] * 90)] == ["chaotic"]
    assert [p.mood for p in mood_of([40] * 90, 0.0)] == ["chaotic"]
    assert [p.mood for p in mood_of([40] * 90, 1.0, 6.0)] == ["chaotic"]
    found = mood_of([5] * 60 + [40] * 60 + [90] * 60)
    assert [p.mood for p in found] == ["calm", "compelling", "chaotic"]
    assert found[0].first == 0
    assert all(a.last + 1 == b.first for a, b in pairwise(found))
    assert found[-1].last == 179


def test_short_passages_join_their_neighbours():
    changes = [5] * 100 + [40] * 40 + [5] * 100
    assert [p.mood for p in mood_of(changes)] == ["calm", "compelling", "calm"]
    assert [p.mood for p in mood_of(changes, limits=Limits(shortest_s=3))] == ["calm"]
    assert mood_of([5] * 10) == [Passage("calm", 0, 9)]


def test_means_and_correspondence_at_the_ends():
    assert moving_mean(np.ones(9), 4).tolist() == [1] * 9
    assert moving_mean(np.ones(2), 30).tolist() == [1, 1]
    rng = np.random.default_rng(1)
    moved = rng.random(200)
    assert local_correspondence(moved, moved**3, FPS).min() == pytest.approx(1)
    assert abs(local_correspondence(moved, rng.random(200), FPS).mean()) < 0.2
    assert not local_correspondence(moved * 0, moved, FPS).any()


def test_timecode_counts_whole_frames():
    assert timecode(0, FPS) == "00:00:00:00"
    assert timecode(30 * 3661 + 7, FPS) == "01:01:01:07"
    assert timecode(30, Fraction(30000, 1001)) == "00:00:01:00"


def test_edl():
    lines = edl(FOUND, FPS, "t").splitlines()
    assert lines[:2] == ["TITLE: t", "FCM: NON-DROP FRAME"]
    events = [re.fullmatch(r"(\d{3})  001      V     C        (\S+) (\S+) \2 \3  ", line) for line in lines]
    assert [e.group(1, 2, 3) for e in events if e] == [
        ("001", "01:00:00:00", "01:00:00:01"),
        ("002", "01:00:01:15", "01:00:01:16"),
        ("003", "01:00:03:00", "01:00:03:01"),
    ]
    assert " |C:ResolveColorRed |M:chaotic |D:45" in lines


def test_fcpxml(tmp_path):
    root = ET.fromstring(fcpxml(FOUND, Fraction(30000, 1001), "a & b", tmp_path / "f.mp4", (640, 360), True))
    assert root.get("version") == "1.9"
    shape = root.find("resources/format")
    assert shape.attrib == {"id": "r1", "frameDuration": "1001/30000s", "width": "640", "height": "360"}
    asset = root.find("resources/asset")
    assert (asset.get("format"), asset.get("hasVideo"), asset.get("hasAudio")) == ("r1", "1", "1")
    silent = ET.fromstring(fcpxml(FOUND, FPS, "t", tmp_path / "f.mp4", (64, 64), False))
    assert silent.find("resources/asset").get("hasAudio") is None
    assert root.find("resources/asset/media-rep").get("src") == (tmp_path / "f.mp4").as_uri()
    clip = root.find("library/event/project/sequence/spine/asset-clip")
    assert clip.get("duration") == f"{210 * 1001}/30000s"
    assert [(m.get("start"), m.get("value")) for m in clip.findall("marker")] == [
        ("0/30000s", "calm"),
        ("45045/30000s", "chaotic"),
        ("90090/30000s", "compelling"),
    ]


def test_csv_markers():
    reaper = list(csv.reader(io.StringIO(reaper_csv(FOUND, FPS))))
    assert reaper[0] == ["#", "Name", "Start", "End", "Length", "Color"]
    assert reaper[2][:5] == ["R2", "chaotic", "0:01.500", "0:03.000", "0:01.500"]
    premiere = list(csv.reader(io.StringIO(premiere_csv(FOUND, FPS))))
    assert premiere[3] == ["compelling", "", "00:00:03:00", "00:00:07:00", "00:00:04:00", "Comment"]


@pytest.fixture
def preset(tmp_path):
    return Preset.load(make_preset(tmp_path / "p"))


@pytest.mark.slow
def test_the_command_writes_everything_and_renders_passages(preset, tmp_path, capsys):
    heard = write_sound(tmp_path / "s.wav", 2.0)
    out = tmp_path / "out"
    command_module.app(
        [str(preset.folder), str(heard), "-o", str(out), "--render", "compelling", "--handles", "0.2", "--calm", "0"],
        standalone_mode=False,
    )
    printed = capsys.readouterr().out
    assert "timeline.html" in printed
    with (out / "timeline.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert {row["mood"] for row in rows} <= {"calm", "compelling", "chaotic"}
    assert float(rows[31]["time (s)"]) == pytest.approx(31 / 30)
    with Image.open(out / "timeline.png") as image:
        assert image.size[0] > 1000
    page = (out / "timeline.html").read_text("utf-8")
    assert "http" not in page
    assert page.count("data:video/mp4") == 1
    for name in ("markers.edl", "markers.fcpxml", "markers-reaper.csv", "markers-premiere.csv", "timeline.mp4"):
        assert (out / name).stat().st_size > 0
    assert not (out / "timeline.measures").exists()
    timeline = measure(Job(preset, heard), tmp_path / "again", Limits(calm=0))
    chosen = [p for p in timeline.passages if p.mood == "compelling"]
    films = sorted(out.glob("compelling-*.mp4"))
    assert len(films) == len(chosen)
    for film, passage in zip(films, chosen, strict=True):
        start, end = handled(passage, timeline, Fraction(1, 5))
        with av.open(str(film)) as opened:
            assert sum(1 for _ in opened.decode(video=0)) == round((end - start) * 30)
    assert len(timeline_plot(timeline).axes) == 5


@pytest.mark.slow
def test_passages_with_handles_are_cut_from_the_whole(preset, tmp_path):
    heard = write_sound(tmp_path / "s.wav", 1.0)
    timeline = measure(Job(preset, heard, start=Fraction(1, 5)), tmp_path / "out", Limits())
    assert timeline.times[0] == pytest.approx(0.2)
    middle = Passage("calm", 6, 11)
    assert handled(middle, timeline, Fraction(1, 10)) == (Fraction(9, 30), Fraction(21, 30))
    assert handled(middle, timeline, Fraction(60)) == (Fraction(6, 30), Fraction(1))
    films = render_passages(Job(preset, heard), timeline, timeline.passages[0].mood, Fraction(0), tmp_path / "out")
    times = films[0].stat().st_mtime_ns
    render_passages(Job(preset, heard), timeline, timeline.passages[0].mood, Fraction(0), tmp_path / "out")
    assert films[0].stat().st_mtime_ns == times


@pytest.mark.slow
def test_a_stopped_timeline_continues(preset, tmp_path, monkeypatch):
    heard = write_sound(tmp_path / "s.wav", 1.0)
    whole = measure(Job(preset, heard), tmp_path / "whole", Limits())
    real = PictureMeter.add

    def interrupted(self, number, image):
        if number == 20:
            raise KeyboardInterrupt
        real(self, number, image)

    monkeypatch.setattr(PictureMeter, "add", interrupted)
    with pytest.raises(Stopped, match="the same command continues"):
        measure(Job(preset, heard), tmp_path / "out", Limits())
    monkeypatch.undo()
    again = measure(Job(preset, heard), tmp_path / "out", Limits())
    assert again.changes.tolist() == whole.changes.tolist()
    assert again.passages == whole.passages
