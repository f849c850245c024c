import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from offline.dataset.reader import Dataset
from shared.errors import UserError

pytestmark = pytest.mark.slow


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


def pictures(count=4, side=8, channels=3):
    shape = (count, side, side, channels)[: 4 if channels == 3 else 3]
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def write(path, images, listing=None):
    with zipfile.ZipFile(path, "w") as archive:
        for number, pixels in enumerate(images):
            archive.writestr(f"00000/img{number:08d}.png", png(pixels))
        if listing is not None:
            archive.writestr("dataset.json", json.dumps(listing))
    return path


def labels(*values):
    return {"labels": [[f"00000/img{number:08d}.png", value] for number, value in enumerate(values)]}


def test_pictures_come_as_they_are_and_mirrored_after_them(tmp_path):
    images = pictures()
    plain = Dataset(write(tmp_path / "a.zip", images))
    assert (len(plain), plain.resolution, plain.channels, plain.labels.shape) == (4, 8, 3, (4, 0))
    doubled = Dataset(tmp_path / "a.zip", mirror=True)
    assert len(doubled) == 8
    for number, pixels in enumerate(images):
        assert np.array_equal(plain.image(number), pixels.transpose(2, 0, 1))
        assert np.array_equal(doubled.image(number + 4), pixels[:, ::-1].transpose(2, 0, 1))


def test_grey_pictures_have_one_channel(tmp_path):
    images = pictures(channels=1)
    assert np.array_equal(Dataset(write(tmp_path / "a.zip", images)).image(2), images[2][None])


def test_a_folder_reads_like_a_zip(tmp_path):
    write(tmp_path / "a.zip", pictures(), labels(0, 2, 1, 0))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "a")
    one, other = (Dataset(tmp_path / name, use_labels=True) for name in ("a.zip", "a"))
    assert np.array_equal(one.labels, other.labels)
    assert all(np.array_equal(one.image(i), other.image(i)) for i in range(4))


def test_classes_are_one_hot_and_mirrored_pictures_keep_theirs(tmp_path):
    path = write(tmp_path / "a.zip", pictures(), labels(0, 2, 1, 0))
    assert Dataset(path).has_labels
    assert Dataset(path).labels.shape == (4, 0)
    wanted = np.eye(3)[[0, 2, 1, 0, 0, 2, 1, 0]]
    assert np.array_equal(Dataset(path, use_labels=True, mirror=True).labels, wanted)


def test_lists_of_numbers_stay_as_they_are(tmp_path):
    path = write(tmp_path / "a.zip", pictures(2), labels([0.5, -1], [2, 3]))
    assert np.array_equal(Dataset(path, use_labels=True).labels, [[0.5, -1], [2, 3]])


def test_many_threads_read_at_once(tmp_path):
    images = pictures(40)
    dataset = Dataset(write(tmp_path / "a.zip", images))
    with ThreadPoolExecutor(8) as pool:
        for number, pixels in zip(range(40), pool.map(dataset.image, range(40)), strict=True):
            assert np.array_equal(pixels, images[number].transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("images", "listing", "message"),
    [
        (pictures(0), None, "has no pictures"),
        (pictures(1, side=12), None, "power of two"),
        ([np.zeros((8, 16, 3), np.uint8)], None, "16 x 8 pixels"),
        ([np.zeros((8, 8, 4), np.uint8)], None, "is RGBA"),
        (pictures(2), None, "has no labels"),
        (pictures(2), {"labels": None}, "has no labels"),
        (pictures(2), labels(1), "1 pictures have no label"),
        (pictures(2), labels(1, [2.0]), "mixes classes and lists"),
        (pictures(2), labels(1, "x"), "no list of labels"),
        (pictures(2), labels(1, -1), "no list of labels"),
        (pictures(2), [1], "no list of labels"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path, images, listing, message):
    with pytest.raises(UserError, match=message):
        Dataset(write(tmp_path / "a.zip", images, listing), use_labels=True)


def test_a_picture_of_another_size_is_named_when_it_is_read(tmp_path):
    dataset = Dataset(write(tmp_path / "a.zip", [*pictures(1), *pictures(1, side=16)]))
    with pytest.raises(UserError, match=r"img00000001\.png has the shape"):
        dataset.image(1)


def test_other_files_are_no_data_set(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"x" * 100)
    for name in ("a.zip", "missing.zip"):
        with pytest.raises(UserError, match="is not a data set"):
            Dataset(tmp_path / name)
