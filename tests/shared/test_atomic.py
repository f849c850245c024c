import os

import pytest

from shared.atomic import make_folder, written_atomically
from shared.errors import Failure, UserError


def test_a_link_is_replaced_and_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    link = tmp_path / "seed1.png"
    link.symlink_to(victim)
    with written_atomically(link) as temporary:
        temporary.write_text("new")
    assert victim.read_text() == "precious"
    assert link.read_text() == "new"
    assert not link.is_symlink()


def test_a_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a symbolic link"):
        make_folder(tmp_path / "images")
    make_folder(tmp_path / "elsewhere")


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failure, match="disk is full"), written_atomically(path) as temporary:
        temporary.write_text("after")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "before"
