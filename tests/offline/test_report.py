"""Reports: one HTML file that needs nothing else, and the same numbers as CSV."""

import base64
import csv
import io
import re

import numpy as np
import pytest
from PIL import Image

from offline.laboratory.page import Page, strip
from offline.laboratory.plots import new_plot
from offline.laboratory.table import Column, Table, written


@pytest.fixture
def table():
    columns = (
        Column("name"),
        Column("error", "dB", "low", help="Less <is> more."),
        Column("speed", best="high"),
        Column("picture"),
    )
    image = np.full((8, 8, 3), 200, np.uint8)
    return Table(columns, (("a & b", 1.23456, 3, image), ("c", 0.5, 7, None), ("d", float("nan"), 7, None)))


def test_the_page_is_one_file_without_links(table, tmp_path):
    page = Page("A <title>")
    page.heading("One")
    page.text("5 < 6")
    page.table(table)
    page.picture(np.zeros((4, 6, 3), np.uint8), "black")
    figure, (axes,) = new_plot()
    axes.plot([0, 1], [1, 0])
    page.plot(figure)
    page.write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "<h1>A &lt;title&gt;</h1>" in text
    assert "5 &lt; 6" in text
    assert "Less &lt;is&gt; more." in text
    sources = re.findall(r'src="([^"]*)"', text)
    assert len(sources) == 3
    assert all(source.startswith("data:image/") for source in sources)
    assert "http" not in text
    for source, size in zip(sources, [(8, 8), (6, 4), None], strict=True):
        with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
            assert size in (None, image.size)


def test_a_film_too_large_for_a_page_stays_beside_it(tmp_path, monkeypatch):
    film = tmp_path / "an evening.mp4"
    film.write_bytes(b"film" * 20)
    for largest, source in ((100, "data:video/mp4;base64,ZmlsbW"), (50, "an%20evening.mp4")):
        monkeypatch.setattr("offline.laboratory.page.LARGEST_FILM", largest)
        page = Page("")
        page.film(film)
        page.write(tmp_path / "page.html")
        text = (tmp_path / "page.html").read_text("utf-8")
        assert f'src="{source}' in text
        assert ("keep it beside this page" in text) == (largest == 50)


def test_large_numbers_have_no_exponent():
    column = Column("delay")
    assert [written(number, column) for number in (1.6604e3, 61.71, 0.0412, 3.2e9)] == [
        "1660",
        "61.7",
        "0.0412",
        "3.2e+09",
    ]


def test_the_best_number_of_a_column_is_marked(table, tmp_path):
    page = Page("")
    page.table(table)
    page.write(tmp_path / "page.html")
    best = re.findall(r'<td class="best">(.*?)</td>', (tmp_path / "page.html").read_text("utf-8"))
    assert best == ["0.5", "7"]


def test_csv_has_full_numbers_and_no_images(table, tmp_path):
    table.write_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["name", "error (dB)", "speed"],
            ["a & b", "1.23456", "3"],
            ["c", "0.5", "7"],
            ["d", "nan", "7"],
        ]


def test_text_is_aligned(table):
    assert table.lines([0, 1]) == ["name   error", "a & b   1.23", "c        0.5", "d        nan"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 cells"):
        Table((Column("a"),), ((1, 2),))


def test_a_strip_has_all_pictures():
    images = [np.full((4, 4, 3), 10 * i, np.uint8) for i in range(3)]
    made = strip(images)
    assert made.shape == (4, 16, 3)
    assert made[0, [0, 4, 6, 12], 0].tolist() == [0, 0, 10, 20]
