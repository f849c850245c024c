from pathlib import Path

from shared.audio.descriptors import TABLE

DOCS = Path(__file__).parents[2] / "docs" / "descriptors.md"


def test_docs_show_the_table_as_the_program_has_it():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCS.read_text().splitlines()]
    shown = [tuple(row[:3]) for row in rows if len(row) == 4][2:]
    assert shown == [(row.name, row.unit, row.meaning) for row in TABLE]
