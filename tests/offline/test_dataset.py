import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from typer.testing import CliRunner

from offline.dataset import conversion
from offline.dataset.command import app, make_dataset
from offline.dataset.conversion import Making
from offline.dataset.left_out import LeftOut
from offline.dataset.likeness import Likeness
from offline.dataset.reader import Dataset
from offline.dataset.square import Crop, resized
from offline.dataset.stills import decoded, parse_colour
from offline.progress import reporting
from shared.errors import PonticelloError, Stopped, UserError
from shared.ffmpeg import find_ffmpeg

ROOT = Path(__file__).parents[2]
CROP = np.load(ROOT / "tests" / "reference" / "training" / "crop.npz")
BLACK = (0, 0, 0)


def noise(width=48, height=32, seed=0, channels=3):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels if channels > 1 else pixels[..., 0])


def content(image, kind="png", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def stills(folder, count=6, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        noise(seed=number).save(folder / f"{number:03d}.png")
    return folder


def film(path, count=20, source="testsrc2=size=64x48:rate=10"):
    command = [find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-frames:v", str(count)]
    subprocess.run([*command, "-c:v", "libx264", "-pix_fmt", "yuv420p", path], check=True)
    return path


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def listing(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("dataset.json"))


@pytest.mark.parametrize("name", ["wide", "tall", "odd"])
def test_the_centre_square_is_that_of_the_reference(name):
    image = Image.fromarray(CROP[f"in/{name}"])
    (box,) = Crop().boxes(*image.size)
    wanted = CROP[f"out32/{name}"].astype(int)
    assert np.abs(np.asarray(resized(image, box, 32)) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("text", "size", "boxes"),
    [
        ("centre", (50, 40), [(5, 0, 45, 40)]),
        ("4,6,20,10", (50, 40), [(9, 6, 19, 16)]),
        ("grid", (40, 40), [(0, 0, 40, 40)]),
        ("grid", (80, 45), [(0, 0, 45, 45), (35, 0, 80, 45)]),
        ("grid:2", (40, 60), [(x, y, x + 20, y + 20) for y in (0, 20, 40) for x in (0, 20)]),
    ],
)
def test_crops_give_these_squares(text, size, boxes):
    assert Crop.parse(text).boxes(*size) == boxes


@pytest.mark.parametrize("text", ["middle", "grid:0", "grid:99", "1,2,3", "1,2,0,4", "-1,0,5,5"])
def test_a_wrong_crop_is_one_line(text):
    with pytest.raises(UserError, match="allowed are centre"):
        Crop.parse(text)


def test_a_picture_is_rotated_according_to_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    given = decoded(content(noise(), exif=exif), BLACK)
    assert np.array_equal(np.asarray(given), np.rot90(np.asarray(noise()), -1))


def test_sixteen_bits_are_divided_and_not_clipped():
    ramp = np.linspace(0, 65535, 32 * 48).round().astype(np.uint16).reshape(32, 48)
    for kind in ("png", "tiff"):
        given = np.asarray(decoded(content(Image.fromarray(ramp), kind), BLACK)).astype(float)
        assert np.abs(given - ramp[..., None] / 257).max() <= 0.5


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_modes_are_those_colours_in_rgb(mode):
    image = noise().convert(mode)
    kind = {"CMYK": "tiff", "YCbCr": "tiff"}.get(mode, "png")
    given = np.asarray(decoded(content(image, kind), BLACK)).astype(int)
    assert np.abs(given - np.asarray(image.convert("RGB"))).max() <= 1


def test_alpha_lies_on_the_background():
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, np.arange(4) * 85
    image = Image.fromarray(pixels)
    for colour in (BLACK, (0, 100, 50)):
        alpha = pixels[..., 3:] / 255
        wanted = pixels[..., :3] * alpha + np.array(colour) * (1 - alpha)
        assert np.abs(np.asarray(decoded(content(image), colour)) - wanted).max() <= 1
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    given = decoded(content(palette, transparency=0), (9, 8, 7))
    assert np.asarray(given)[0, 0].tolist() == [9, 8, 7]


def test_a_colour_profile_is_turned_to_srgb():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    image = noise()
    given = decoded(content(image, icc_profile=lab.tobytes()), BLACK)
    assert np.abs(np.asarray(given).astype(int) - np.asarray(image)).max() <= 1
    given = decoded(content(image, icc_profile=b"damaged"), BLACK)
    assert np.array_equal(np.asarray(given), np.asarray(image))


@pytest.mark.parametrize(
    "file",
    [b"", b"text", content(noise())[:800], content(noise(), "jpeg")[:500], content(Image.new("F", (4, 4)), "tiff")],
)
def test_unusable_files_are_listed_with_the_reason(file):
    with pytest.raises(LeftOut, match=r"damaged|not a picture|floating-point"):
        decoded(file, BLACK)


def test_a_wrong_colour_is_one_line():
    assert parse_colour("#102030") == (16, 32, 48)
    with pytest.raises(UserError, match="#rrggbb"):
        parse_colour("nocolour")


def test_films_and_pictures_become_a_data_set(tmp_path):
    source = stills(tmp_path / "in")
    film(source / "b.mp4")
    (source / "notes.txt").write_text("x")
    (source / "bad.png").write_bytes(content(noise())[:900])
    (source / "c.mp4").write_bytes(b"no film" * 99)
    made = run(source, "-o", tmp_path / "a.zip", "--size", 16, "--every", 2)
    assert made.exit_code == 0, made.output
    assert f"{tmp_path / 'a.zip'}: 16 pictures of 16 x 16 from 17 read" in made.output
    dataset = Dataset(tmp_path / "a.zip")
    assert (len(dataset), dataset.resolution, dataset.channels, dataset.has_labels) == (16, 16, 3, False)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist() == [*(f"00000/img{i:08d}.png" for i in range(16)), "dataset.json"]
    assert listing(tmp_path / "a.zip") == {"labels": None}
    left_out = (tmp_path / "a-left-out.csv").read_text()
    assert left_out.count("\n") == 4
    assert all(word in left_out for word in ('notes.txt,,,0,"neither', "bad.png,,,1,damaged", "c.mp4,,,0,ffmpeg: "))
    with Image.open(tmp_path / "a-sheet.png") as sheet:
        assert sheet.size == (12 * 162 + 2, 2 * 162 + 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-left-out.csv", "a-sheet.png", "a.zip", "in"]


def test_pictures_are_those_of_pillow(tmp_path):
    make_dataset([stills(tmp_path / "in", 3)], tmp_path / "a.zip", Making(16))
    dataset = Dataset(tmp_path / "a.zip")
    for number in range(3):
        wanted = noise(seed=number).crop((8, 0, 40, 32)).resize((16, 16), Image.Resampling.LANCZOS)
        assert np.array_equal(dataset.image(number).transpose(1, 2, 0), np.asarray(wanted))


def test_mirror_grid_and_grey(tmp_path):
    counts = make_dataset(
        [stills(tmp_path / "in", 2)], tmp_path / "a.zip", Making(16, crop=Crop(rows=1), mirror=True, grey=True)
    )
    dataset = Dataset(tmp_path / "a.zip")
    assert (counts.pictures, counts.frames, len(dataset), dataset.channels) == (8, 2, 8, 1)
    assert np.array_equal(dataset.image(1), dataset.image(0)[..., ::-1])
    assert not np.array_equal(dataset.image(2), dataset.image(0))


def test_small_pictures_are_counted_as_enlarged(tmp_path):
    assert make_dataset([stills(tmp_path / "in", 2)], tmp_path / "a.zip", Making(64)).enlarged == 2


def test_near_duplicates_are_left_out(tmp_path):
    folder = stills(tmp_path / "in", 3)
    pixels = np.asarray(noise(seed=1)).astype(int) + np.random.default_rng(5).integers(-3, 4, (32, 48, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "x.png")
    counts = make_dataset([folder, folder], tmp_path / "a.zip", Making(32, distinct=6.0))
    assert counts.pictures == 3
    assert len(counts.omissions) == 5
    assert {each.reason for each in counts.omissions} == {"like an earlier picture"}


def test_likeness_finds_the_first_that_is_like():
    likeness = Likeness(2.0)
    rng = np.random.default_rng(0)
    kept = rng.integers(0, 250, (300, 768)).astype(np.uint8)
    for each in kept:
        assert likeness.alike(each) is None
        likeness.keep(each)
    assert likeness.alike(kept[200] + np.uint8(2)) == 200
    other = kept[200].copy()
    other[7] += 3
    assert likeness.alike(other) is None


def test_labels_come_from_folders_and_survive_a_second_making(tmp_path):
    stills(tmp_path / "in" / "ink", 2)
    stills(tmp_path / "in" / "glass" / "deep", 3, start=10)
    made = run(tmp_path / "in", "-o", tmp_path / "a.zip", "--size", 16, "--labels")
    assert "5 pictures of 16 x 16 from 5 read\n2 classes: 0 glass (3), 1 ink (2)\n" in made.output
    dataset = Dataset(tmp_path / "a.zip", use_labels=True)
    assert dataset.classes == ["glass", "ink"]
    assert dataset.labels.argmax(1).tolist() == [0, 0, 0, 1, 1]
    make_dataset([tmp_path / "a.zip"], tmp_path / "b.zip", Making(16, labels=True))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    made = run(tmp_path / "a.zip", "-o", tmp_path / "c.zip", "--size", 16)
    assert "has labels; they are not used without --labels" in made.output
    assert listing(tmp_path / "c.zip") == {"labels": None}


def test_labels_of_other_tools_stay_numbers(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"00000/img{number:08d}.png", content(noise(16, 16, number)))
        labels = [["00000/img00000000.png", 6], ["00000/img00000002.png", 1]]
        archive.writestr("dataset.json", json.dumps({"labels": labels}))
    counts = make_dataset([tmp_path / "a.zip"], tmp_path / "b.zip", Making(16, labels=True))
    assert listing(tmp_path / "b.zip")["labels"] == [["00000/img00000000.png", 6], ["00000/img00000001.png", 1]]
    assert [each.reason for each in counts.omissions] == ["no label in its dataset.json"]
    assert np.array_equal(Dataset(tmp_path / "b.zip").image(1).transpose(1, 2, 0), np.asarray(noise(16, 16, 2)))
    stills(tmp_path / "ink", 1)
    assert Dataset(tmp_path / "b.zip", use_labels=True).describe_labels().startswith("7 classes: 0 (0), 1 (1), 2 (0)")
    with pytest.raises(UserError, match="labels with names, others numbers"):
        make_dataset([tmp_path / "a.zip", tmp_path / "ink"], tmp_path / "c.zip", Making(16, labels=True))


def stop_after(done):
    """A progress display that presses Ctrl-C after so many pictures."""

    class Impatient:
        def begin(self, what, total):
            def advance(count, /):
                if count >= done:
                    raise KeyboardInterrupt

            return advance

        def say(self, line):
            pass

    return reporting(Impatient())


@pytest.mark.parametrize("moments", [(1,), (4, 9), (3, 7, 22)])
def test_the_same_command_goes_on_to_the_same_bytes(tmp_path, moments):
    sources = [stills(tmp_path / "in", 5), film(tmp_path / "b.mp4")]
    (tmp_path / "in" / "zz.png").write_bytes(b"damaged")
    making = Making(16, distinct=3.0, mirror=True)
    whole = make_dataset(sources, tmp_path / "whole.zip", making)
    for moment in moments:
        with stop_after(moment), pytest.raises(Stopped, match="the same command continues"):
            make_dataset(sources, tmp_path / "a.zip", making)
    assert not (tmp_path / "a.zip").exists()
    assert make_dataset(sources, tmp_path / "a.zip", making) == whole
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "whole.zip").read_bytes()
    assert not (tmp_path / "a.zip.part").exists()


def test_the_incomplete_end_after_a_power_failure_is_cut_off(tmp_path):
    sources = [stills(tmp_path / "in", 9)]
    make_dataset(sources, tmp_path / "whole.zip", Making(16))
    with stop_after(5), pytest.raises(Stopped):
        make_dataset(sources, tmp_path / "a.zip", Making(16))
    with (tmp_path / "a.zip.part" / "pictures.zip").open("ab") as file:
        file.write(b"half a picture")
    with (tmp_path / "a.zip.part" / "journal.jsonl").open("ab") as file:
        file.write(b'{"item": 6, "fr')
    make_dataset(sources, tmp_path / "a.zip", Making(16))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "whole.zip").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_process_loses_little_and_can_be_continued(tmp_path):
    stills(tmp_path / "in", 120)
    command = [sys.executable, "ponticello.py", "dataset", tmp_path / "in", "-o", tmp_path / "a.zip", "--size", "256"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    journal = tmp_path / "a.zip.part" / "journal.jsonl"
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 1):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    make_dataset([tmp_path / "in"], tmp_path / "whole.zip", Making(256))
    if not (tmp_path / "a.zip").exists():  # it was faster than its first save
        make_dataset([tmp_path / "in"], tmp_path / "a.zip", Making(256))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "whole.zip").read_bytes()


def test_an_interrupted_data_set_wants_the_same_settings(tmp_path):
    sources = [stills(tmp_path / "in", 5)]
    with stop_after(3), pytest.raises(Stopped):
        make_dataset(sources, tmp_path / "a.zip", Making(16))
    with pytest.raises(UserError, match="other settings or sources"):
        make_dataset(sources, tmp_path / "a.zip", Making(32))
    assert make_dataset(sources, tmp_path / "a.zip", Making(32), force=True).pictures == 5


def test_two_programs_do_not_write_one_data_set(tmp_path):
    sources = [stills(tmp_path / "in", 5)]

    class Second:
        def begin(self, what, total):
            with pytest.raises(UserError, match="another ponticello dataset"):
                make_dataset(sources, tmp_path / "a.zip", Making(16))
            return lambda done: None

        def say(self, line):
            pass

    with reporting(Second()):
        assert make_dataset(sources, tmp_path / "a.zip", Making(16)).pictures == 5


def test_pictures_are_made_while_others_wait_and_none_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "WORKERS", 3)
    folder = stills(tmp_path / "in", 30)
    assert make_dataset([folder], tmp_path / "a.zip", Making(16)).pictures == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["in", "-o", "a.tar"], "ends in .zip"),
        (["in", "-o", "a.zip", "--size", "100"], "--size 100 given"),
        (["in", "-o", "there.zip"], "--force replaces it"),
        (["nothing", "-o", "a.zip"], "no file or folder nothing"),
        (["empty", "-o", "a.zip"], "no films or pictures in empty"),
        (["bad", "-o", "a.zip"], "no picture could be used: bad/x.png"),
        (["in", "-o", "a.zip", "--crop", "0,0,99,99", "--size", "16"], "reaches beyond its 48 x 32 pixels"),
        (["in", "-o", "a.zip", "--every", "0"], "--every 0 given"),
        (["in", "-o", "a.zip", "--likeness", "300"], "0 to 255 grey levels"),
        (["in", "-o", "missing/a.zip"], "no folder missing"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    stills(Path("in"), 1)
    Path("empty").mkdir()
    Path("bad").mkdir()
    Path("bad/x.png").write_bytes(b"damaged")
    Path("there.zip").write_bytes(b"")
    given = run(*options)
    assert isinstance(given.exception, PonticelloError)
    assert message in str(given.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "empty", "in", "there.zip"]
    shutil.rmtree("in")
