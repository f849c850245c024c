import numpy as np
import pytest
import soundfile
import typer

from offline.corpus import analyse
from shared.audio.descriptors import DESCRIPTORS, describe
from shared.errors import SoundError, UserError

pytestmark = pytest.mark.slow


@pytest.fixture
def sound(tmp_path):
    x = (np.random.default_rng(0).standard_normal((48_000, 2)) * 0.1).astype(np.float32)
    x[100, 1] = np.nan
    soundfile.write(tmp_path / "a.wav", x, 48000, "FLOAT")
    return tmp_path / "a.wav"


def run(*arguments):
    return typer.main.get_command(analyse.app)([str(a) for a in arguments], standalone_mode=False)


def expected(sound, channel=None):
    x, rate = soundfile.read(sound)
    x = np.nan_to_num(x)
    return describe((x.mean(axis=1) if channel is None else x[:, channel - 1]).astype(np.float32), rate)


def test_csv_has_all_digits(sound, tmp_path, capsys):
    run(sound, "-o", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as file:
        assert file.readline() == ",".join(DESCRIPTORS) + "\n"
        table = np.loadtxt(file, delimiter=",")
    assert table.shape == (87, 23)
    assert table.tobytes() == expected(sound).tobytes()
    output = capsys.readouterr().err.splitlines()
    assert output == [
        f"{sound}: 1 invalid sample (NaN or infinite) counts as 0",
        f"{tmp_path / 'a.csv'}: 87 frames",
    ]


def test_npz(sound, tmp_path):
    run(sound, "--output", tmp_path / "a.NPZ", "--channel", 2)
    with np.load(tmp_path / "a.NPZ", allow_pickle=False) as table:
        assert table["descriptors"].tobytes() == expected(sound, 2).tobytes()
        assert tuple(table["names"]) == DESCRIPTORS
        assert (table["sample_rate"], table["hop"]) == (44100, 512)


def test_many_sounds(sound, tmp_path):
    soundfile.write(tmp_path / "b.flac", np.zeros(1000), 44100)
    folder = tmp_path / "new" / "tables"
    run(sound, tmp_path / "b.flac", "--csv", folder, "--channel", 1)
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "b.csv"]
    assert np.array_equal(np.loadtxt(folder / "a.csv", delimiter=",", skiprows=1), expected(sound, 1))
    assert len((folder / "b.csv").read_text().splitlines()) == 1 + 2


def test_an_existing_table_is_replaced(sound, tmp_path):
    (tmp_path / "a.csv").write_text("old")
    run(sound, "-o", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().startswith("centroid,")


def test_a_truncated_sound_is_reported(sound, tmp_path, capsys):
    sound.write_bytes(sound.read_bytes()[:200_000])
    run(sound, "-o", tmp_path / "a.csv")
    assert "its header promises 48000 samples" in capsys.readouterr().err


def test_nothing_half_written_is_left(sound, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("old")

    def breaking(blocks, names):
        yield np.zeros((1, 23))
        raise KeyboardInterrupt

    monkeypatch.setattr(analyse, "describe_blocks", breaking)
    with pytest.raises(KeyboardInterrupt):
        analyse.analyse(sound, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.wav"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.wav", "-o", "a.csv", "--csv", "tables"], "-o and --csv given; -o writes one sound, --csv many"),
        (["a.wav", "-o", "glass.txt"], "-o glass.txt given; allowed are files that end in .csv or .npz"),
        (["a.wav", "a.wav", "-o", "a.csv"], "2 sounds and one file"),
        (["a.wav", "other/a.flac", "--csv", "tables"], "would both become tables/a.csv"),
        (["a.wav", "--csv", "a.wav"], "--csv a.wav: File exists"),
        (["a.wav", "-o", "nowhere/a.csv"], "no folder nowhere"),
    ],
)
def test_mistakes(sound, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        run(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_bad_sound_is_reported_before_any_work(sound, tmp_path):
    with pytest.raises(SoundError, match="no file"):
        run(sound, tmp_path / "missing.wav", "--csv", tmp_path / "tables")
    assert not (tmp_path / "tables").exists()
