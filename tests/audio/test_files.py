import os
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile

from shared.audio.files import SoundReader
from shared.errors import SoundError
from tests.audio.signals import noise, sine


def stereo(n=20_000):
    return np.stack([noise(n, 1), noise(n, 2)], axis=1)


def read(path, size=65536, channel=None):
    with SoundReader(path, channel) as reader:
        return np.concatenate(list(reader.blocks(size)))


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [
        ("a.wav", "PCM_16", 4e-5),
        ("a.wav", "PCM_24", 3e-7),
        ("a.wav", "FLOAT", 0),
        ("a.wav", "DOUBLE", 0),
        ("a.aiff", "PCM_16", 4e-5),
        ("a.flac", "PCM_24", 3e-7),
        ("a.ogg", "VORBIS", 0.2),
        ("a.mp3", "MPEG_LAYER_III", 0.2),
        ("Größe, zwei.wav", "PCM_16", 4e-5),
    ],
)
def test_formats(tmp_path, name, subtype, error):
    x = np.stack([sine(500, 30_000), sine(700, 30_000)], axis=1)
    soundfile.write(tmp_path / name, x, 44100, subtype)
    with SoundReader(tmp_path / name) as reader:
        assert (reader.rate, reader.channels, reader.frames, reader.subtype) == (44100, 2, 30_000, subtype)
        mono = np.concatenate(list(reader.blocks()))
        assert reader.frames_read == 30_000
        assert reader.nonfinite == 0
        assert reader.truncated is None
        both = np.concatenate(list(reader.soundtrack()))
    assert mono.shape == (30_000,)
    assert both.shape == (30_000, 2)
    assert mono.dtype == both.dtype == np.float32
    assert np.abs(both - x).max() <= error
    assert np.abs(mono - x.mean(axis=1)).max() <= error + 1e-7


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_rates_and_channels(tmp_path, rate, channels):
    n = rate // 2
    x = np.stack([sine(200 * (c + 1), n, rate) for c in range(channels)], axis=1)
    soundfile.write(tmp_path / "a.wav", x, rate, "FLOAT")
    out = read(tmp_path / "a.wav")
    assert len(out) == (2 * n * 44100 + rate) // (2 * rate)
    expected = sum(sine(200 * (c + 1), len(out)) for c in range(channels)) / channels
    assert np.abs(out - expected)[4000:-4000].max() < 1e-4


def test_channels_are_averaged_or_chosen(tmp_path):
    x = stereo()
    soundfile.write(tmp_path / "a.wav", x, 44100, "FLOAT")
    average = ((x[:, 0].astype(float) + x[:, 1]) / 2).astype(np.float32)
    assert np.array_equal(read(tmp_path / "a.wav"), average)
    assert np.array_equal(read(tmp_path / "a.wav", channel=1), x[:, 0])
    assert np.array_equal(read(tmp_path / "a.wav", channel=2), x[:, 1])


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize("size", [1000, 4097, 10**6])
def test_block_size_changes_nothing(tmp_path, rate, size):
    x = np.concatenate([stereo(70_000), stereo(30_000)])
    x[[3, 65_535, 65_536], 0] = np.nan
    soundfile.write(tmp_path / "a.wav", x, rate, "FLOAT")
    assert read(tmp_path / "a.wav", size).tobytes() == read(tmp_path / "a.wav").tobytes()


def test_blocks_are_no_larger_than_asked(tmp_path):
    soundfile.write(tmp_path / "a.wav", stereo(), 44100)
    with SoundReader(tmp_path / "a.wav") as reader:
        assert [len(block) for block in reader.blocks(8000)] == [8000, 8000, 4000, 0]


def test_nonfinite_numbers_become_zero(tmp_path):
    x = stereo().astype(np.float64)
    x[10, 0], x[11, 1], x[12] = np.nan, np.inf, (1e300, -1e31)
    mended = np.where(np.abs(x) < 10, x, 0)
    soundfile.write(tmp_path / "a.wav", x, 48000, "DOUBLE")
    soundfile.write(tmp_path / "b.wav", mended, 48000, "DOUBLE")
    assert read(tmp_path / "a.wav").tobytes() == read(tmp_path / "b.wav").tobytes()
    with SoundReader(tmp_path / "a.wav") as reader:
        track = np.concatenate(list(reader.soundtrack()))
        assert np.array_equal(track, mended.astype(np.float32))
        assert reader.nonfinite == 0
        for _ in range(2):
            list(reader.blocks())
            assert reader.nonfinite == 4
    with SoundReader(tmp_path / "a.wav", 1) as reader:
        list(reader.blocks())
        assert reader.nonfinite == 2


