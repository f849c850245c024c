"""Films made by ffmpeg, each with a feature that decoders get wrong."""

import os
import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from offline.dataset.film import frames
from offline.dataset.film_facts import film_facts
from offline.dataset.left_out import LeftOut
from offline.dataset.selection import Selection
from shared.errors import UserError
from shared.ffmpeg import find_ffmpeg

TEST_SOURCE = "testsrc=size=64x48:rate=10"


def ffmpeg(*arguments):
    subprocess.run([find_ffmpeg(), "-v", "error", "-y", *map(str, arguments)], check=True)


def film(path, source=TEST_SOURCE, count=20, *options):
    ffmpeg("-f", "lavfi", "-i", source, "-frames:v", count, "-c:v", "ffv1", "-pix_fmt", "bgr0", *options, path)
    return path


def stripes(path, times):
    """A film of variable rate whose frame i has the grey level 10 i; returns its path."""
    rates = "+".join(f"eq(N,{i})*{time}" for i, time in enumerate(times))
    source = "color=black:size=32x32:rate=10,format=gray,geq=lum='10*N'"
    filters = ("-vf", f"settb=1/1000,setpts='({rates})/TB'", "-fps_mode", "passthrough", "-enc_time_base", "1/1000")
    ffmpeg("-f", "lavfi", "-i", source, "-frames:v", len(times), *filters, "-c:v", "ffv1", path)
    return path


def read(path, selection=None, **options):
    return list(frames(path, film_facts(path), selection or Selection(), **options))


def test_a_film_of_variable_rate_gives_each_frame_once_at_its_time(tmp_path):
    times = [0, 0.1, 0.15, 0.9, 1.0, 2.5, 2.52, 2.54]
    given = read(stripes(tmp_path / "a.mkv", times))
    assert [frame.number for frame in given] == list(range(8))
    assert [frame.pixels[5, 5, 0] for frame in given] == [10 * i for i in range(8)]
    assert [frame.time_s for frame in given] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize(
    ("every", "ranges", "numbers"),
    [
        (1, "0-0.3", [0, 1, 2]),
        (1, "0.3-0.5,1.8-9", [3, 4, 18, 19]),
        (3, None, [0, 3, 6, 9, 12, 15, 18]),
        (2, "0:00.3-0:00.9", [3, 5, 7]),
        (1, "5-6", []),
    ],
)
def test_frames_are_selected_by_time_and_number(tmp_path, every, ranges, numbers):
    path = film(tmp_path / "a.mkv")
    selection = Selection.parse(every, ranges)
    whole, given = read(path), read(path, selection)
    assert [frame.number for frame in given] == numbers
    assert all(np.array_equal(frame.pixels, whole[frame.number].pixels) for frame in given)
    assert selection.estimate(film_facts(path)) == len(numbers)


@pytest.mark.parametrize(("every", "ranges"), [(0, None), (1, "3"), (1, "4-3"), (1, "a-b"), (1, "-3"), (1, "1-2,")])
def test_a_wrong_selection_is_one_line(every, ranges):
    with pytest.raises(UserError):
        Selection.parse(every, ranges)


def test_ranges_are_exact_fractions():
    assert Selection.parse(1, "00:12-00:19,1:02-1:04.5").ranges == ((12, 19), (62, Fraction(129, 2)))


def test_a_film_from_a_phone_stands_upright(tmp_path):
    plain = film(tmp_path / "a.mov", TEST_SOURCE, 2, "-c:v", "png", "-pix_fmt", "rgb24")
    ffmpeg("-display_rotation", "90", "-i", plain, "-c", "copy", tmp_path / "b.mov")
    assert np.array_equal(read(tmp_path / "b.mov")[1].pixels, np.rot90(read(plain)[1].pixels))


@pytest.mark.parametrize(("aspect", "shape"), [("2/1", (48, 128)), ("1/2", (96, 64)), ("64/45", (48, 91))])
def test_pixels_become_square(tmp_path, aspect, shape):
    path = film(tmp_path / "a.mkv", f"{TEST_SOURCE},setsar={aspect}", 2)
    assert read(path)[0].pixels.shape[:2] == shape


def test_interlaced_frames_lose_their_combs(tmp_path):
    moving = (
        "testsrc=size=64x48:rate=20,geq=lum='255*lt(mod(X+8*N,32),16)':cb=128:cr=128,interlace=scan=tff:lowpass=off"
    )
    options = ("-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p", "-flags", "+ilme+ildct", "-x264opts", "tff=1")
    path = film(tmp_path / "a.mkv", moving, 6, *options)
    assert film_facts(path).interlaced

    def combs(picture):
        rows = picture[..., 1].astype(int)
        return np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean()

    ffmpeg("-i", path, "-frames:v", "3", tmp_path / "%d.png")
    with Image.open(tmp_path / "3.png") as image:
        assert combs(np.asarray(image.convert("RGB"))) > 5 * combs(read(path)[2].pixels)
    assert len(read(path)) == 6


