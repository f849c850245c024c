"""Sounds without seeking, chained files, unknown lengths, and formats that only ffmpeg reads."""

import os
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from shared.audio import ffmpeg_decoder
from shared.audio.files import SoundReader
from shared.audio.ogg import FileRange, chain_links
from shared.errors import SoundError
from shared.ffmpeg import find_ffmpeg
from tests.audio.signals import sine

pytestmark = pytest.mark.slow


def tone(n, rate=44100):
    return np.stack([sine(500, n, rate), sine(700, n, rate)], axis=1)


def all_frames(path, start=0, stop=None):
    with SoundReader(path) as reader:
        return np.concatenate([*reader.soundtrack(start, stop), np.empty((0, reader.channels), np.float32)])


def check_seeking(path):
    """Any part equals that part of the whole, and blocks add up to the declared length."""
    whole = all_frames(path)
    with SoundReader(path) as reader:
        assert len(whole) == reader.frames
        for _ in reader.blocks(1000):
            pass
        assert reader.frames_read == reader.frames
        assert reader.truncated is None
    for start, stop in ((0, 10), (7001, 9000), (len(whole) - 5, len(whole)), (len(whole), None)):
        np.testing.assert_array_equal(all_frames(path, start, stop), whole[start:stop])
    return whole


@pytest.mark.parametrize(
    ("name", "container", "subtype", "rate"),
    [
        ("g721.au", "AU", "G721_32", 8000),
        ("g723.au", "AU", "G723_24", 8000),
        ("dwvw.aiff", "AIFF", "DWVW_16", 44100),
        ("nms.wav", "WAV", "NMS_ADPCM_32", 8000),
        ("gsm.wav", "WAV", "GSM610", 8000),
        ("ima.wav", "WAV", "IMA_ADPCM", 44100),
    ],
)
def test_codecs_that_cannot_be_sought_in(tmp_path, name, container, subtype, rate):
    x = sine(500, 20_000, rate, gain=0.5)
    soundfile.write(tmp_path / name, x, rate, subtype, format=container)
    whole = check_seeking(tmp_path / name)
    assert 20_000 <= len(whole) < 20_500  # the last block is full
    assert np.corrcoef(whole[:20_000, 0], x)[0, 1] > 0.9


def test_the_fact_chunk_limits_the_samples_of_the_last_block(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(500, 8000, 8000), 8000, "GSM610")
    content = bytearray((tmp_path / "a.wav").read_bytes())
    place = content.index(b"fact") + 8
    content[place : place + 4] = (7990).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    assert len(check_seeking(tmp_path / "a.wav")) == 7990


@pytest.mark.parametrize("lengths", [(44_100, 44_100), (5000, 1, 30_001), (100, 70_000)])
def test_a_chained_ogg_is_read_whole(tmp_path, lengths):
    parts = []
    for i, length in enumerate(lengths):
        soundfile.write(tmp_path / f"{i}.ogg", tone(length), 44100)
        parts.append(all_frames(tmp_path / f"{i}.ogg"))
    (tmp_path / "chain.ogg").write_bytes(b"".join((tmp_path / f"{i}.ogg").read_bytes() for i in range(len(lengths))))
    whole = check_seeking(tmp_path / "chain.ogg")
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert len(whole) == sum(lengths)


def test_a_chain_of_different_rates_is_refused(tmp_path):
    for rate in (44100, 22050):
        soundfile.write(tmp_path / f"{rate}.ogg", tone(5000, rate), rate)
    (tmp_path / "chain.ogg").write_bytes((tmp_path / "44100.ogg").read_bytes() + (tmp_path / "22050.ogg").read_bytes())
    with pytest.raises(SoundError, match=r"2 channels at 22050 Hz, 2 channels at 44100 Hz\); convert it to WAV"):
        SoundReader(tmp_path / "chain.ogg")


def test_flac_and_caf_of_unknown_length(tmp_path):
    x = tone(100_001)
    soundfile.write(tmp_path / "a.flac", x, 44100, "PCM_16")
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO's total samples
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    soundfile.write(tmp_path / "a.caf", x, 44100, "PCM_16")
    content = bytearray((tmp_path / "a.caf").read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 8] = b"\xff" * 8  # -1: up to the end of the file
    (tmp_path / "a.caf").write_bytes(content)
    for name in ("a.flac", "a.caf"):
        whole = check_seeking(tmp_path / name)
        assert whole.shape == x.shape
        assert np.abs(whole - x).max() <= 4e-5


FILMS = {
    "memo.m4a": ["-c:a", "aac"],
    "memo.aac": ["-c:a", "aac"],
    "film.mp4": ["-c:a", "aac", "-f", "mp4"],
    "film.mov": ["-c:a", "alac"],
    "film.webm": ["-c:a", "libvorbis"],
    "memo.wma": ["-c:a", "wmav2"],
}


@pytest.mark.parametrize("name", FILMS)
def test_films_and_memos_are_read_through_ffmpeg(tmp_path, name):
    n = 100_003
    soundfile.write(tmp_path / "a.wav", 0.5 * tone(n), 44100, "FLOAT")
    command = [find_ffmpeg(), "-nostdin", "-v", "error", "-y", "-i", tmp_path / "a.wav", *FILMS[name], tmp_path / name]
    subprocess.run(command, check=True)
    whole = check_seeking(tmp_path / name)
    plain = [find_ffmpeg(), "-nostdin", "-v", "error", "-i", tmp_path / name, "-f", "f32le", "-c:a", "pcm_f32le", "-"]
    wanted = np.frombuffer(subprocess.run(plain, check=True, capture_output=True).stdout, "<f4").reshape(-1, 2)
    np.testing.assert_array_equal(whole, wanted)
    if name not in ("memo.aac", "memo.wma"):  # containers that state the encoder's delay and padding
        assert len(whole) == n
        assert np.abs(whole - 0.5 * tone(n)).mean() < 0.005  # a shift of one sample would be 0.02