def test_soundtrack_is_an_excerpt_at_the_files_own_rate(tmp_path):
    x = stereo(150_000)
    soundfile.write(tmp_path / "a.wav", x, 48000, "FLOAT")
    with SoundReader(tmp_path / "a.wav", channel=2) as reader:
        assert np.array_equal(np.concatenate(list(reader.soundtrack(1000, 140_001))), x[1000:140_001])
        assert np.array_equal(np.concatenate(list(reader.soundtrack(149_990))), x[149_990:])
        assert np.array_equal(np.concatenate(list(reader.soundtrack(149_990, 10**9))), x[149_990:])
        assert list(reader.soundtrack(500, 500)) == list(reader.soundtrack(10**9)) == []


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3", "a.flac"])
def test_an_excerpt_of_a_compressed_sound_equals_that_part(tmp_path, name):
    soundfile.write(tmp_path / name, stereo(50_000), 44100)
    with SoundReader(tmp_path / name) as reader:
        whole = np.concatenate(list(reader.soundtrack()))
        part = np.concatenate(list(reader.soundtrack(12_345, 23_456)))
    assert np.array_equal(part, whole[12_345:23_456])


def test_two_readings_at_the_same_time(tmp_path):
    x = stereo(200_000)
    soundfile.write(tmp_path / "a.wav", x, 44100, "FLOAT")
    with SoundReader(tmp_path / "a.wav", 1) as reader:
        pairs = list(zip(reader.blocks(), reader.soundtrack(), strict=False))
    for mono, both in pairs:
        assert np.array_equal(mono, both[:, 0])


def test_leaving_closes_a_reading_that_was_not_finished(tmp_path):
    soundfile.write(tmp_path / "a.wav", stereo(200_000), 44100)
    before = len(os.listdir("/dev/fd"))
    with SoundReader(tmp_path / "a.wav") as reader:
        unfinished = reader.blocks()
        next(unfinished)
        assert len(os.listdir("/dev/fd")) == before + 1
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.au", "a.rf64", "a.flac", "a.mp3"])
def test_a_truncated_file_is_read_to_its_end(tmp_path, name):
    x = stereo(100_000)
    soundfile.write(tmp_path / name, x, 44100, format="RF64" if name == "a.rf64" else None)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) * 2 // 3 + 1])
    with SoundReader(tmp_path / name, 1) as reader:
        remark = reader.truncated
        mono = np.concatenate(list(reader.blocks()))
        there = reader.frames_read
        assert f"promises 100000 samples, it holds {there}" in reader.truncated
    assert remark is not None or name in ("a.flac", "a.mp3")  # detected at the end
    assert 50_000 < there < 67_000
    assert len(mono) == there
    if name != "a.mp3":
        assert np.abs(mono - x[:there, 0]).max() < 1e-4
    assert read(tmp_path / name, 1000, 1).tobytes() == mono.tobytes()


def test_a_flac_that_is_damaged_in_the_middle(tmp_path):
    soundfile.write(tmp_path / "a.flac", stereo(100_000), 44100)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = np.random.default_rng(0).bytes(3000)
    (tmp_path / "a.flac").write_bytes(content)
    first, again = read(tmp_path / "a.flac"), read(tmp_path / "a.flac", 500)
    assert 0 < len(first) < 60_000
    assert first.tobytes() == again.tobytes()


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_header_written_to_a_pipe_promises_nothing(tmp_path, size):
    soundfile.write(tmp_path / "a.wav", stereo(), 44100)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(content)
    with SoundReader(tmp_path / "a.wav") as reader:
        assert reader.truncated is None
        assert sum(len(block) for block in reader.blocks()) == 20_000


def write_no_frames(path):
    soundfile.write(path, np.empty((0, 2)), 44100)


