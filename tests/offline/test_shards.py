"""A film rendered in shards by separate processes and joined is the film of one process."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from offline.rendering.hashes import Hashes
from offline.rendering.join import join_shards
from offline.rendering.options import parse_fps
from offline.rendering.render import Job, render
from offline.video.film_format import FormatRequest
from offline.video.shards import Shard
from offline.video.writer import SEGMENT_PICTURES, SHORTEST_SEGMENT, segment_length
from shared.controls import ControlChange
from shared.errors import SettingError, Stopped, UserError
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.preset import Preset
from shared.recording.writer import RecordingWriter
from shared.times import parse_time
from tests.small import make_preset, sound, write_sound

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
COUNT = 3


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return Preset.load(make_preset(tmp_path_factory.mktemp("preset") / "p"))


@pytest.fixture(scope="module")
def job(tmp_path_factory, preset):
    """51 pictures: four segments."""
    return Job(preset, write_sound(tmp_path_factory.mktemp("sound") / "in.wav", 1.71, 48000, 2))


def render_shards(job, output, numbers=range(1, COUNT + 1), **options):
    return [render(job, output, shard=Shard(COUNT, number), **options) for number in numbers]


def content(path):
    """The bytes of a film, or of each picture in a folder."""
    return {p.name: p.read_bytes() for p in path.iterdir()} if path.is_dir() else path.read_bytes()


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("film.mp4", "h264"),
        ("film.mov", "h264"),
        ("film.mkv", "h264"),
        ("film.mov", "prores"),
        ("film.mov", "hap"),
        ("film.mkv", "ffv1"),
        ("film", "png"),
    ],
)
def test_joined_shards_are_the_film_of_one_process(tmp_path, job, name, codec):
    (tmp_path / "one").mkdir()
    whole, joined = tmp_path / "one" / name, tmp_path / name
    assert render(job, whole, codec=codec) == 51
    assert render_shards(job, joined, codec=codec) == [15, 15, 21]
    assert not joined.exists()
    assert join_shards(joined) == 51
    assert content(joined) == content(whole)
    assert [path.name for path in tmp_path.glob("film*")] == [name]  # the shards are gone
    if codec != "png":
        with av.open(str(joined)) as film:
            assert (film.streams.audio[0].rate, film.streams.audio[0].channels) == (48000, 2)


@pytest.mark.parametrize(
    ("fps", "excerpt", "frame"),
    [
        ("30000/1001", {}, FormatRequest(shape=parse_fps("16/9"))),
        ("25", {"start": parse_time("0.3"), "end": parse_time("1.6")}, FormatRequest((64, 36))),
        ("50", {"start": parse_time("0.5")}, FormatRequest(32, fit="square")),
    ],
)
def test_rates_excerpts_and_shapes(tmp_path, job, fps, excerpt, frame):
    job = Job(job.preset, job.sound, parse_fps(fps), format=frame, **excerpt)
    whole, joined = tmp_path / "whole.mp4", tmp_path / "joined.mp4"
    pictures = render(job, whole)
    count = -(-pictures // SHORTEST_SEGMENT)
    assert count > 1
    shards = [render(job, joined, shard=Shard(count, number)) for number in range(count, 0, -1)]  # in any order
    assert sum(shards) == pictures
    join_shards(joined)
    assert content(joined) == content(whole)


def test_a_shard_draws_its_own_pictures_of_the_whole_pipeline(tmp_path, job, monkeypatch):
    every = Hashes()
    render(job, tmp_path / "whole.mkv", log=every)
    painted = []
    paint = Painter.paint
    monkeypatch.setattr(Painter, "paint", lambda self, picture: painted.append(picture) or paint(self, picture))
    second = Hashes()
    render(job, tmp_path / "film.mkv", shard=Shard(COUNT, 2), log=second)
    assert len(painted) == 15
    assert second.rows == every.rows[15:30]


CHANGES = (
    ControlChange(2_000, "shape", "2:1"),
    ControlChange(5_000, "latent_smoothing", 0.9),
    ControlChange(30_000, "drift", (0.3, 0.1)),
    ControlChange(70_000, "shape", "1:2"),
    ControlChange(80_000, "freeze", 1),
    ControlChange(100_000, "freeze", 0),
)


def record(preset, folder, begin=1_000):
    """A show of three seconds whose shape, speed and memory change; recorded from a sample on."""
    pipeline, writer, samples = Pipeline(preset), RecordingWriter(folder), sound(3.0)[:, 0]
    places = [begin, *(change.sample for change in CHANGES)]
    for place, part in zip([0, *places], np.split(samples, places), strict=True):
        if place == begin:
            writer.begin(pipeline.state(), "samples", {"input": "a test"})
        for change in CHANGES:
            if change.sample == place:
                writer.change(pipeline.schedule(change), change)
        if place:
            writer.sound(part)
        pipeline.process(part)
    writer.end(pipeline.samples)
    return folder


def test_a_recorded_show_that_changes_its_shape(tmp_path, preset):
    job = Job(preset, record(preset, tmp_path / "take"))
    whole, joined = tmp_path / "whole.mkv", tmp_path / "joined.mkv"
    every, parts = Hashes(), Hashes()
    assert render(job, whole, log=every) == 89  # the recording begins within a picture
    assert render_shards(job, joined, log=parts) == [30, 30, 29]
    assert parts.rows == every.rows
    assert parts.whole.hexdigest() == every.whole.hexdigest()
    assert join_shards(joined) == 89
    assert content(joined) == content(whole)


def test_a_stopped_shard_is_resumed(tmp_path, preset, monkeypatch):
    job = Job(preset, write_sound(tmp_path / "in.wav", 4))  # 120 pictures: eight segments of 15
    render(job, tmp_path / "whole.mp4")
    paint, numbers = Painter.paint, itertools.count(1)

    def stopping(self, picture):
        if next(numbers) == 50:
            os.kill(os.getpid(), signal.SIGINT)
        return paint(self, picture)

    monkeypatch.setattr(Painter, "paint", stopping)
    with pytest.raises(Stopped, match=r"stopped after \d+ of 60 pictures; continue with --resume"):
        render(job, tmp_path / "film.mp4", shard=Shard(2, 2))
    assert not (tmp_path / "film.partial.mp4").exists()
    painted = []
    monkeypatch.setattr(Painter, "paint", lambda self, picture: painted.append(picture) or paint(self, picture))
    render(job, tmp_path / "film.mp4", shard=Shard(2, 1))
    with pytest.raises(
        UserError, match=r"shard 2/2 is not finished \(\d+ of 60 pictures\): render it again with --resume"
    ):
        join_shards(tmp_path / "film.mp4")
    painted.clear()
    render(job, tmp_path / "film.mp4", shard=Shard(2, 2), resume=True)
    assert 0 < len(painted) < 60
    painted.clear()
    assert render(job, tmp_path / "film.mp4", shard=Shard(2, 2), resume=True) == 60  # a finished one stays
    assert not painted
    join_shards(tmp_path / "film.mp4", keep=True)
    assert content(tmp_path / "film.mp4") == content(tmp_path / "whole.mp4")
    join_shards(tmp_path / "film.mp4", force=True)  # of those that were kept
    assert content(tmp_path / "film.mp4") == content(tmp_path / "whole.mp4")


def test_missing_shards_are_named(tmp_path, job):
    output = tmp_path / "film.mkv"
    with pytest.raises(UserError, match=r"no shards of .*film.mkv in .*film.mkv.shards: render them first"):
        join_shards(output)
    render_shards(job, output, [2])
    with pytest.raises(UserError, match=r"shards 1 and 3 of 3 are missing: render with --shards N/3"):
        join_shards(output)
    render_shards(job, output, [1])
    with pytest.raises(UserError, match=r"shard 3/3 is missing"):
        join_shards(output)
    assert not output.exists()


def test_foreign_shards_are_named(tmp_path, job, preset):
    output = tmp_path / "film.mkv"
    other = Job(preset, write_sound(tmp_path / "other.wav", 1.71, 48000, 2, subtype="FLOAT"))
    render_shards(job, output, [1, 3])
    render_shards(other, output, [2])
    with pytest.raises(
        UserError, match=r"shard 2/3 belongs to another render than shard 1/3 .*2-of-3 and render shard"
    ):
        join_shards(output)
    render_shards(job, output, [2], codec="h264")
    with pytest.raises(UserError, match=r"shard 2/3 was made with h264, .*shard 1/3 with ffv1, "):
        join_shards(output)
    render_shards(job, output, [2])
    render(job, output, shard=Shard(2, 1))
    with pytest.raises(UserError, match=r"has shards N/2 and N/3: delete the folders"):
        join_shards(output)
    shutil.rmtree(Shard(2, 1).folder(output))
    join_shards(output)
    with pytest.raises(UserError, match=r"film.mkv exists; --force replaces it"):
        join_shards(output)


def test_damaged_shards_are_named(tmp_path, job):
    output = tmp_path / "film.mkv"
    render_shards(job, output)
    folder = Shard(COUNT, 1).folder(output)
    sound = (folder / "sound.f32").read_bytes()
    (folder / "sound.f32").write_bytes(sound[:-8])
    with pytest.raises(UserError, match=r"shard 1/3 is damaged in .*1-of-3: render it again with --resume"):
        join_shards(output)
    render_shards(job, output, [1], resume=True)
    assert (folder / "sound.f32").read_bytes() == sound
    second = Shard(COUNT, 2).folder(output)
    (second / "000000.mov").write_bytes(b"")
    with pytest.raises(UserError, match=r"shard 2/3 is damaged"):
        join_shards(output)
    render_shards(job, output, [2], resume=True)
    manifest = second / "manifest.json"
    kept = manifest.read_text()
    manifest.write_text(kept[:-3])
    with pytest.raises(UserError, match=r"manifest.json is damaged"):
        join_shards(output)
    facts = json.loads(kept)
    facts["film"]["number"] = 3
    manifest.write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"manifest.json does not belong to shard 2/3: delete"):
        join_shards(output)


def test_a_silent_recording_of_descriptors_has_no_sound_to_join(tmp_path, job, monkeypatch):
    whole, joined = tmp_path / "whole.mp4", tmp_path / "joined.mp4"
    monkeypatch.setattr(type(job.material), "soundtrack", lambda *_: None)
    render(job, whole)
    render_shards(job, joined)
    assert not list(tmp_path.rglob("sound.f32"))
    join_shards(joined)
    assert content(joined) == content(whole)


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "-1/3", "1/0", "a/b", "1/3/5", "1/100000"])
def test_shards_that_are_none(text):
    with pytest.raises(SettingError, match=r"allowed are N/COUNT such as 2/8"):
        Shard.parse(text)
    assert Shard.parse("2/8") == Shard(8, 2)


def test_every_picture_belongs_to_one_shard():
    for pictures in (1, 14, 15, 16, 240, 3839, 3840, 108_000):
        segment = segment_length(pictures)
        assert SHORTEST_SEGMENT <= segment <= SEGMENT_PICTURES
        segments = -(-pictures // segment)
        assert segments >= min(16, pictures // SHORTEST_SEGMENT)
        for count in {1, min(2, segments), min(7, segments), segments}:
            parts = [Shard(count, number).part(pictures, segment) for number in range(1, count + 1)]
            assert [place for part in parts for place in part] == list(range(pictures))
            assert all(part and part.start % segment == 0 for part in parts)
            assert max(map(len, parts)) - min(map(len, parts[:-1] or parts)) <= segment
        with pytest.raises(SettingError, match=rf"allowed are at most {segments} shards"):
            Shard(segments + 1, 1).part(pictures, segment)


def script(tmp_path, name, text):
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def test_the_job_array_makes_the_film(tmp_path, preset):
    """With stand-ins for srun and scontrol; what they start is the real program."""
    job = Job(preset, write_sound(tmp_path / "in.wav", 1.1))
    render(job, tmp_path / "whole.mp4")
    batch = ROOT / "examples" / "slurm" / "render.sbatch"
    subprocess.run(["bash", "-n", batch], check=True)
    script(tmp_path, "srun", 'while [[ $1 == --* ]]; do shift; done; exec "$@"')
    script(tmp_path, "scontrol", f'echo "$@" >> {tmp_path}/requeued')
    script(tmp_path, "ponticello", f'exec {sys.executable} {ROOT}/ponticello.py "$@"')
    environment = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "SLURM_ARRAY_TASK_COUNT": "2"}
    for task in "12":
        subprocess.run(
            ["bash", batch, preset.folder, tmp_path / "in.wav", tmp_path / "film.mp4"],
            env=environment | {"SLURM_ARRAY_TASK_ID": task, "SLURM_JOB_ID": "77", "SLURM_CPUS_PER_TASK": "1"},
            check=True,
        )
    assert not (tmp_path / "requeued").exists()
    join_shards(tmp_path / "film.mp4")
    assert content(tmp_path / "film.mp4") == content(tmp_path / "whole.mp4")
    script(tmp_path, "ponticello", "exit 130")  # stopped at the end of its time
    stopped = subprocess.run(
        ["bash", batch, "p", "s", "o"],
        env=environment | {"SLURM_ARRAY_TASK_ID": "1", "SLURM_JOB_ID": "77"},
        check=False,
    )
    assert stopped.returncode == 130
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"


def test_the_sound_of_a_shard_is_the_sources(tmp_path, job):
    render_shards(job, tmp_path / "film.mov", [1])
    stored = np.fromfile(Shard(COUNT, 1).folder(tmp_path / "film.mov") / "sound.f32", "<f4").reshape(-1, 2)
    assert np.array_equal(stored, np.concatenate(list(job.material.soundtrack(job.fps, range(51), True).blocks())))
