import numpy as np

from shared.image.latents import latents_from_seeds, transform_matrix


def test_latents_are_the_published_tools(cases):
    for name in ("t64", "r64", "t64_cond5"):
        outputs = cases[name].outputs
        assert latents_from_seeds(outputs["seeds"].tolist(), 64).tobytes() == outputs["z"].tobytes()


def test_no_seeds():
    assert latents_from_seeds([], 7).shape == (0, 7)


def test_the_transform_is_the_published_tools(cases):
    given = transform_matrix(20, (0.1, -0.05))
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, cases["t64"].outputs["transform"], atol=1e-7)


def test_the_picture_moves_as_it_says(cases):
    """A shift to the right by a quarter shows at x what was at x - 1/4; a quarter turn takes the top to the left."""
    case = cases["t64"]
    g = case.generator()
    w = case.outputs["w_psi07"][:1]
    still = g.synthesize_float(w)[0].numpy()
    right_down = g.synthesize_float(w, transform_matrix(0, (0.25, 0.125)))[0].numpy()
    inner = np.s_[:, 24:56, 32:56]
    moved = np.roll(still, (8, 16), axis=(1, 2))
    assert np.abs(right_down - moved)[inner].mean() < 0.25 * np.abs(right_down - still)[inner].mean()
    full_turn = g.synthesize_float(w, transform_matrix(360))[0].numpy()
    np.testing.assert_allclose(full_turn, still, atol=1e-4)