def test_hdr_is_mapped_to_the_colours_of_a_plain_film(tmp_path):
    """20 cd/m2 in PQ is 20/203 of graphics white, on a display of BT.1886 (gamma 2.4) grey level 97."""
    power = (20 / 10000) ** 0.1593017578125
    code = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    source = f"color=black:size=32x32:rate=10,format=yuv420p10le,geq=lum='{64 + 876 * code:.0f}':cb=512:cr=512"
    colours = ("-color_trc", "smpte2084", "-color_primaries", "bt2020", "-colorspace", "bt2020nc")
    tags = "setparams=color_trc=smpte2084:color_primaries=bt2020:colorspace=bt2020nc"
    path = film(
        tmp_path / "a.mkv",
        f"{source},{tags}",
        2,
        "-c:v",
        "ffv1",
        "-pix_fmt",
        "yuv420p10le",
        "-color_range",
        "tv",
        *colours,
    )
    assert film_facts(path).transfer == "smpte2084"
    pixels = read(path)[0].pixels.astype(int)
    assert np.abs(pixels - 255 * (20 / 203) ** (1 / 2.4)).max() <= 2


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_hdr_is_left_out_where_ffmpeg_cannot_map_it(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mkv", TEST_SOURCE, 1)
    facts = replace(film_facts(path), transfer="smpte2084")
    script = tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\ncase "$*" in *-filters*) exit 0;; esac\nexec "{find_ffmpeg()}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PONTICELLO_FFMPEG", str(script))
    with pytest.raises(LeftOut, match="HDR, and this ffmpeg has no zscale"):
        next(frames(path, facts, Selection()))


def test_high_definition_without_a_matrix_has_that_of_bt709(tmp_path):
    source = "color=black:size=1280x720:rate=10,format=yuv444p,geq=lum=145:cb=54:cr=34"  # pure green by BT.709 is 173, 42, 26
    path = film(tmp_path / "a.mkv", source, 1, "-pix_fmt", "yuv444p")
    assert film_facts(path).matrix == "bt709"
    y, cb, cr = (145 - 16) / 219, (54 - 128) / 224, (34 - 128) / 224
    wanted = np.array([y + 1.5748 * cr, y - 0.1873 * cb - 0.4681 * cr, y + 1.8556 * cb]) * 255
    assert np.abs(read(path)[0].pixels[9, 9] - np.clip(wanted, 0, 255)).max() <= 1.5


def test_transparent_films_keep_their_alpha(tmp_path):
    path = film(
        tmp_path / "a.mov", f"{TEST_SOURCE},format=rgba,colorchannelmixer=aa=0.5", 2, "-c:v", "png", "-pix_fmt", "rgba"
    )
    pixels = read(path)[0].pixels
    assert pixels.shape == (48, 64, 4)
    assert 126 <= pixels[0, 0, 3] <= 129


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A film, and the same with a damaged stretch: 160 frames, a key frame every 10."""
    folder = tmp_path_factory.mktemp("damaged")
    noise = "testsrc2=size=64x48:rate=10,noise=alls=30:allf=t"
    options = ("-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p", "-crf", "30", "-f", "mpegts")
    whole = film(folder / "whole.ts", noise, 160, *options)
    content = bytearray(whole.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 500] = np.random.default_rng(1).bytes(500)
    (folder / "damaged.ts").write_bytes(content)
    return whole, folder / "damaged.ts"


def test_no_damaged_frame_passes_as_whole(damaged):
    whole, given = ({frame.time_s: frame for frame in read(path)} for path in damaged)
    marked = [frame for frame in given.values() if frame.damage]
    sound = [frame for frame in given.values() if not frame.damage]
    assert all(np.array_equal(frame.pixels, whole[frame.time_s].pixels) for frame in sound)
    assert marked
    assert len(sound) > 80  # what lies before and well behind the stretch
    assert not any(frame.damage for frame in whole.values())


def test_a_file_that_is_not_a_film_is_reported(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nothing" * 100)
    with pytest.raises(LeftOut, match="ffmpeg: "):
        film_facts(path)
    sound = tmp_path / "b.m4v"
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", "-f", "mp4", sound)
    with pytest.raises(LeftOut):
        film_facts(sound)


def test_a_playlist_opens_no_other_file(tmp_path):
    film(tmp_path / "a.mkv", TEST_SOURCE, 2)
    (tmp_path / "b.mp4").write_text(f"ffconcat version 1.0\nfile {tmp_path / 'a.mkv'}\n")
    with pytest.raises(LeftOut):
        film_facts(tmp_path / "b.mp4")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_decoder_that_hangs_is_ended_and_earlier_frames_are_kept(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mkv", TEST_SOURCE, 3)
    facts = film_facts(path)
    script = tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\ntrap "" TERM\n"{find_ffmpeg()}" "$@"\ncase "$*" in *image2pipe*) sleep 600;; esac\n')
    script.chmod(0o755)
    monkeypatch.setenv("PONTICELLO_FFMPEG", str(script))
    given = []
    with pytest.raises(LeftOut, match="hung"):
        given.extend(frame.number for frame in frames(path, facts, Selection(), patience_s=4))
    assert given == [0, 1, 2]
