"""The flow constraint: residues of known movements, the relaxed path against its definition, whole films."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from offline.rendering.hashes import Hashes
from offline.rendering.material import SoundMaterial
from offline.rendering.relaxation import RelaxedMaterial, Residues, flow_residue, relaxed_path
from offline.rendering.render import Job, render
from shared.painter import Painter
from shared.preset import Preset
from tests.small import make_preset, write_sound


def texture(seed=0):
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((128, 128)), 4)
    grey = (127 + 100 * noise / np.abs(noise).max()).astype(np.uint8)
    return np.stack([grey] * 3, axis=2)


def test_what_moves_leaves_no_residue_and_what_jumps_does():
    image = texture()
    moved = shift(image, (3, -2, 0), mode="nearest")
    other = texture(1)
    difference = np.abs(moved.astype(int) - image).mean()
    assert flow_residue(image, image) == 0
    assert flow_residue(image, moved) < 0.2 * difference
    assert flow_residue(image, other) > 3 * flow_residue(image, moved)


def test_a_relaxed_path_minimises_its_energy():
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((20, 4)).astype(np.float32)
    residues = np.ones(19)
    residues[10] = 5
    path = relaxed_path(latents, residues, 1.5).astype(np.float64)
    triangle = np.maximum(0, 1 - np.abs(np.arange(19) - 10) / 5)
    springs = 1.5 * 4 * triangle

    def energy(w):
        return np.square(w - latents).sum() + (springs[:, None] * np.square(np.diff(w, axis=0))).sum()

    best = energy(path)
    for _ in range(50):
        assert energy(path + 0.01 * rng.standard_normal(path.shape)) > best
    assert np.linalg.norm(path[11] - path[10]) < 0.4 * np.linalg.norm(latents[11] - latents[10])
    np.testing.assert_allclose(path[:5], latents[:5], atol=1e-6)
    assert relaxed_path(latents, residues, 0) is latents
    np.testing.assert_allclose(relaxed_path(latents, np.ones(19), 9.0), latents, atol=1e-6)


def test_a_stopped_measurement_continues(tmp_path):
    pictures = [texture(i) for i in range(6)]
    whole = Residues(tmp_path / "a", "x", 6).measure(pictures.__getitem__)

    def stopped(number):
        if number == 4:
            raise KeyboardInterrupt
        return pictures[number]

    with pytest.raises(KeyboardInterrupt):
        Residues(tmp_path / "b", "x", 6).measure(stopped)
    drawn = []
    rest = Residues(tmp_path / "b", "x", 6).measure(lambda i: drawn.append(i) or pictures[i])
    assert drawn == [3, 4, 5]
    assert rest.tolist() == whole.tolist()


@pytest.mark.slow
def test_a_relaxed_film_is_calmer_and_an_excerpt_is_its_part(tmp_path):
    preset = Preset.load(make_preset(tmp_path / "p"))
    sound = write_sound(tmp_path / "s.wav", 0.7)
    painter = Painter()
    painter.load(preset)
    plain = SoundMaterial(preset, sound)
    free = np.stack([tick.picture.latent for tick in plain.ticks(Fraction(30))])
    relaxed = RelaxedMaterial(plain, painter, 3.0, tmp_path / "flow")
    tied = np.stack([tick.picture.latent for tick in relaxed.ticks(Fraction(30))])
    steps = [np.square(np.diff(path, axis=0)).sum() for path in (free, tied)]
    assert steps[1] < steps[0]

    def hashes(name, **options):
        log = Hashes()
        render(Job(preset, sound, relax=3.0, **options), tmp_path / name, log=log)
        return dict(log.rows)

    whole = hashes("whole.mkv")
    part = hashes("part.mkv", start=Fraction(1, 5), end=Fraction(2, 5))
    assert part == {number: whole[number] for number in range(6, 12)}
    assert not list(tmp_path.glob("*.flow"))
    log = Hashes()
    render(Job(preset, sound), tmp_path / "free.mkv", log=log)
    assert dict(log.rows) != whole
