"""Undo and redo of everything that changes a preset, as one row of steps."""

import pytest

from shared.errors import SettingError
from shared.preset import Preset, history
from shared.preset.pairs import Pairs
from tests.small import make_preset, write_candidates


def stored(folder):
    preset = Preset.load(folder)
    return (
        Pairs.load(folder / "pairs.safetensors").names,
        preset.candidates.kept,
        (folder / "preset.toml").read_text(),
    )


@pytest.mark.slow
def test_steps_of_every_kind_are_undone_and_redone_in_one_row(tmp_path):
    folder = make_preset(tmp_path / "p")
    write_candidates(folder, 12)
    before, states = Pairs.load(folder / "pairs.safetensors"), [stored(folder)]
    for step in range(105):  # more than a limit of 100 would keep
        preset = Preset.load(folder)
        if step % 3 == 0:
            assert history.save_pairs(folder, before.at([step // 3 % len(before)]))
        elif step % 3 == 1:
            history.save_choice(folder, preset.candidates, frozenset({step % 12, step % 7}))
        else:
            preset.save_controls({"truncation": 0.5 + step / 300})
        states.append(stored(folder))
    for state in states[-2::-1]:
        history.undo(folder)
        assert stored(folder) == state
    with pytest.raises(SettingError, match="nothing to undo"):
        history.undo(folder)
    for state in states[1:]:
        history.redo(folder)
        assert stored(folder) == state
    with pytest.raises(SettingError, match="nothing to redo"):
        history.redo(folder)


def test_a_new_step_ends_redo(tmp_path):
    folder = make_preset(tmp_path / "p")
    write_candidates(folder, 12)
    Preset.load(folder).save_controls({"smoothing": 0.5})
    assert history.undo(folder) == "settings"
    assert history.next_undone(folder) is not None
    history.save_choice(folder, Preset.load(folder).candidates, frozenset({3}))
    assert history.next_undone(folder) is None
    assert history.last(folder).kind == "choice"


def test_a_change_without_effect_is_not_a_step(tmp_path):
    folder = make_preset(tmp_path / "p")
    candidates = write_candidates(folder, 12)
    preset = Preset.load(folder)
    preset.save_controls({"smoothing": preset.controls["smoothing"]})
    assert not history.save_pairs(folder, Pairs.load(folder / "pairs.safetensors"))
    history.save_choice(folder, preset.candidates, candidates.kept)
    assert history.last(folder) is None


def test_a_choice_of_images_that_are_gone_is_undone_for_those_that_are_there(tmp_path):
    folder = make_preset(tmp_path / "p")
    write_candidates(folder, 12)
    history.save_choice(folder, Preset.load(folder).candidates, frozenset({2, 11}))
    history.save_choice(folder, Preset.load(folder).candidates, frozenset({2}))
    write_candidates(folder, 6, kept=(2,))
    history.undo(folder)
    assert Preset.load(folder).candidates.kept == {2}
