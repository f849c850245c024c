import pytest

from benchmarks import descriptors

pytestmark = pytest.mark.slow


def test_figures_are_given_for_every_block_size(monkeypatch, capsys):
    monkeypatch.setattr(descriptors, "HOPS", 8)
    monkeypatch.setattr(descriptors, "BLOCKS", (64, 512, 4096))
    figures = descriptors.run(quick=True)
    assert set(figures["blocks"]) == {64, 512, 4096}
    assert all(0 < block["us_min"] <= block["us_median"] and block["ratio"] > 0 for block in figures["blocks"].values())
    assert figures["met"] == (figures["blocks"][512]["ratio"] <= figures["target_ratio"])
    assert "in blocks of   512" in capsys.readouterr().out
