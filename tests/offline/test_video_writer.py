"""Films, decoded again by another library: every picture, its time, its colours, and the sound."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from PIL import Image

from offline.video.codecs import CODECS, choose_codec
from offline.video.ffmpeg import Feed
from offline.video.segments import Manifest
from offline.video.soundtrack import Soundtrack, aac_rate
from offline.video.writer import VideoWriter
from shared.errors import Failure, SettingError, UserError
from shared.ffmpeg import find_ffmpeg

pytestmark = pytest.mark.slow

SIZE = 64
NTSC = Fraction(30000, 1001)
posix_only = pytest.mark.skipif(os.name != "posix", reason="shell scripts and signals of POSIX")


def picture(number, size=SIZE):
    """A smooth texture that moves, so that x264 uses B-frames, with the number written into it as a shade."""
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(2 * np.pi * (a * x + b * y + number / 20)) for a, b in ((1, 2), (2, -1), (1, 1))]
    image = (np.stack(waves, -1) * 90 + 128).astype(np.uint8)
    image[: size // 8] = number * 5 % 256
    return image


def clicks(rate, channels=1, seconds=1.5, subtype="PCM_16", at=(0.25, 1.0)):
    """Silence with one click at each of the times `at`, and a quiet tone of its own in every channel."""
    n = int(seconds * rate)
    t = np.arange(n)[:, None] / rate
    samples = (0.01 * np.sin(2 * np.pi * t * (200 + 50 * np.arange(channels)))).astype(np.float32)
    for moment in at:
        if moment * rate < n:
            samples[round(moment * rate)] = 0.9
    return samples, Soundtrack(rate, channels, subtype, lambda: iter(np.array_split(samples, 7)))


def write(output, pictures=25, *, stop=None, codec=None, soundtrack=None, **settings):
    """Write `pictures` in segments of 10, interrupted at `stop` if given; return the writer."""
    settings = {"segment_pictures": 10, "image_size": (SIZE, SIZE), "identity": "one", "fps": NTSC, **settings}
    with VideoWriter(output, codec=choose_codec(output, codec), soundtrack=soundtrack, **settings) as writer:
        for number in range(writer.start, pictures if stop is None else stop):
            writer.write(picture(number, settings["image_size"][0]))
        if stop is None:
            assert writer.finish() == output
        else:
            writer.interrupt()
    return writer


def decode(path):
    """The pictures and their times in seconds (exact)."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frames = list(film.decode(stream))
        return frames, [frame.pts * stream.time_base for frame in frames], stream.average_rate


def planes(path):
    return [b"".join(bytes(plane) for plane in frame.planes) for frame in decode(path)[0]]


def decode_sound(path):
    """(channels, n) float64 samples from the film's time 0 on, the rate, and the codec's name."""
    with av.open(str(path)) as film:
        stream = film.streams.audio[0]
        frames = list(film.decode(stream))
        arrays = [
            f.to_ndarray() if f.format.is_planar else f.to_ndarray().reshape(-1, stream.channels).T for f in frames
        ]
        assert frames[0].pts == 0
        whole = np.concatenate(arrays, axis=1)
        scale = 1.0 if whole.dtype.kind == "f" else float(1 << (8 * whole.dtype.itemsize - 1))
        return whole / scale, stream.rate, stream.codec_context.name


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


KINDS = [("film.mp4", None), ("film.mov", None), ("film.mkv", None), ("film.mov", "hap"), ("film.mov", "h264"),
         ("film.MKV", "h264")]  # fmt: skip


@pytest.mark.parametrize(("name", "codec"), KINDS)
@pytest.mark.parametrize(("fps", "count"), [(NTSC, 31), (Fraction(44100, 512), 29)])
def test_every_picture_is_there_at_its_exact_time_across_the_joins(tmp_path, name, codec, fps, count):
    output = tmp_path / name
    _, sound = clicks(44100, seconds=float(count / fps))
    write(output, count, codec=codec, fps=fps, soundtrack=sound)
    frames, times, rate = decode(output)
    assert len(frames) == count
    assert rate == fps
    rounding = Fraction(1, 2000) if output.suffix.lower() == ".mkv" else 0  # Matroska counts milliseconds
    assert all(abs(seconds - number / fps) <= rounding for number, seconds in enumerate(times))
    for number, frame in enumerate(frames):
        assert abs(frame.to_ndarray(format="rgb24")[3, SIZE // 2].astype(int) - number * 5).max() <= 6
    with av.open(str(output)) as film:
        stream = film.streams.video[0]
        if stream.duration:
            assert stream.duration * stream.time_base == count / fps
    assert leftovers(tmp_path) == [name]


def test_h264_really_has_b_frames(tmp_path):
    write(tmp_path / "film.mp4", 30)
    with av.open(str(tmp_path / "film.mp4")) as film:
        packets = [(packet.pts, packet.dts) for packet in film.demux(video=0) if packet.dts is not None]
    assert any(pts > later for (pts, _), (later, _) in pairwise(packets))
    assert all(pts >= dts for pts, dts in packets)
    steps = {b - a for (_, a), (_, b) in pairwise(packets)}
    assert len(steps) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 11, 12])
