"""A preset that draws directly from the sound: its file, its view for pairing, and recordings that keep their decoder."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from shared.controls import ControlChange
from shared.errors import PresetError
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.preset import Preset
from shared.preset.direct import DirectPictures, stored
from shared.recording.reader import Recording
from shared.recording.writer import RecordingWriter
from tests.small import make_direct_preset, make_preset, sound, write_decoder

SAMPLES = sound(1.0)[:, 0]


def pictures(presets, ticks):
    painter = Painter()
    for preset in presets:
        painter.load(preset)
    return [painter.paint(tick.picture).numpy() for tick in ticks]


def test_it_plays_without_generator_pairs_and_mapping(tmp_path):
    preset = Preset.load(make_direct_preset(tmp_path / "p"))
    ticks = Pipeline(preset).process(SAMPLES)
    images = pictures([preset], ticks)
    assert images[0].shape == (32, 32, 3)
    assert len({image.tobytes() for image in images}) > 5
    tick = ticks[-1]
    assert tick.nearest in preset.direct.names
    assert np.array_equal(tick.picture.latent, tick.descriptors.astype(np.float32))
    assert preset.is_trained


def test_weights_and_offsets_act_before_the_decoder(tmp_path):
    preset = Preset.load(make_direct_preset(tmp_path / "p"))
    pipeline = Pipeline(preset)
    pipeline.schedule(ControlChange(0, "weight/pitch", -2.0))
    pipeline.schedule(ControlChange(0, "offset/loudness", 0.5))
    tick = pipeline.process(SAMPLES)[-1]
    factor, added = np.ones(23), np.zeros(23)
    factor[preset.settings.inputs.index("pitch")] = -2
    added[preset.settings.inputs.index("loudness")] = 0.5
    assert np.array_equal(tick.picture.latent, (tick.descriptors * factor + added).astype(np.float32))


def test_the_file_comes_back_as_it_was(tmp_path):
    written = write_decoder(tmp_path, columns=58, pairs_digest="abc", reach=3.5)
    read = DirectPictures.load(tmp_path / "direct.safetensors")
    assert read.digest == written.digest
    assert (read.architecture, read.names, read.reach) == (written.architecture, written.names, 3.5)
    again = tmp_path / "again.safetensors"
    read.save(again)
    assert again.read_bytes() == (tmp_path / "direct.safetensors").read_bytes()


def test_a_large_decoder_is_stored_in_half_precision_if_its_weights_fit():
    small, large = np.ones((10, 10), np.float32), np.ones((1000, 1000), np.float32)
    assert stored({"a": small})["a"].dtype == np.float32
    assert stored({"a": large, "b": small})["b"].dtype == np.float16
    assert stored({"a": large * 1e6})["a"].dtype == np.float32


def test_its_artist_still_pairs_with_the_generator(tmp_path):
    folder = make_preset(tmp_path / "p", toml='version = 1\npicture = "direct"\n')
    write_decoder(folder)
    preset = Preset.load(folder)
    assert preset.mapping.latent_size == 23
    assert preset.for_pairing.mapping.latent_size == 16
    assert preset.for_pairing.generator_path == folder / "generator.safetensors"
    assert preset.for_pairing.for_playing.is_direct
    by_generator = make_preset(tmp_path / "q")
    assert Preset.load(by_generator).for_pairing.for_playing.mapping.latent_size == 16


def test_pairs_that_changed_since_are_reported(tmp_path):
    folder = make_preset(tmp_path / "p", toml='version = 1\npicture = "direct"\n')
    pairs = Preset.load(folder).for_pairing.pairs
    write_decoder(folder, pairs_digest="another")
    assert not Preset.load(folder).is_trained
    assert "--direct" in Preset.load(folder).training_advice
    direct = Preset.load(folder).direct
    digest = pairs.standardised_by(direct.scaler).digest
    replace(direct, pairs_digest=digest, scaler=pairs.scaler).save(folder / "direct.safetensors")
    assert Preset.load(folder).is_trained == (pairs.digest == digest)
    (folder / "pairs.safetensors").write_bytes(b"damaged")
    assert Preset.load(folder).is_trained


def test_a_recording_keeps_its_decoder_when_it_is_trained_again(tmp_path):
    folder = make_direct_preset(tmp_path / "p", toml="[controls]\ncrossfade = 0.3\n")
    other = Preset.load(make_preset(tmp_path / "o"))
    preset = Preset.load(folder)
    pipeline = Pipeline(preset)
    pipeline.process(SAMPLES[:8000])
    writer = RecordingWriter(tmp_path / "recording")
    writer.begin(pipeline.state(), "samples", {})
    for at, change in ((12000, other), (30000, preset)):
        writer.change(pipeline.exchange(at, change), change)
    played = pictures([preset, other], pipeline.process(SAMPLES[8000:]))
    writer.sound(SAMPLES[8000:])
    writer.end(len(SAMPLES))
    write_decoder(folder, seed=9)
    shutil.copytree(folder, tmp_path / "elsewhere")
    for path in (folder, tmp_path / "elsewhere", other.folder):
        recording = Recording(tmp_path / "recording", Preset.load(path))
        assert "its own are drawn" in recording.remarks[0]
        again = pictures(recording.presets, recording.ticks(Fraction(30)))
        assert [image.tobytes() for image in again] == [image.tobytes() for image in played[: len(again)]]
        assert len(again) > 20


def test_a_recording_of_a_generator_moves_to_one_that_draws_directly_now(tmp_path):
    folder = make_preset(tmp_path / "p")
    pipeline = Pipeline(Preset.load(folder))
    writer = RecordingWriter(tmp_path / "recording")
    writer.begin(pipeline.state(), "samples", {})
    writer.sound(SAMPLES)
    writer.end(len(SAMPLES))
    moved = folder.rename(tmp_path / "moved")
    write_decoder(moved)
    (moved / "preset.toml").write_text('version = 1\npicture = "direct"\n')
    recording = Recording(tmp_path / "recording", Preset.load(moved))
    assert not recording.remarks
    assert recording.presets[0].generator_path == moved / "generator.safetensors"
    (moved / "generator.safetensors").unlink()
    assert "its own are drawn" in Recording(tmp_path / "recording", Preset.load(moved)).remarks[0]


def test_it_fades_to_and_from_a_generator(tmp_path):
    direct = Preset.load(make_direct_preset(tmp_path / "p", toml="[controls]\ncrossfade = 0.5\n"))
    generated = Preset.load(make_preset(tmp_path / "o", toml="version = 1\n[controls]\ncrossfade = 0.5\n"))
    pipeline = Pipeline(generated)
    pipeline.exchange(12000, direct)
    pipeline.exchange(34000, generated)
    ticks = pipeline.process(SAMPLES)
    images = pictures([direct, generated], ticks)
    mixed = [image for tick, image in zip(ticks, images, strict=True) if tick.picture.under is not None]
    assert len(mixed) > 15
    assert all(image.mean() > 1 for image in images[1:])
    assert [image.shape[0] for image in images if image.shape[0] == 32]
    assert images[-1].shape[0] == 16


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("inputs = ['pitch', 'loudness']\n", "takes 23 descriptors, preset.toml names 2"),
        ("[direct]\nsteps = 0\n", "steps = 0 given"),
        ("[direct]\nsize = 33\n", "even"),
        ("[direct]\nshape = 'window'\n", "shape = window given"),
        ("[direct]\nepochs = 5\n", "allowed are: size, shape, between"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(tmp_path, toml, message):
    folder = make_direct_preset(tmp_path / "p", toml=toml)
    with pytest.raises(PresetError, match=message) as caught:
        _ = Preset.load(folder).mapping
    assert "\n" not in str(caught.value)


def test_a_missing_or_damaged_decoder_is_one_line(tmp_path):
    folder = make_direct_preset(tmp_path / "p")
    file = folder / "direct.safetensors"
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    facts = json.loads(table["__metadata__"]["facts"])
    facts["architecture"]["rows"] = 4096
    table["__metadata__"]["facts"] = json.dumps(facts)
    new = json.dumps(table).encode()
    file.write_bytes(len(new).to_bytes(8, "little") + new + content[8 + length :])
    with pytest.raises(PresetError, match="rows = 4096 given"):
        _ = Preset.load(folder).mapping
    file.unlink()
    with pytest.raises(PresetError, match=r"ponticello train .* --direct"):
        _ = Preset.load(folder).generator_sha256
