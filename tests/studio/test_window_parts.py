"""Parts of the window, without a screen: keys, memory, exported tables, colours of rows."""

import csv

import numpy as np
import pytest

from offline.pairing import palette
from offline.pairing.colouring import drawing_order, gap_colours, row_colours
from offline.pairing.events import Events
from offline.pairing.export_map import COLUMNS, write_table
from offline.pairing.project import Project
from offline.pairing.storyboard import Storyboard
from offline.pairing.window.keys import COMMANDS, MENUS, table
from offline.pairing.window.memory import Memory
from shared.audio.descriptors import DESCRIPTORS
from tests.studio.parts import make_studio_preset

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path):
    return Project(make_studio_preset(tmp_path / "p"), Events())


@pytest.fixture
def board(project):
    project.place_on("seed1", 10)
    project.place_on("seed2", 90)
    made = Storyboard(project.corpus)
    made.set_pairs(project.pairs)
    return made


def test_no_key_is_given_twice():
    keys = [command.key for command in COMMANDS if command.key]
    assert len(keys) == len(set(keys))
    names = [command.name for command in COMMANDS]
    assert len(names) == len(set(names))


def test_every_command_has_words_and_the_table_has_every_key():
    for command in COMMANDS:
        assert command.menu in MENUS
        assert command.help.endswith(".")
    lines = table().splitlines()
    assert len(lines) == 2 + sum(bool(command.key) for command in COMMANDS)
    assert "| `Space` | Play from the playhead, or stop. |" in lines


def test_memory_is_kept_and_a_broken_file_is_the_first_day(tmp_path):
    file = tmp_path / "deep" / "studio.json"
    memory = Memory.load(file)
    assert memory == Memory()
    for name in ("a", "b", "a", *map(str, range(20))):
        memory.note_preset(tmp_path / name)
    memory.note_geometry(b"\x00\xff")
    memory.save(file)
    again = Memory.load(file)
    assert again.recent == [str(tmp_path / str(number)) for number in range(19, 11, -1)]
    assert again.geometry_bytes == b"\x00\xff"
    file.write_text("{")
    assert Memory.load(file) == Memory()


def test_a_disk_that_refuses_the_memory_stops_no_one(tmp_path):
    (tmp_path / "file").write_text("")
    Memory().save(tmp_path / "file" / "studio.json")


def test_territories_have_the_colour_of_their_image(board):
    colours = row_colours(board, "image", [3, 7])
    for row in (10, 90, 40):
        assert tuple(colours[row]) == palette.distinct([3, 7][board.nearest[row]])


def test_without_images_the_map_shows_loudness(project):
    bare = Storyboard(project.corpus)
    np.testing.assert_array_equal(row_colours(bare, "image", []), row_colours(bare, "loudness", []))


def test_colours_of_values_follow_their_order(board):
    loudness = board.corpus.descriptors[:, DESCRIPTORS.index("loudness")]
    colours = row_colours(board, "loudness", [])
    assert tuple(colours[loudness.argmax()]) == tuple(palette.VALUE[-1])
    assert tuple(colours[loudness.argmin()]) == tuple(palette.VALUE[0])
    assert tuple(row_colours(board, "time", [])[0]) == tuple(palette.TIME[0])
    assert (row_colours(board, "sound", []) == palette.distinct(0)).all()


def test_gaps_are_red_where_no_image_is_near(board):
    colours = gap_colours(board)
    assert tuple(colours[10]) == palette.COVERED
    assert tuple(colours[board.farthest()]) == palette.GAP


def test_hidden_rows_are_drawn_first_and_the_most_on_top(board):
    loudness = board.corpus.descriptors[:, DESCRIPTORS.index("loudness")]
    board.filter("loudness", float(np.median(loudness)), float(loudness.max()))
    order = drawing_order(board, "loudness", gaps=False)
    assert sorted(order) == list(range(len(board.places)))
    assert not board.visible[order[0]]
    assert order[-1] == loudness.argmax()
    assert drawing_order(board, "image", gaps=True)[-1] == np.where(board.visible, board.gap, -1).argmax()


def test_the_table_of_the_map(board, project, tmp_path):
    board.filter("loudness", -30, 100)
    count = write_table(tmp_path / "map.csv", project.corpus, board, project.pairs)
    rows = list(csv.DictReader((tmp_path / "map.csv").read_text("utf-8").splitlines()))
    assert len(rows) == count == board.visible.sum()
    assert list(rows[0]) == [*COLUMNS, *DESCRIPTORS]
    number = int(board.visible.nonzero()[0][5])
    assert float(rows[5]["seconds"]) == pytest.approx(board.time_of(number)[1], abs=1e-4)
    assert float(rows[5]["x"]) == pytest.approx(board.places[number][0], abs=1e-5)
    assert float(rows[5]["pitch"]) == pytest.approx(project.corpus.descriptors[number, DESCRIPTORS.index("pitch")])
    assert rows[5]["image"] == project.pairs[board.nearest[number]].name