def test_films_and_last_segments_of_very_few_pictures(tmp_path, count):
    write(tmp_path / "film.mp4", count)
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert film.streams.video[0].duration * film.streams.video[0].time_base == count / NTSC
    assert decode(tmp_path / "film.mp4")[1] == [number / NTSC for number in range(count)]


PALETTE = np.array(
    [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128], [10, 12, 16], [3, 2, 5],
     [200, 120, 40], [40, 120, 200], [255, 255, 0], [0, 255, 255], [255, 0, 255], [60, 10, 90], [20, 60, 30],
     [250, 240, 230]],
    dtype=np.uint8,
)  # fmt: skip


def patches(size):
    return np.kron(PALETTE.reshape(4, 4, 3), np.ones((size // 4, size // 4, 1), np.uint8))


def rgb_of(frame):
    """ITU-R BT.709 by the book: limited range, Kr 0.2126, Kb 0.0722; subsampled chroma repeated."""
    if frame.format.name in ("bgr0", "rgb0", "rgba"):
        return frame.to_ndarray(format="rgb24").astype(float)
    bits = 10 if "10" in frame.format.name else 8
    dtype = np.uint16 if bits == 10 else np.uint8
    scale = 1 << (bits - 8)
    y, u, v = (np.frombuffer(p, dtype).reshape(p.height, -1)[:, : p.width] / scale for p in frame.planes)
    u, v = (np.kron(c, np.ones((y.shape[0] // c.shape[0], y.shape[1] // c.shape[1]))) for c in (u, v))
    y, cb, cr = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    kr, kb = 0.2126, 0.0722
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.stack([red, green, blue], -1).clip(0, 1) * 255


@pytest.mark.parametrize(("name", "codec", "size", "tolerance"), [
    ("film.mp4", None, None, 2.5),
    ("film.mp4", None, 96, 2.5),
    ("film.mov", None, None, 1.0),
    ("film.mov", None, 256, 1.0),
    ("film.mov", "hap", None, 3.0),
    ("film.mkv", None, None, 0.0),
    ("film.mkv", None, 100, 1.0),
])  # fmt: skip
def test_colours_come_back(tmp_path, name, codec, size, tolerance):
    output = tmp_path / name
    with VideoWriter(output, codec=choose_codec(output, codec), fps=NTSC, image_size=(128, 128), size=size and (size, size), soundtrack=None,
                     identity="") as writer:  # fmt: skip
        for _ in range(4):
            writer.write(patches(128))
        writer.finish()
    side = size or 128
    frame = decode(output)[0][2]
    assert (frame.width, frame.height) == (side, side)
    middle = slice(side // 8, None, side // 4)
    error = abs(rgb_of(frame)[middle, middle].reshape(-1, 3) - PALETTE)
    assert error.max() <= tolerance, PALETTE[error.max(axis=1).argmax()]


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", None), ("a.mov", None), ("a.mkv", "h264"), ("a.mov", "h264")])
def test_films_in_yuv_are_tagged_bt709_and_limited(tmp_path, name, codec):
    write(tmp_path / name, 3, codec=codec)
    with av.open(str(tmp_path / name)) as film:
        context = film.streams.video[0].codec_context
        frame = next(film.decode(video=0))
        for tags in (context, frame):
            # ITU-T H.273: matrix, primaries and transfer 1 are BT.709; range 1 is limited
            assert (tags.colorspace, tags.color_primaries, tags.color_trc, tags.color_range) == (1, 1, 1, 1)


def test_ffv1_and_png_keep_every_bit(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3), dtype=np.uint8)
    for output in (tmp_path / "film.mkv", tmp_path / "pictures"):
        with VideoWriter(output, codec=choose_codec(output, None), fps=NTSC, image_size=(SIZE, SIZE), soundtrack=None,
                         identity="", segment_pictures=5, first_number=7) as writer:  # fmt: skip
            for image in noise:
                writer.write(image)
            writer.finish()
    assert np.array_equal([frame.to_ndarray(format="rgb24") for frame in decode(tmp_path / "film.mkv")[0]], noise)
    files = sorted((tmp_path / "pictures").iterdir())
    assert [file.name for file in files] == [f"{number:06d}.png" for number in range(7, 19)]
    assert np.array_equal([np.asarray(Image.open(file)) for file in files], noise)
    assert leftovers(tmp_path) == ["film.mkv", "pictures"]


@pytest.mark.parametrize(("rate", "channels"), [(44100, 1), (48000, 2), (8000, 1), (192000, 2)])
def test_sound_in_mp4_is_in_sync(tmp_path, rate, channels):
    samples, sound = clicks(rate, channels)
    writer = write(tmp_path / "film.mp4", 45, fps=Fraction(30), soundtrack=sound)
    decoded, kept, name = decode_sound(tmp_path / "film.mp4")
    assert (name, kept, len(decoded)) == ("aac", aac_rate(rate), channels)
    assert abs(decoded.shape[1] / kept - len(samples) / rate) < 1024 / kept + 0.001
    for channel in decoded:
        for moment in (0.25, 1.0):
            here = slice(round((moment - 0.1) * kept), round((moment + 0.1) * kept))
            found = (here.start + np.argmax(abs(channel[here]))) / kept
            assert abs(found - moment) < 0.001
    assert (writer.note is None) == (kept == rate)


@pytest.mark.parametrize("name", ["film.mov", "film.mkv"])
@pytest.mark.parametrize(("subtype", "codec", "bits"), [
    ("PCM_16", "pcm_s16le", 16), ("PCM_24", "pcm_s24le", 24), ("FLOAT", "pcm_f32le", None), ("VORBIS", "pcm_s24le", 24),
])  # fmt: skip
def test_sound_in_mov_and_mkv_is_the_source_bit_for_bit(tmp_path, name, subtype, codec, bits):
    samples, _ = clicks(48000, 2)
    if bits:
        samples = (np.round(samples.astype(float) * 2 ** (bits - 1)) / 2 ** (bits - 1)).astype(np.float32)
    sound = Soundtrack(48000, 2, subtype, lambda: iter(np.array_split(samples, 5)))
    write(tmp_path / name, 45, fps=Fraction(30), codec="h264", soundtrack=sound)
    decoded, rate, found = decode_sound(tmp_path / name)
    assert (found, rate) == (codec, 48000)
    assert np.array_equal(decoded, samples.T)


def test_eight_channels_keep_their_order_and_their_treble_in_mp4(tmp_path):
    samples, sound = clicks(48000, 8)
    writer = write(tmp_path / "film.mp4", 30, fps=Fraction(30), soundtrack=sound)
    assert "8 channels" in writer.note
    raw = subprocess.run(
        [find_ffmpeg(), "-loglevel", "error", "-i", tmp_path / "film.mp4", "-map", "0:a", "-f", "f32le", "pipe:1"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    decoded = np.frombuffer(raw, np.float32).reshape(-1, 8)[: len(samples)]
    tones = abs(np.fft.rfft(decoded[: 48000 // 5], axis=0))[20:]
    assert np.array_equal((np.argmax(tones, axis=0) + 20) * 5, 200 + 50 * np.arange(8))
    assert (abs(np.argmax(abs(decoded), axis=0) % 36000 - 12000) < 48).all()


def test_sounds_that_mp4_cannot_hold_are_refused_at_the_start(tmp_path):
    _, sound = clicks(48000, 9)
    with pytest.raises(UserError, match=r"9 channels; \.mp4 holds up to 8: choose \.mov or \.mkv"):
        write(tmp_path / "film.mp4", soundtrack=sound)
    assert leftovers(tmp_path) == []
    write(tmp_path / "film.mov", 3, soundtrack=sound)


def test_nonfinite_samples_do_not_spoil_the_film(tmp_path):
    samples, _ = clicks(44100)
    samples[100:200] = np.nan
    samples[300] = np.inf
    sound = Soundtrack(44100, 1, "FLOAT", lambda: iter([samples]))
    write(tmp_path / "film.mp4", 10, soundtrack=sound)
    assert np.isfinite(decode_sound(tmp_path / "film.mp4")[0]).all()


@pytest.mark.parametrize(("name", "codec", "size", "message"), [
    ("film.mp4", None, 63, "h264 takes even numbers only, for example 62 or 64"),
    ("film.mov", "hap", 66, "hap takes multiples of 4 only, for example 64 or 68"),
    ("film.mov", None, 8, "16 to 8192"),
    ("film.mkv", None, 10000, "16 to 8192"),
])  # fmt: skip
def test_sizes_that_a_codec_cannot_take(tmp_path, name, codec, size, message):
    with pytest.raises(SettingError, match=rf"--size {size} given; .*{message}"):
        VideoWriter(tmp_path / name, codec=choose_codec(tmp_path / name, codec), fps=NTSC, image_size=(64, 64), size=(size, size),
                    soundtrack=None, identity="")  # fmt: skip
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("fps", [Fraction(0), Fraction(-30), Fraction(1000), Fraction(29.97)])
def test_impossible_rates(tmp_path, fps):
    with pytest.raises(SettingError, match="--fps"):
        write(tmp_path / "film.mp4", fps=fps)


@pytest.mark.parametrize(("name", "asked", "chosen"), [
    ("a.mp4", None, "h264"), ("a.MP4", None, "h264"), ("a.mov", None, "prores"), ("a.mkv", None, "ffv1"),
    ("a", None, "png"), ("a.mov", "hap", "hap"), ("a.mkv", "h264", "h264"), ("a", "png", "png"), ("a.1", "png", "png"),
])  # fmt: skip
def test_the_ending_chooses_the_codec(tmp_path, name, asked, chosen):
    assert choose_codec(tmp_path / name, asked) is CODECS[chosen]


@pytest.mark.parametrize(("name", "asked", "message"), [
    ("a.avi", None, r"the name of a film ends in \.mp4, \.mov or \.mkv"),
    ("a.mp4", "prores", r"prores needs a file that ends in \.mov: change the ending, or use --codec h264"),
    ("a.mkv", "hap", r"hap needs a file that ends in \.mov: .* --codec h264 or ffv1"),
    ("a", "h264", r"h264 needs a file that ends in \.mp4, \.mov or \.mkv: change the ending$"),
    ("a.mp4", "png", r"png makes a folder"),
    ("a.mp4", "divx", r"--codec divx given; allowed are h264, prores, ffv1, hap or png"),
])  # fmt: skip
def test_impossible_combinations_of_codec_and_name(tmp_path, name, asked, message):
    with pytest.raises(UserError, match=message):
        choose_codec(tmp_path / name, asked)


def test_an_existing_folder_takes_pictures(tmp_path):
    (tmp_path / "take.1").mkdir()
    assert choose_codec(tmp_path / "take.1") is CODECS["png"]
    write(tmp_path / "take.1", 3)
    assert len(list((tmp_path / "take.1").iterdir())) == 3


# --- interruptions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "codec"), [*KINDS[:3], ("pictures", None)])
def test_a_resumed_film_is_the_same_as_an_uninterrupted_one(tmp_path, name, codec):
    _, sound = clicks(44100, 2)
    whole, resumed = tmp_path / "whole" / name, tmp_path / "resumed" / name
    whole.parent.mkdir()
    resumed.parent.mkdir()
    write(whole, 37, codec=codec, soundtrack=sound)
    write(resumed, codec=codec, soundtrack=sound, stop=24)
    partial = "pictures.partial" if name == "pictures" else f"film.partial{resumed.suffix}"
    assert leftovers(resumed.parent) == sorted([partial, f"{name}.parts"])
    writer = write(resumed, 37, codec=codec, soundtrack=sound, resume=True)
    assert writer.start == 20
    assert leftovers(resumed.parent) == [name]
    if name == "pictures":
        files = leftovers(whole)
        assert leftovers(resumed) == files
        assert all((whole / file).read_bytes() == (resumed / file).read_bytes() for file in files)
    else:
        assert planes(resumed) == planes(whole)
        assert decode(resumed)[1] == decode(whole)[1]
        assert np.array_equal(decode_sound(resumed)[0], decode_sound(whole)[0])


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.mkv"])
def test_an_interruption_leaves_a_film_of_the_finished_part_with_sound(tmp_path, name):
    _, sound = clicks(44100, 1)
    output = tmp_path / name
    with VideoWriter(output, codec=choose_codec(output), fps=Fraction(30), image_size=(SIZE, SIZE), soundtrack=sound,
                     identity="one", segment_pictures=10) as writer:  # fmt: skip
        for number in range(24):
            writer.write(picture(number))
        partial = writer.interrupt()
    assert partial == tmp_path / f"film.partial{output.suffix}"
    assert leftovers(tmp_path) == [f"{name}.parts", partial.name]
    assert len(decode(partial)[0]) == 24
    decoded, rate, _ = decode_sound(partial)
    assert abs(decoded.shape[1] / rate - 24 / 30) < 1024 / 44100 + 0.001
    assert abs(np.argmax(abs(decoded[0])) / rate - 0.25) < 0.001
    before = planes(partial)
    write(output, 25, fps=Fraction(30), soundtrack=sound, resume=True)
    assert leftovers(tmp_path) == [name]
    assert planes(output)[:20] == before[:20]
    assert len(decode(output)[0]) == 25


def test_interrupted_pictures_stay_in_a_partial_folder(tmp_path):
    output = tmp_path / "pictures"
    for stop in (13, 15):  # again: the earlier partial folder is replaced
        with VideoWriter(output, codec=CODECS["png"], fps=NTSC, image_size=(SIZE, SIZE), soundtrack=clicks(44100)[1],
                         identity="one", segment_pictures=10, resume=True) as writer:  # fmt: skip
            for number in range(writer.start, stop):
                writer.write(picture(number))
            assert "no sound" in writer.note
            assert writer.interrupt() == tmp_path / "pictures.partial"
        assert leftovers(tmp_path / "pictures.partial") == [f"{number:06d}.png" for number in range(stop)]
    write(output, 22, resume=True)
    assert leftovers(tmp_path) == ["pictures"]
    for number, file in enumerate(sorted(output.iterdir())):
        assert np.array_equal(np.asarray(Image.open(file)), picture(number))


def test_interrupted_before_the_first_picture_leaves_nothing(tmp_path):
    with VideoWriter(tmp_path / "film.mp4", codec=CODECS["h264"], fps=NTSC, image_size=(SIZE, SIZE), soundtrack=None,
                     identity="") as writer:  # fmt: skip
        assert writer.interrupt() is None
    assert leftovers(tmp_path) == []


def test_no_pictures_at_all_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no pictures"):
        write(tmp_path / "film.mp4", 0)
    assert leftovers(tmp_path) == []


def test_interrupted_while_the_sound_is_added(tmp_path):
    """Ctrl-C in the last step: the partial film holds everything, and resuming needs no picture."""
    samples, _ = clicks(44100)
    calls = []

    def blocks():
        calls.append(1)
        yield samples[:1000]
        if len(calls) == 1:
            raise KeyboardInterrupt
        yield samples[1000:]

    sound = Soundtrack(44100, 1, "PCM_16", blocks)
    output = tmp_path / "film.mp4"
    with VideoWriter(output, codec=CODECS["h264"], fps=NTSC, image_size=(SIZE, SIZE), soundtrack=sound, identity="one",
                     segment_pictures=10) as writer:  # fmt: skip
        for number in range(25):
            writer.write(picture(number))
        with pytest.raises(KeyboardInterrupt):
            writer.finish()
        assert not output.exists()
        assert len(decode(writer.interrupt())[0]) == 25
    assert write(output, 25, soundtrack=sound, resume=True).start == 25
    assert leftovers(tmp_path) == ["film.mp4"]
    assert len(decode(output)[0]) == 25


def test_leftovers_of_another_render_are_not_joined(tmp_path):
    output = tmp_path / "film.mp4"
    write(output, stop=24)
    with pytest.raises(UserError, match=r"film\.mp4\.parts belongs to another render .* omit --resume .* delete"):
        write(output, identity="two", resume=True)
    with pytest.raises(UserError, match=r"64x64 to 64x64 pixels.* this is .*64x64 to 32x32 pixels"):
        write(output, size=(32, 32), image_size=(64, 64), resume=True)
    assert write(output, identity="two").start == 0
    assert leftovers(tmp_path) == ["film.mp4"]


def test_damaged_leftovers_are_made_again(tmp_path):
    output = tmp_path / "film.mp4"
    write(output, 30, identity="whole")
    expected = planes(output)
    write(output, stop=30)
    parts = tmp_path / "film.mp4.parts"
    assert leftovers(parts) == ["000000.mov", "000001.mov", "000002.mov", "lock", "manifest.json"]
    (parts / "000001.mov").write_bytes(b"cut")
    assert write(output, 30, resume=True).start == 10
    assert planes(output) == expected

    write(output, stop=30)
    (parts / "manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json is damaged .* omit --resume"):
        write(output, 30, resume=True)
    write(output, 30)
    assert planes(output) == expected


def test_a_folder_that_is_no_leftover_is_left_alone(tmp_path):
    (tmp_path / "film.mp4.parts").mkdir()
    (tmp_path / "film.mp4.parts" / "letters.txt").write_text("dear")
    with pytest.raises(UserError, match="does not belong to a render"):
        write(tmp_path / "film.mp4")
    assert leftovers(tmp_path / "film.mp4.parts") == ["letters.txt"]


def test_a_render_killed_in_its_first_moment_is_not_in_the_way(tmp_path):
    (tmp_path / "film.mp4.parts").mkdir()
    (tmp_path / "film.mp4.parts" / "lock").touch()
    (tmp_path / "film.mp4.parts" / ".manifest-abc.json").touch()
    write(tmp_path / "film.mp4", 3, resume=True)
    assert leftovers(tmp_path) == ["film.mp4"]


def test_two_renders_of_the_same_output_do_not_meet(tmp_path):
    output = tmp_path / "film.mp4"
    with VideoWriter(
        output, codec=CODECS["h264"], fps=NTSC, image_size=(SIZE, SIZE), soundtrack=None, identity=""
    ) as writer:
        writer.write(picture(0))
        with pytest.raises(UserError, match="another render of the same output is running"):
            write(output)
        writer.finish()
    assert len(decode(output)[0]) == 1


@pytest.mark.parametrize(("name", "made", "message"), [
    ("film.mp4", "folder", "is a folder and h264 makes a file"),
    ("pictures", "file", "is a file and png makes a folder"),
    ("pictures", "full folder", "has files in it; give a new or an empty folder"),
    ("missing/film.mp4", None, "no folder .*missing"),
])  # fmt: skip
def test_outputs_that_are_in_the_way(tmp_path, name, made, message):
    output = tmp_path / name
    if made == "file":
        output.write_text("")
    elif made:
        output.mkdir()
    if made == "full folder":
        (output / "letters.txt").write_text("dear")
    before = leftovers(tmp_path)
    with pytest.raises(UserError, match=message):
        write(output, codec="png" if name == "pictures" else "h264")
    assert leftovers(tmp_path) == before


def test_an_earlier_film_stands_until_the_new_one_is_whole(tmp_path):
    output = tmp_path / "film.mp4"
    write(output, 10)
    before = output.read_bytes()
    write(output, stop=15)
    assert output.read_bytes() == before
    write(output, 15, resume=True)
    assert len(decode(output)[0]) == 15


CHILD = """
import sys, time
from fractions import Fraction
from pathlib import Path
from offline.video.codecs import choose_codec
from offline.video.writer import VideoWriter
from tests.offline.test_video_writer import NTSC, SIZE, clicks, picture
output = Path(sys.argv[1])
with VideoWriter(output, codec=choose_codec(output), fps=NTSC, image_size=(SIZE, SIZE), soundtrack=clicks(44100)[1],
                 identity="one", segment_pictures=10) as writer:
    try:
        for number in range(25):
            writer.write(picture(number))
        print("written", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print(writer.interrupt(), flush=True)
"""


def start_child(output):
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), str(output)], stdout=subprocess.PIPE,
                             text=True, cwd=Path(__file__).parents[2], start_new_session=True)  # fmt: skip
    assert child.stdout.readline() == "written\n"
    return child


def finished_in(output):
    return msgspec.json.decode((output.with_name(output.name + ".parts") / "manifest.json").read_bytes(), type=Manifest)


@posix_only
@pytest.mark.parametrize("name", ["film.mp4", "pictures"])
def test_a_killed_render_is_resumed(tmp_path, name):
    output = tmp_path / name
    with start_child(output) as child:
        while len(finished_in(output).finished) < 2:
            time.sleep(0.01)
        child.kill()
    assert not output.exists()
    writer = write(output, 25, soundtrack=clicks(44100)[1], resume=True)
    assert writer.start == 20
    assert leftovers(tmp_path) == [name]
    whole = tmp_path / "whole" / name
    whole.parent.mkdir()
    write(whole, 25)
    if name == "film.mp4":
        assert planes(output) == planes(whole)
    else:
        assert [f.read_bytes() for f in sorted(output.iterdir())] == [f.read_bytes() for f in sorted(whole.iterdir())]


@posix_only
def test_ctrl_c_in_the_terminal_does_not_reach_ffmpeg(tmp_path):
    with start_child(tmp_path / "film.mp4") as child:
        os.killpg(child.pid, signal.SIGINT)  # what a terminal does
        partial = child.stdout.readline().strip()
        assert child.wait() == 0
    assert Path(partial) == tmp_path / "film.partial.mp4"
    assert len(decode(partial)[0]) == 25


# --- ffmpeg in trouble -----------------------------------------------------------------------------------------------


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Replaces ffmpeg by a shell script, which answers questions like the real one, `$REAL`, and otherwise runs `script`."""
    real = find_ffmpeg()

    def install(script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / "ffmpeg"
        path.write_text(
            f'#!/bin/sh\nREAL="{real}"\ncase "$*" in *-encoders*|-version) exec "$REAL" "$@";; esac\n{script}\n'
        )
        path.chmod(0o755)
        monkeypatch.setenv("PONTICELLO_FFMPEG", str(path))
        return path

    return install


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@posix_only
@pytest.mark.parametrize(("script", "message"), [
    ("head -c 100000 >/dev/null; echo 'the encoder is sulking' >&2; exit 1", "the encoder is sulking"),
    ("echo '[libx264 @ 0x55d0] bad luck' >&2; exit 1", "bad luck$"),
    ("cat >/dev/null; echo 'too late' >&2; exit 1", "too late"),
    ("kill -9 $$", "it was ended by SIGKILL$"),
    ("cat >/dev/null; exit 3", r"it gave no reason \(status 3\)"),
    ("i=0; while [ $i -lt 3000 ]; do echo 'complaint, and a long one, over and over again' >&2; i=$((i+1)); done; exit 1",
     "complaint, and a long one, over and over again$"),
])  # fmt: skip
def test_a_dying_ffmpeg_speaks_for_itself(out, fake, script, message):
    fake(script)
    with pytest.raises(
        Failure, match=rf"^ffmpeg stopped while encoding pictures from \d+ on for .*: {message}"
    ) as caught:
        write(out / "film.mp4", 40)
    assert "\n" not in str(caught.value)
    assert leftovers(out) == []


@posix_only
def test_a_full_disk_is_named_and_the_finished_segments_stay(out, fake, monkeypatch):
    write(out / "film.mkv", 30, identity="size")
    largest = (out / "film.mkv").stat().st_size // 512 // 3
    (out / "film.mkv").unlink()
    # A file may grow no further than this; the signal that would kill is ignored, so that the write itself fails.
    fake(f"""trap '' XFSZ; case "$*" in *000002*) ulimit -f {largest // 3};; esac; exec "$REAL" "$@" """)
    with pytest.raises(Failure, match=r"ffmpeg stopped while encoding pictures from 20 on .*: .*File too large"):
        write(out / "film.mkv", 40)
    assert leftovers(out) == ["film.mkv.parts"]
    assert leftovers(out / "film.mkv.parts") == ["000000.mov", "000001.mov", "lock", "manifest.json"]
    fake(f"""trap '' XFSZ; case "$*" in *concat*) ulimit -f {largest};; esac; exec "$REAL" "$@" """)
    with pytest.raises(Failure, match=r"ffmpeg stopped while putting .*film\.mkv together: .*File too large"):
        write(out / "film.mkv", 40, resume=True)
    assert leftovers(out) == ["film.mkv.parts"]
    fake('exec "$REAL" "$@"')
    assert write(out / "film.mkv", 40, resume=True).start == 40
    assert leftovers(out) == ["film.mkv"]


@posix_only
def test_a_file_without_its_end_is_no_success(out, fake):
    fake("""cat >/dev/null; echo 'frame=10'; echo 'Error writing trailer of x.mov: No space left on device' >&2""")
    with pytest.raises(Failure, match=r"the disk is full; free some space .* then continue with --resume$"):
        write(out / "film.mp4", 10)
    assert leftovers(out) == []


@posix_only
def test_a_full_disk_while_pictures_are_written(out, fake):
    fake("""trap '' XFSZ; ulimit -f 1; exec "$REAL" "$@" """)
    with pytest.raises(Failure, match="File too large"):
        write(out / "pictures", 40)
    assert leftovers(out) == []


@posix_only
def test_an_ffmpeg_that_loses_pictures_is_noticed(out, fake):
    fake("""head -c 61440 | "$REAL" "$@"; cat >/dev/null""")
    with pytest.raises(Failure, match=r"was given 10 pictures for unfinished-000000\.mov and wrote 5"):
        write(out / "film.mp4", 10)
    assert leftovers(out) == []


@posix_only
def test_a_sound_that_cannot_be_read_leaves_the_segments(out):
    def blocks():
        yield np.zeros((1000, 1), np.float32)
        raise UserError("the sound's disk is gone")

    with pytest.raises(UserError, match="disk is gone"):
        write(out / "film.mp4", soundtrack=Soundtrack(44100, 1, "PCM_16", blocks))
    assert leftovers(out) == ["film.mp4.parts"]


@posix_only
def test_which_ffmpeg(tmp_path, monkeypatch, fake):
    for setting in ("PONTICELLO_FFMPEG", "IMAGEIO_FFMPEG_EXE"):
        monkeypatch.delenv(setting, raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin" if not Path("/usr/bin/ffmpeg").exists() else "/nowhere")
    bundled = find_ffmpeg("libx264")
    assert "imageio_ffmpeg" in bundled.parts

    script = fake('exec "$REAL" "$@"')
    monkeypatch.delenv("PONTICELLO_FFMPEG")
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    assert find_ffmpeg("libx264") == script  # PATH names another
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(bundled))
    assert find_ffmpeg("libx264") == bundled  # a setting is stronger than PATH
    monkeypatch.setenv("PONTICELLO_FFMPEG", str(script))
    assert find_ffmpeg("libx264") == script  # and ours the strongest

    script.write_text("#!/bin/sh\necho ' V....D libx265 '\n")
    with pytest.raises(Failure, match=r"PONTICELLO_FFMPEG names .*which has no encoder libx264: name another ffmpeg"):
        find_ffmpeg("libx264")
    monkeypatch.delenv("PONTICELLO_FFMPEG")
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    assert find_ffmpeg("libx264") == bundled  # an ffmpeg on PATH that lacks the encoder is passed over
    script.write_text("#!/bin/sh\necho 'cannot open libfoo.so.6' >&2; exit 127\n")
    assert find_ffmpeg("libx264") == bundled

    monkeypatch.setenv("PONTICELLO_FFMPEG", str(tmp_path / "nothing"))
    with pytest.raises(Failure, match="which is not a program"):
        find_ffmpeg()
    monkeypatch.setenv("PONTICELLO_FFMPEG", str(script))
    with pytest.raises(Failure, match=r"does not run \(cannot open libfoo"):
        find_ffmpeg()
    monkeypatch.delenv("PONTICELLO_FFMPEG")

    def missing():
        raise RuntimeError("no binary for this platform")

    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", missing)
    with pytest.raises(Failure, match=r"^no working ffmpeg with the encoder hap .*install ffmpeg or set"):
        find_ffmpeg("hap")


@posix_only
def test_write_waits_for_a_slow_ffmpeg_with_few_pictures_in_memory(out, fake):
    """With an ffmpeg that reads nothing, `write` blocks after the pipe and the short queue are full."""
    fake("sleep 60")
    size = 512
    writer = VideoWriter(
        out / "film.mp4", codec=CODECS["h264"], fps=NTSC, image_size=(size, size), soundtrack=None, identity=""
    )
    written = []

    def fill():
        with suppress(Failure):
            for number in range(100):
                writer.write(picture(number, size))
                written.append(number)

    filler = threading.Thread(target=fill)
    filler.start()
    filler.join(1.0)
    assert filler.is_alive()
    assert len(written) < 10
    writer.close()
    filler.join(10)
    assert not filler.is_alive()


def test_the_callers_picture_may_change_after_write(tmp_path):
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    with VideoWriter(tmp_path / "film.mkv", codec=CODECS["ffv1"], fps=NTSC, image_size=(SIZE, SIZE), soundtrack=None,
                     identity="") as writer:  # fmt: skip
        for number in range(20):
            image[:] = number
            writer.write(image)
        writer.finish()
    assert [frame.to_ndarray(format="rgb24")[5, 5, 0] for frame in decode(tmp_path / "film.mkv")[0]] == list(range(20))


def test_a_picture_of_another_size_is_refused(tmp_path):
    with VideoWriter(tmp_path / "film.mkv", codec=CODECS["ffv1"], fps=NTSC, image_size=(SIZE, SIZE), soundtrack=None,
                     identity="") as writer, pytest.raises(ValueError, match="expected"):  # fmt: skip
        writer.write(picture(0, 32))


def test_folders_with_names_that_mean_something_to_ffmpeg(tmp_path):
    folder = tmp_path / "50% 'of' a:b [x] -i"
    folder.mkdir()
    for name in ("-film %d.mp4", "pictures %03d"):
        write(folder / name, 12)
    assert len(decode(folder / "-film %d.mp4")[0]) == 12
    assert len(list((folder / "pictures %03d").iterdir())) == 12


def test_a_relative_output_and_the_folder_one_stands_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("film.mp4"), 12)
    assert len(decode("film.mp4")[0]) == 12
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    write(Path("near"), 3)
    assert len(leftovers(tmp_path / "far")) == 3


def test_a_killed_ffmpeg_is_reported(tmp_path):
    feed = Feed(find_ffmpeg(), ["-f", "f32le", "-i", "pipe:0", "x.wav"], folder=tmp_path, task="waiting")
    feed.kill()
    feed.kill()
    with pytest.raises((Failure, ValueError)):
        feed.write(b"1234")
