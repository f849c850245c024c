"""Classes of a conditional generator (the reference network with five): drawn, paired, learned, played and recorded."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

import ponticello
from live.show.learning import Learning
from offline.candidates.drawing import draw_candidates, next_draw
from offline.candidates.files import class_label
from offline.pairing.session import Pairing
from offline.pictures import read_png
from offline.train import train
from shared.controls import ControlChange
from shared.errors import PresetError, SettingError
from shared.image.checkpoint import write_checkpoint
from shared.image.generator import load_generator
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.pipeline.exchanges import Steer
from shared.preset import Preset
from shared.preset.candidates import Candidates, Draw
from shared.preset.pairs import Pairs
from shared.preset.preset import sha256_of
from shared.recording.reader import Recording
from shared.recording.writer import RecordingWriter
from tests.image import reference
from tests.small import make_unpaired, sound

CLASSES = 5
SAMPLES = sound(1.0)[:, 0]
pytestmark = pytest.mark.slow


def make(folder):
    """A preset around the conditional reference generator, with a corpus, before anything is drawn."""
    make_unpaired(folder)
    (folder / "candidates.safetensors").unlink()
    case = reference.load("t64_cond5")
    write_checkpoint(folder / "generator.safetensors", case.architecture, case.weights)
    return Preset.load(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    preset = make(tmp_path_factory.mktemp("classes") / "p")
    draw_candidates(preset, Draw(0, 10, "z", "all"))
    Pairing(Preset.load(preset.folder)).auto("kmeans", 7)
    train(Preset.load(preset.folder))
    return Preset.load(preset.folder)


def latents_and_labels(ticks):
    return [(t.picture.latent.tobytes(), t.picture.label.tobytes(), t.picture.level) for t in ticks]


def test_candidates_of_all_classes_are_drawn_in_turn_with_their_own_images(trained):
    candidates = Candidates.load(trained.folder / "candidates.safetensors")
    assert candidates.classes.argmax(axis=1).tolist() == [seed % CLASSES for seed in candidates.seeds]
    assert candidates.classes.sum() == 10
    generator = load_generator(trained.generator_path, precision="auto")
    for i in (0, 3):
        w = generator.map(candidates.latents[i][None], candidates.classes[i][None])
        image = read_png(trained.folder / "images" / f"seed{i}.png")
        assert np.array_equal(image, generator.synthesize(w).numpy())
    assert next_draw(trained, 5) == Draw(0, 15, "z", "all")


def test_the_pairs_are_listed_with_their_classes(trained, capsys):
    ponticello.run(["pair", "list", str(trained.folder)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("   ")[-1] for line in lines] == [f"class {row.argmax()}" for row in trained.pairs.classes]
    assert class_label(np.array([0.75, 0, 0.25, 0.001], np.float32)) == "class 0 (0.75), 2 (0.25)"


def test_one_class_and_w_are_drawn_too_and_unknown_classes_refused(tmp_path):
    preset = make(tmp_path / "p")
    assert next_draw(preset, 4) == Draw(0, 4, "z", "all")
    one = draw_candidates(preset, Draw(0, 3, "z", 2))
    assert one.classes.argmax(axis=1).tolist() == [2, 2, 2]
    in_w = draw_candidates(Preset.load(preset.folder), Draw(0, 3, "w", "all"))
    assert in_w.classes.shape == (3, 0)
    z, c = torch.from_numpy(one.latents[1:2]), torch.eye(CLASSES)[1:2]
    expected = load_generator(preset.generator_path).map(z, c)[0, 0].numpy()
    np.testing.assert_allclose(in_w.latents[1], expected, atol=1e-5)
    with pytest.raises(SettingError, match=r"--class 5 given; generator.safetensors has classes 0 to 4"):
        draw_candidates(Preset.load(preset.folder), Draw(0, 3, "w", 5))
    with pytest.raises(SettingError, match="give --class N, or --class all"):
        draw_candidates(Preset.load(preset.folder), Draw(0, 3, "z"))


def test_the_mapping_gives_latent_and_class_and_brings_the_images_back(trained):
    mapping, pairs = trained.mapping, trained.pairs
    assert (mapping.classes, mapping.latent_size) == (CLASSES, 64)
    for row, latent, classes in zip(pairs.descriptors, pairs.latents, pairs.classes, strict=True):
        found, label = mapping.parted(mapping.predict(row))
        np.testing.assert_allclose(found, latent, atol=0.05)
        np.testing.assert_allclose(label, classes, atol=0.05)
    between = mapping.parted(mapping.predict(pairs.descriptors[:2].mean(axis=0)))[1]
    assert between.sum() == pytest.approx(1)
    assert between.min() >= 0
    again = Pairs.load(trained.folder / "pairs.safetensors")
    assert again.digest == pairs.digest == mapping.pairs_digest
    assert replace(pairs, classes=np.roll(pairs.classes, 1, axis=1)).digest != pairs.digest


def test_pairs_are_moved_added_and_removed_with_their_classes(trained, tmp_path):
    preset = make(tmp_path / "p")
    draw_candidates(preset, Draw(0, 6, "z", "all"))
    pairing = Pairing(Preset.load(preset.folder))
    for image, x in (("1", 0.2), ("3", 0.5), ("4", 0.8), ("3", 0.1)):
        pairing.place(image, x, 0.5)
    pairing.remove("1")
    assert pairing.pairs.classes.argmax(axis=1).tolist() == [3, 4]
    assert Pairs.load(preset.folder / "pairs.safetensors").names == ("seed3", "seed4")


def test_the_label_control_shows_one_class_or_mixes_two(trained):
    pipeline = Pipeline(trained)
    for sample, value in ((11025, 3), (22050, 0.25), (33075, 99), (40000, "sound")):
        pipeline.schedule(ControlChange(sample, "label", value))
    ticks = pipeline.process(SAMPLES)
    labels = [tick.picture.label for tick in ticks]
    np.testing.assert_allclose(labels[0], trained.mapping.parted(trained.mapping.predict(ticks[0].descriptors))[1])
    assert labels[10].tolist() == [0, 0, 0, 1, 0]
    assert labels[18].tolist() == [0.75, 0.25, 0, 0, 0]
    assert labels[25].tolist() == [0, 0, 0, 0, 1]
    assert labels[-1].tolist() not in (labels[25].tolist(), labels[10].tolist())
    painter = Painter()
    generator = painter.load(trained)
    picture = ticks[10].picture
    w = generator.map(picture.latent[None], picture.label[None])
    assert np.array_equal(painter.paint(picture), generator.synthesize(w))


def test_classes_are_recorded_with_the_show(trained, tmp_path):
    pipeline = Pipeline(trained)
    label = np.eye(CLASSES, dtype=np.float32)[4]
    happenings = [
        (8000, ControlChange(8000, "freeze", 1)),
        (12000, ControlChange(12000, "label", 2)),
        (16000, ControlChange(16000, "freeze", 0)),
        (20000, Steer(trained.pairs.latents[0], "z", label)),
        (30000, Steer(None)),
    ]
    for begin in (9000, 22000):
        pipeline, writer, ticks = Pipeline(trained), RecordingWriter(tmp_path / str(begin)), []
        edges = sorted({begin, *(sample for sample, _ in happenings)})
        recording = False
        for start, block in zip([0, *edges], np.split(SAMPLES, edges), strict=True):
            if start == begin:
                writer.begin(pipeline.state(), "samples", {})
                recording = True
            for sample, what in happenings:
                if sample == start:
                    acts = (
                        pipeline.schedule(what) if isinstance(what, ControlChange) else pipeline.exchange(start, what)
                    )
                    if recording:
                        writer.change(acts, what)
            if recording:
                writer.sound(block)
            ticks += pipeline.process(block)
        writer.end(pipeline.samples)
        again = list(Recording(tmp_path / str(begin), trained).ticks(Fraction(30)))
        assert latents_and_labels(again) == latents_and_labels(ticks[again[0].number :])
        assert ticks[15].picture.label.tolist() == label.tolist()


def test_a_live_pair_keeps_its_class(trained):
    learning = Learning(trained)
    tick = Pipeline(trained).process(SAMPLES)[-1]
    learning.pair(None, tick)
    learning.pair("8", tick)
    pairs = learning.pairs
    assert pairs.classes[-2].tolist() == tick.picture.label.tolist()
    assert pairs.classes[-1].tolist() == np.eye(CLASSES)[3].tolist()
    assert learning.image("8").label.tolist() == np.eye(CLASSES)[3].tolist()
    learning.unpair()
    assert len(learning.pairs) == len(trained.pairs) + 1


def test_a_mapping_without_classes_does_not_play_with_a_conditional_generator(trained, tmp_path):
    preset = make(tmp_path / "p")
    plain = replace(trained.pairs, classes=np.empty((len(trained.pairs), 0), np.float32))
    plain.save(preset.folder / "pairs.safetensors")
    train(Preset.load(preset.folder))
    with pytest.raises(PresetError, match="has 5 classes in z, the mapping gives 0"):
        Painter().load(Preset.load(preset.folder))
    assert sha256_of(preset.generator_path) == trained.generator_sha256
