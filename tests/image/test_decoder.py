"""A decoder: the same bits for any number of threads, and one law outside of its own picture: mirror images."""

import msgspec
import numpy as np
import pytest
import torch

from shared.errors import ModelError, SettingError
from shared.image.decoder import Decoder
from shared.image.decoder_architecture import DecoderArchitecture
from shared.image.latents import transform_matrix
from shared.image.threads import torch_threads


def decoder(rows=32, columns=32, **sizes):
    architecture = DecoderArchitecture(inputs=5, rows=rows, columns=columns, **sizes)
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(shape) * 0.3 for name, shape in architecture.shapes.items()}
    return Decoder(architecture, arrays, torch.device("cpu"))


W = torch.linspace(-1, 1, 5)[None]


def picture(made, psi=1.0, motion=None, shape=None):
    transform = None if motion is None else transform_matrix(motion[0], motion[1:])
    return made.synthesize(made.truncate(made.broadcast(W), psi), transform, shape).numpy()


@pytest.mark.parametrize("size", [(32, 32), (48, 86), (36, 36), (33, 57)])
def test_a_picture_has_the_decoders_size_and_varies_with_the_sound(size):
    made = decoder(*size, hidden=(16,), channels=(6, 4))
    image = picture(made)
    assert image.shape == (*size, 3)
    assert image.dtype == np.uint8
    other = made.synthesize(made.broadcast(-W)).numpy()
    assert np.abs(image.astype(int) - other).mean() > 1


def test_the_bits_do_not_depend_on_the_number_of_threads():
    made = decoder(128, 228)
    found = []
    for threads in (1, 2, 3, 4, 6, 12):
        with torch_threads(threads):
            found.append(picture(made, motion=(20.0, 0.1, 0.2)))
            found.append(picture(made))
    assert all(np.array_equal(image, found[i % 2]) for i, image in enumerate(found))


@pytest.mark.parametrize("shape", [(32, 58), (70, 32), (32, 200), (20, 32)])
def test_a_larger_shape_continues_the_picture_by_its_mirror_images(shape):
    made = decoder(hidden=(16,), channels=(6, 4))
    square = picture(made)
    if shape[0] < 32:
        assert np.array_equal(picture(made, shape=shape), square[6:26])
        return
    above, left = (shape[0] - 32) // 2, (shape[1] - 32) // 2
    expected = np.pad(square, ((above, above), (left, left), (0, 0)), "symmetric")
    assert np.array_equal(picture(made, shape=shape), expected)


def test_a_translated_picture_shows_its_mirror_image_at_the_edge():
    made = decoder(hidden=(16,), channels=(6, 4))
    square = picture(made).astype(int)
    moved = picture(made, motion=(0.0, 0.25, 0.0)).astype(int)  # 8 pixels to the right
    assert np.abs(moved[:, 8:] - square[:, :-8]).max() <= 1
    assert np.abs(moved[:, :8] - square[:, 7::-1]).max() <= 1


def test_a_quarter_turn_is_counter_clockwise_as_a_generators():
    made = decoder(hidden=(16,), channels=(6, 4))
    assert np.abs(picture(made, motion=(90.0, 0.0, 0.0)).astype(int) - np.rot90(picture(made))).max() <= 1


def test_truncation_leads_to_the_picture_of_the_mean_sound():
    made = decoder(hidden=(16,), channels=(6, 4))
    mean = made.synthesize(made.broadcast(torch.zeros(1, 5))).numpy()
    assert np.array_equal(picture(made, psi=0.0), mean)
    assert not np.array_equal(picture(made, psi=0.5), mean)


def test_wrong_numbers_are_refused():
    made = decoder(hidden=(16,), channels=(6, 4))
    with pytest.raises(SettingError, match="takes \\(n, 5\\)"):
        made.broadcast(torch.zeros(1, 6))
    with pytest.raises(SettingError, match="takes"):
        made.broadcast(torch.full((1, 5), torch.nan))
    with pytest.raises(SettingError, match="have none"):
        made.map(torch.zeros(1, 5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 16}, "rows = 16 given"),
        ({"columns": 4096}, "columns = 4096 given"),
        ({"hidden": (4096, 4096), "channels": (4096, 1)}, "weights"),
        ({"rows": 1024, "columns": 1024, "hidden": (1,), "channels": (1, 4096)}, "samples"),
    ],
)
def test_a_decoder_beyond_all_bounds_is_refused(change, message):
    with pytest.raises(ModelError, match=message):
        DecoderArchitecture(**{"inputs": 5, "rows": 64, "columns": 64} | change)
    with pytest.raises(ModelError, match=message):
        msgspec.convert({"inputs": 5, "rows": 64, "columns": 64} | change, DecoderArchitecture)
