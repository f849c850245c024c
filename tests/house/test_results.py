"""The page of measured figures matches its files."""

from benchmarks.tables import PAGE, RESULTS, page, table


def test_committed_page_is_up_to_date():
    files = sorted(RESULTS.glob("*.json"))
    assert files
    assert PAGE.read_text("utf-8") == page(files), "write it anew: python -m benchmarks.tables"


def test_nested_values_get_columns_of_their_own_in_the_order_of_their_row():
    rows = [
        {"network": "T", "full": {"ms": 12345.6}, "half": {"ms": 3}},
        {"network": "R", "full": {"ms": 7, "target_ratio": 2.5}},
    ]
    assert table(rows).splitlines() == [
        "| network | full ms | full target ratio | half ms |",
        "| --- | --- | --- | --- |",
        "| T | 12346 |  | 3 |",
        "| R | 7 | 2.5 |  |",
    ]