def test_a_film_without_sound_and_no_film_at_all(tmp_path):
    command = [find_ffmpeg(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=size=32x32:duration=0.2"]
    subprocess.run([*command, tmp_path / "silent.mov"], check=True)
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    (tmp_path / "rubbish.mp4").write_bytes(bytes(range(256)) * 40)
    for name, reason in (("silent.mov", "there is no sound in it"), ("rubbish.mp4", "Invalid data found")):
        with pytest.raises(SoundError, match=rf"is not a sound file that can be read \(ffmpeg: .*{reason}"):
            ffmpeg_decoder.sound_form(tmp_path / name)
    for name in ("silent.mov", "list.mp4", "rubbish.mp4"):
        with pytest.raises(SoundError, match=r"is not a sound file that can be read \(.*; convert others to WAV"):
            SoundReader(tmp_path / name)


def test_what_ffmpeg_complains_about_is_passed_on(tmp_path):
    soundfile.write(tmp_path / "a.wav", 0.5 * tone(100_000), 44100, "FLOAT")
    command = [find_ffmpeg(), "-nostdin", "-v", "error", "-y", "-i", tmp_path / "a.wav", "-c:a", "aac"]
    subprocess.run([*command, tmp_path / "a.aac"], check=True)
    content = bytearray((tmp_path / "a.aac").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 300] = b"\xff" * 300
    (tmp_path / "a.aac").write_bytes(content)
    assert ffmpeg_decoder.sound_form(tmp_path / "a.aac").remark
    with SoundReader(tmp_path / "a.aac") as reader:
        assert reader.truncated.startswith(f"{tmp_path / 'a.aac'} may be damaged (ffmpeg: ")


def test_without_ffmpeg_the_error_says_so(tmp_path, monkeypatch):
    (tmp_path / "memo.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(200))
    monkeypatch.setenv("PONTICELLO_FFMPEG", "/no/such/ffmpeg")
    wanted = "memo.m4a needs ffmpeg to be read, but PONTICELLO_FFMPEG names /no/such/ffmpeg, which is not a program"
    with pytest.raises(SoundError, match=wanted):
        SoundReader(tmp_path / "memo.m4a")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW"])
def test_a_cut_wav_says_how_much_is_missing_in_every_sample_format(tmp_path, subtype):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(5000), 44100, subtype)
    content = path.read_bytes()
    frame_bytes = 2 * {"PCM_U8": 1, "ULAW": 1, "PCM_16": 2, "PCM_24": 3, "FLOAT": 4, "DOUBLE": 8}[subtype]
    begin = content.index(b"data") + 8
    path.write_bytes(content[: begin + 3000 * frame_bytes])
    with SoundReader(path) as reader:
        assert reader.frames == 3000
        assert reader.truncated.endswith("its header promises 5000 samples, it holds 3000")
    for length in (0x7FFFF000, 0xFFFFFFFF):  # streamed: the header does not know
        path.write_bytes(content[: begin - 4] + struct.pack("<I", length) + content[begin:])
        with SoundReader(path) as reader:
            assert reader.truncated is None
            assert reader.frames == 5000


@pytest.mark.parametrize("length", [65535, 65536, 65537, 140_000])
def test_long_sounds_are_whole(tmp_path, length):
    x = np.random.default_rng(0).uniform(-1, 1, (length, 1)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", x, 44100, "FLOAT")
    np.testing.assert_array_equal(all_frames(tmp_path / "a.wav"), x)
    for start, stop in ((1, length), (65_530, 65_540), (length - 1, length + 9)):
        np.testing.assert_array_equal(all_frames(tmp_path / "a.wav", start, stop), x[start:stop])
    with SoundReader(tmp_path / "a.wav") as reader:
        assert sum(map(len, reader.blocks(100))) == length
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(7777))), x[:, 0])


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_the_links_of_an_ogg(tmp_path, pieces):
    for i in range(pieces):
        soundfile.write(tmp_path / f"{i}.ogg", tone(4000 + i), 44100)
    parts = [(tmp_path / f"{i}.ogg").read_bytes() for i in range(pieces)]
    path = tmp_path / "chain.ogg"
    path.write_bytes(b"".join(parts))
    ends = np.cumsum([len(part) for part in parts]).tolist()
    assert chain_links(path) == list(zip([0, *ends[:-1]], ends, strict=True))
    path.write_bytes(b"".join(parts) + b"rubbish")  # belongs to the last
    assert chain_links(path)[-1] == (([0, *ends][-2]), ends[-1] + 7)
    soundfile.write(tmp_path / "a.wav", tone(10), 44100)
    assert chain_links(tmp_path / "a.wav") == []


def test_a_part_of_a_file_is_a_file(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(100)))
    with FileRange(tmp_path / "a", 20, 50) as part:
        assert part.readable()
        assert part.seekable()
        assert part.read(5) == bytes(range(20, 25))
        assert part.tell() == 5
        assert part.seek(-3, os.SEEK_END) == 27
        assert part.read(99) == bytes(range(47, 50))
        assert part.read(1) == b""
        assert part.seek(-10, os.SEEK_CUR) == 20
        assert part.read() == bytes(range(40, 50))
        assert part.seek(-5) == 0
        assert part.read(1) == b"\x14"
        assert part.seek(99) == 99
        assert part.read(1) == b""