def write_header_alone(path):
    soundfile.write(path, stereo(), 44100)
    path.write_bytes(path.read_bytes()[:44])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no file .*a.wav; name an existing sound file"),
        (lambda path: path.mkdir(), "a.wav is a folder; name one sound file in it"),
        (lambda path: path.write_bytes(b""), r"a.wav is empty \(0 bytes\)"),
        (
            lambda path: path.write_text("Dear violin\n" * 99),
            r"a.wav is not a sound file that can be read .*allowed are WAV",
        ),
        (lambda path: path.write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt "), "a.wav is not a sound file that can be read"),
        (write_no_frames, "a.wav holds no sound: it is 0 samples long"),
        (write_header_alone, "a.wav is truncated or damaged: its header promises 20000 samples, it holds 0"),
        (lambda path: soundfile.write(path, stereo(), 300), "a.wav: a sample rate of 300 Hz; allowed are 1000 to"),
    ],
)
def test_unreadable_files(tmp_path, make, words):
    make(tmp_path / "a.wav")
    with pytest.raises(SoundError, match=words) as caught:
        SoundReader(tmp_path / "a.wav")
    assert "\n" not in str(caught.value)


def test_a_headerless_file(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    with pytest.raises(SoundError, match="not a sound file that can be read"):
        SoundReader(tmp_path / "a.raw")


@pytest.mark.parametrize("channel", [0, 3, -1])
def test_a_channel_that_is_not_there(tmp_path, channel):
    soundfile.write(tmp_path / "a.wav", stereo(), 44100)
    with pytest.raises(SoundError, match=f"has 2 channels, --channel {channel} asked for; allowed is 1 to 2"):
        SoundReader(tmp_path / "a.wav", channel)
    soundfile.write(tmp_path / "a.wav", noise(100), 44100)
    with pytest.raises(SoundError, match="has 1 channel, --channel 2 asked for; allowed is only 1"):
        SoundReader(tmp_path / "a.wav", 2)


def test_ten_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(10), 48000)
    assert len(read(tmp_path / "a.wav")) == 9


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path):
    def peak(seconds):
        soundfile.write(tmp_path / "a.wav", np.zeros((seconds * 44100, 2), np.float32), 44100)
        tracemalloc.start()
        with SoundReader(tmp_path / "a.wav") as reader:
            for _ in reader.blocks():
                pass
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    assert peak(40) < 1.1 * peak(4)


def test_headers_that_were_never_finished(tmp_path):
    noise = np.random.default_rng(0).standard_normal(44100) * 0.1
    soundfile.write(tmp_path / "pipe.flac", noise, 44100)
    data = bytearray((tmp_path / "pipe.flac").read_bytes())
    data[21] &= 0xF0  # STREAMINFO's 36 bits for the number of samples: 0 is "unknown"
    data[22:26] = bytes(4)
    (tmp_path / "pipe.flac").write_bytes(data)
    with SoundReader(tmp_path / "pipe.flac") as reader:
        assert reader.frames == 44100
    soundfile.write(tmp_path / "crash.wav", noise, 44100)
    data = bytearray((tmp_path / "crash.wav").read_bytes())
    data[40:44] = bytes(4)  # the length of the data
    (tmp_path / "crash.wav").write_bytes(data)
    with pytest.raises(SoundError, match="its recorder did not finish it"):
        SoundReader(tmp_path / "crash.wav")


def test_counts_begin_at_zero_with_each_reading(tmp_path):
    x = np.zeros((3000, 2), np.float32)
    x[[5, 70], 0] = np.nan
    x[80, 1] = np.inf
    soundfile.write(tmp_path / "a.wav", x, 44100, "FLOAT")
    with SoundReader(tmp_path / "a.wav") as reader:
        assert (reader.frames_read, reader.nonfinite, reader.soundtrack_nonfinite) == (0, 0, 0)
        for _ in range(2):
            for _ in reader.blocks():
                pass
            assert (reader.frames_read, reader.nonfinite) == (3000, 3)
        assert sum(map(len, reader.soundtrack(60, 90))) == 30
        assert reader.soundtrack_nonfinite == 2
        assert sum(map(len, reader.soundtrack(90, 90))) == 0
        assert reader.remarks() == [f"{tmp_path / 'a.wav'}: 3 invalid samples (NaN or infinite) count as 0"]
    with SoundReader(tmp_path / "a.wav", channel=2) as reader:
        for _ in reader.blocks():
            pass
        assert reader.remarks() == [f"{tmp_path / 'a.wav'}: 1 invalid sample (NaN or infinite) counts as 0"]
