"""Films of any shape: the shape that is drawn, and how it fits into a film of each codec."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from offline.rendering.hashes import Hashes
from offline.rendering.render import Job, render
from offline.video.codecs import CODECS
from offline.video.film_format import FilmFormat, FormatRequest, parse_size
from shared.errors import SettingError
from shared.image.generator import load_generator
from shared.preset import Preset
from shared.preset.places import SHIPPED
from tests.small import make_preset, write_generator, write_sound

pytestmark = pytest.mark.slow

WIDE = Fraction(16, 9)
HOLDERS = [("film.mp4", None), ("film.mov", None), ("film.mov", "hap"), ("film.mkv", None), ("pictures", None)]


@pytest.fixture(scope="module")
def architecture():
    return load_generator(SHIPPED / "glass" / "generator.safetensors").config


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = make_preset(tmp_path_factory.mktemp("preset") / "p")
    write_generator(folder / "generator.safetensors", resolution=64)
    return Preset.load(folder)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write_sound(tmp_path_factory.mktemp("sound") / "s.wav", 0.3)


def made(architecture, codec="h264", recorded=Fraction(1), **request):
    return FilmFormat.of(FormatRequest(**request), recorded, architecture, CODECS[codec])


def test_frames(architecture):
    assert made(architecture) == FilmFormat((256, 256), (256, 256), Fraction(1))
    assert made(architecture, size=1024) == FilmFormat((256, 256), (1024, 1024), Fraction(1))
    assert made(architecture, size=(1920, 1080), shape=WIDE) == FilmFormat((456, 256), (1920, 1080), WIDE)
    assert made(architecture, size=(1080, 1920), shape=1 / WIDE) == FilmFormat((256, 456), (1080, 1920), 1 / WIDE)
    assert made(architecture, shape=WIDE) == FilmFormat((456, 256), (456, 256), WIDE)
    assert made(architecture, shape=WIDE, size=720) == FilmFormat((456, 256), (1280, 720), WIDE)
    assert made(architecture, recorded=WIDE) == FilmFormat((456, 256), (456, 256), WIDE)
    assert made(architecture, recorded=WIDE, size=256) == FilmFormat((456, 256), (454, 256), WIDE)
    assert made(architecture, "hap", recorded=Fraction(8, 5)) == FilmFormat((410, 256), (408, 256), Fraction(8, 5))
    square = made(architecture, size=(1920, 1080), shape=WIDE, fit="square")
    assert square == FilmFormat((256, 256), (1920, 1080), Fraction(1), "square")
    mirror = made(architecture, size=(1920, 1080), shape=WIDE, fit="mirror")
    assert mirror == FilmFormat((456, 256), (1920, 1080), Fraction(1), "mirror")


@pytest.mark.parametrize(
    ("image", "film", "bars", "steps"),
    [
        ((456, 256), (1920, 1080), False, "scale=w=1924:h=1080|crop=1920:1080:2:0"),
        ((256, 256), (1920, 1080), True, "scale=w=1080:h=1080|pad=1920:1080:420:0"),
        ((256, 256), (1920, 1080), False, "scale=w=1920:h=1920|crop=1920:1080:0:420"),
        ((256, 256), (256, 256), False, ""),
        ((410, 256), (408, 256), False, "crop=408:256:0:0"),
    ],
)
def test_pictures_are_cut_or_lie_on_black_but_keep_their_proportions(image, film, bars, steps):
    chain = CODECS["png"].filters(image, film, bars=bars)
    kept = [step.partition(":flags")[0] for step in chain.split(",") if step.startswith(("scale", "crop", "pad"))]
    assert "|".join(kept) == steps


@pytest.mark.parametrize(("name", "codec"), HOLDERS)
@pytest.mark.parametrize("size", [(128, 72), (72, 128)])
def test_every_codec_holds_wide_and_tall_films(preset, sound, tmp_path, name, codec, size):
    job = Job(preset, sound, format=FormatRequest(size, Fraction(*size)))
    assert render(job, tmp_path / name, codec=codec) == 9
    first = sorted((tmp_path / name).iterdir())[0] if name == "pictures" else tmp_path / name
    with av.open(str(first)) as film:
        frames = list(film.decode(video=0))
    assert {(picture.width, picture.height) for picture in frames} == {size}
    assert len(frames) == (1 if name == "pictures" else 9)
    assert frames[0].to_ndarray(format="rgb24").std() > 10


def test_the_middle_of_a_wide_film_is_the_square_one(preset, sound, tmp_path):
    wide, square = tmp_path / "wide.mkv", tmp_path / "square.mkv"
    job = Job(preset, sound, precision="full")
    render(job, square)
    render(replace(job, format=FormatRequest(shape=Fraction(2))), wide)
    pictures = []
    for path in (wide, square):
        with av.open(str(path)) as film:
            pictures.append([frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)])
    for one, other in zip(*pictures, strict=True):
        assert one.shape == (64, 128, 3)
        assert np.abs(one[8:-8, 40:-40] - other[8:-8, 8:-8]).max() <= 2


def test_a_mirrored_film_continues_the_square(preset, sound, tmp_path):
    render(Job(preset, sound, format=FormatRequest(shape=Fraction(2), fit="mirror")), tmp_path / "film.mkv")
    with av.open(str(tmp_path / "film.mkv")) as film:
        picture = next(film.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(picture[:, :32], picture[:, 32:64][:, ::-1])
    assert np.array_equal(picture[:, 96:], picture[:, 64:96][:, ::-1])


def test_another_shape_is_another_film_for_resume_and_hashes(preset, sound, tmp_path):
    hashes = []
    for shape in (None, Fraction(2)):
        kept = Hashes()
        render(Job(preset, sound, format=FormatRequest(shape=shape)), tmp_path / f"{shape is None}.mkv", log=kept)
        hashes.append(kept.whole.hexdigest())
    assert hashes[0] != hashes[1]


def test_a_picture_of_another_shape_lies_on_black():
    made = FilmFormat((100, 50), (100, 50), Fraction(2)).fitted(np.full((50, 50, 3), 200, np.uint8))
    assert made.shape == (50, 100, 3)
    assert (made[:, 25:75] == 200).all()
    assert not made[:, :25].any()
    assert not made[:, 75:].any()


@pytest.mark.parametrize(("text", "size"), [("1080", 1080), ("1920x1080", (1920, 1080))])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "1920x", "1920x1080x3", "-5", "1e3", "12.5", "big"])
def test_other_sizes_are_refused(text):
    with pytest.raises(SettingError, match=r"allowed are WIDTHxHEIGHT, such as 1920x1080, or the shorter side"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "shape", "fit", "reason"),
    [
        ("1920x1080", "16:9", "wide", "omit one of them"),
        (None, "window", "wide", "has no window"),
        (None, "99:1", "wide", "from 1:16 to 16:1"),
        ("4096x16", None, "wide", "from 1:16 to 16:1"),
        (None, None, "stretch", "allowed are: wide, square, crop, mirror"),
    ],
)
def test_wrong_requests(size, shape, fit, reason):
    with pytest.raises(SettingError, match=reason):
        FormatRequest.parse(size, shape, fit)


def test_a_size_that_the_codec_cannot_hold_is_refused_before_anything_is_loaded():
    with pytest.raises(SettingError, match="h264 takes even numbers only, for example 1918x1080 or 1920x1082"):
        FormatRequest((1919, 1080)).check(CODECS["h264"])
