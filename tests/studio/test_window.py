"""The window, drawn without a screen: effects of pointer and keys on the studio and on files."""

import time
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the studio window needs PySide6")
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDialog, QFileDialog, QLineEdit, QPushButton

from offline.pairing.colouring import drawing_order
from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.context_menu import context_menu
from offline.pairing.window.dragging import IMAGE
from offline.pairing.window.keys import COMMANDS
from offline.pairing.window.main_window import MainWindow
from offline.pairing.window.memory import Memory
from offline.pairing.window.setting_lines import Field, Slider
from shared.controls import aspect_ratio
from shared.preset import Preset
from tests.small import write_generator, write_sound
from tests.studio.parts import make_studio_preset

pytestmark = pytest.mark.slow
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NO_KEY = Qt.KeyboardModifier.NoModifier


@pytest.fixture(scope="module")
def application():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "QT_QPA_PLATFORM", "offscreen"
        )  # read when the application is made; programs of other tests have a screen
        made = QApplication.instance() or QApplication(["studio"])
    theme.dress(made)
    return made


@pytest.fixture
def window(application, tmp_path, monkeypatch):
    monkeypatch.setattr("offline.pairing.envelope.CACHE", tmp_path / "cache")
    monkeypatch.setattr("offline.pairing.window.memory.FILE", tmp_path / "state" / "studio.json")
    made = MainWindow(Studio(), Memory(hints_seen=True))
    made.resize(1280, 720)
    made.show()
    yield made
    if not made.isHidden():
        made.close()


@pytest.fixture
def opened(window, tmp_path):
    """The window with a preset: 2 s of sound, twelve candidates, three pairs."""
    folder = make_studio_preset(tmp_path / "piece")
    window.open_preset(str(folder))
    window.studio.jobs.train_on_drop = False
    for number, row in enumerate((5, 60, 120)):
        window.studio.project.place_on(f"seed{number}", row)
    live(window)
    return window


def live(window, condition=lambda: True, seconds=200.0):
    """Run the window until a condition holds, and for at least a few turns of its event loop."""
    deadline = time.monotonic() + seconds
    turns = 0
    while turns < 4 or not condition():
        assert time.monotonic() < deadline
        QApplication.processEvents()
        window.follow()
        turns += 1
        time.sleep(0.005)


def on_disk(window):
    return Preset.load(window.studio.project.preset.folder).pairs


def pixel(window, row):
    """The pixel of a row on the map."""
    return QPoint(*(round(value) for value in window.map.plane.to_view(window.studio.board.place_of(row))))


def free_row(window):
    """A row that no image covers."""
    board = window.studio.board
    return next(r for r in range(len(board.places)) if window.map.image_at(QPointF(pixel(window, r))) is None)


def drop(view, place, *, image="", files=()):
    data = QMimeData()
    if image:
        data.setData(IMAGE, image.encode())
    if files:
        data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    view.dropEvent(QDropEvent(QPointF(place), Qt.DropAction.CopyAction, data, LEFT, NO_KEY))


def wheel(view, place, notches):
    there = QPointF(place)
    event = QWheelEvent(
        there, QPointF(view.mapToGlobal(place)), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, NO_KEY,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    view.wheelEvent(event)


def click(window, name):
    button = window.findChild(QPushButton, name)
    assert button is not None
    QTest.mouseClick(button, LEFT)


# hearing


def test_the_left_button_hears_the_nearest_moment_until_it_is_let_go(opened):
    row = free_row(opened)
    QTest.mousePress(opened.map, LEFT, pos=pixel(opened, row))
    sound, seconds = opened.studio.board.time_of(
        opened.studio.board.row_at(*opened.map.plane.to_map(pixel(opened, row).toTuple()))
    )
    assert opened.studio.transport.state == "scrubbing"
    live(opened, lambda: abs(opened.studio.transport.seconds - seconds) < 0.05)
    QTest.mouseRelease(opened.map, LEFT, pos=pixel(opened, row))
    assert opened.studio.transport.state == "stopped"
    assert opened.studio.transport.sound == sound


def test_the_waveform_is_scrubbed_too_and_its_ruler_makes_a_region(opened):
    wave = opened.wave
    QTest.mousePress(wave, LEFT, pos=QPoint(wave.width() // 2, 60))
    live(opened, lambda: abs(opened.studio.transport.seconds - wave.span.length / 2) < 0.05)
    QTest.mouseRelease(wave, LEFT, pos=QPoint(wave.width() // 2, 60))
    assert opened.studio.transport.state == "stopped"
    QTest.mousePress(wave, LEFT, pos=QPoint(100, 5))
    QTest.mouseMove(wave, QPoint(400, 5))
    QTest.mouseRelease(wave, LEFT, pos=QPoint(400, 5))
    assert opened.look.region == pytest.approx((wave.span.seconds(100), wave.span.seconds(400)))
    opened.commands.loop()
    assert opened.studio.transport.loop == pytest.approx(opened.look.region)
    opened.commands.no_region()
    assert opened.studio.transport.loop == (0, pytest.approx(opened.studio.transport.length))


def test_playing_moves_the_playhead_on_map_and_waveform(opened):
    opened.commands.play()
    live(opened, lambda: opened.studio.transport.seconds > 0.2)
    assert opened.map.row > 0
    assert opened.actions_by_name["play"].isChecked()
    opened.commands.play()
    assert opened.studio.transport.state == "stopped"
    live(opened)
    assert opened.map.row == opened.studio.row


def test_a_pair_in_the_list_takes_the_playhead_there(opened):
    table = opened.pairs.table
    rect = table.visualItemRect(table.item(1, 0))
    QTest.mouseClick(table.viewport(), LEFT, pos=rect.center())
    live(opened)
    name = table.item(1, 0).text()
    pair = next(pair for pair in opened.studio.project.pairs if pair.name == name)
    assert opened.look.selected == name
    assert opened.studio.transport.seconds == pytest.approx(opened.studio.board.time_of(pair.row)[1], abs=0.01)


# placing


def test_a_placed_image_is_dragged_selected_and_removed(opened):
    mark = opened.map.marks[0]
    start, end = QPoint(*map(round, opened.map.plane.to_view(mark.place))), QPoint(300, 200)
    QTest.mousePress(opened.map, LEFT, pos=start)
    QTest.mouseMove(opened.map, end - QPoint(20, 20))
    QTest.mouseMove(opened.map, end)
    assert opened.map.dragged == opened.map.image_at(QPointF(start)).pair.name
    name = opened.map.dragged
    QTest.mouseRelease(opened.map, LEFT, pos=end)
    live(opened)
    pairs = on_disk(opened)
    place = pairs.positions[pairs.names.index(name)]
    wanted = np.clip(opened.map.plane.to_map(end.toTuple()), 0, 1)
    np.testing.assert_allclose(place, wanted, atol=1e-6)
    assert opened.look.selected == name
    opened.commands.remove()
    live(opened)
    assert name not in on_disk(opened).names
    assert opened.look.selected == ""
    opened.commands.undo()
    live(opened)
    assert name in on_disk(opened).names
    opened.commands.redo()
    live(opened)
    assert name not in on_disk(opened).names


def test_a_candidate_is_dropped_on_the_map_and_on_the_waveform(opened):
    row = free_row(opened)
    drop(opened.map, pixel(opened, row), image="seed7")
    drop(opened.wave, QPoint(opened.wave.width() // 2, 60), image="seed8")
    live(opened)
    pairs = {pair.name: pair for pair in opened.studio.project.pairs}
    assert set(on_disk(opened).names) == {"seed0", "seed1", "seed2", "seed7", "seed8"}
    there = opened.map.plane.to_map(pixel(opened, row).toTuple())
    assert pairs["seed7"].row == opened.studio.board.row_at(*there)
    assert pairs["seed8"].row == opened.studio.board.row_of(0, opened.wave.span.seconds(opened.wave.width() // 2))
    assert opened.map.dragged == ""
    assert opened.studio.transport.state == "stopped"


def test_on_other_axes_an_image_is_paired_with_the_nearest_row_there(opened):
    opened.map_bar.axis_x.setCurrentText("pitch")
    opened.map_bar.axis_x.textActivated.emit("pitch")
    assert opened.studio.board.axes[0] == "pitch"
    assert "map" not in opened.studio.board.axes
    row = free_row(opened)
    drop(opened.map, pixel(opened, row), image="seed9")
    live(opened)
    pair = next(pair for pair in opened.studio.project.pairs if pair.name == "seed9")
    assert pair.row == opened.studio.board.row_at(*opened.map.plane.to_map(pixel(opened, row).toTuple()))
    opened.map_bar.axis_y.setCurrentText("map")
    opened.map_bar.axis_y.textActivated.emit("map")
    assert opened.studio.board.axes == ("map", "map")


def test_the_right_buttons_menu_pairs_stars_and_removes(opened):
    project = opened.studio.project
    entries = {action.text(): action for action in context_menu(opened, project, "seed4").actions()}
    entries["Choose image"].trigger()
    entries["Pair with the playhead"].trigger()
    live(opened)
    assert project.is_starred("seed4")
    pair = next(pair for pair in project.pairs if pair.name == "seed4")
    assert pair.row == opened.studio.board.row_of(0, 0.0)
    entries = {action.text(): action for action in context_menu(opened, project, "seed4").actions()}
    entries["More like this"].trigger()
    assert opened.tray.model.names[0] == "seed4"
    entries["Remove image"].trigger()
    live(opened)
    assert "seed4" not in on_disk(opened).names
    assert "Show all" in {action.text() for action in context_menu(opened, project, "").actions()}


def test_files_from_outside(opened, tmp_path):
    drop(opened, QPoint(5, 5), files=[tmp_path / "holiday.JPG"])
    assert "need a latent" in opened.notice.line or "needs a latent" in opened.notice.line
    opened.notice.hide()
    (tmp_path / "notes.txt").write_text("no sound")
    drop(opened, QPoint(5, 5), files=[tmp_path / "notes.txt"])
    live(opened, lambda: opened.notice.line != "")
    assert "notes.txt" in opened.notice.line
    other = make_studio_preset(tmp_path / "other")
    drop(opened, QPoint(5, 5), files=[other])
    live(opened)
    assert opened.studio.project.preset.name == "other"


# looking


def test_the_wheel_zooms_at_the_pointer_and_the_right_button_pans(opened):
    view, place = opened.map, QPoint(400, 250)
    before = view.plane.to_map(place.toTuple())
    wheel(view, place, 3)
    assert view.plane.zoom > 1.5
    assert view.plane.to_map(place.toTuple()) == pytest.approx(before)
    QTest.mousePress(view, RIGHT, pos=place)
    QTest.mouseMove(view, place + QPoint(15, 5))
    QTest.mouseMove(view, place + QPoint(60, 20))
    QTest.mouseRelease(view, RIGHT, pos=place + QPoint(60, 20))
    assert view.plane.to_map((460, 270)) == pytest.approx(before, abs=0.01)
    opened.commands.fit()
    assert view.plane.zoom == 1


def test_panning_redraws_the_points_only_when_it_has_settled(opened):
    opened.map.repaint()
    drawn = opened.map.points.drawn
    for _ in range(10):
        opened.map.set_plane(opened.map.plane.panned(4, 2))
        opened.map.repaint()
    assert opened.map.points.drawn == drawn
    live(opened, lambda: opened.map.points.drawn == drawn + 1)


def test_hovering_describes_the_moment(opened):
    row = free_row(opened)
    opened.map.describe(QPointF(pixel(opened, row)))
    assert opened.map.card[0][0].startswith("a  0:0")
    mark = opened.map.marks[1]
    opened.map.describe(QPointF(*opened.map.plane.to_view(mark.place)))
    assert opened.map.card[0][0].startswith(opened.map.hovered)
    opened.map.forget_pointer()
    assert opened.map.card == []


def test_two_images_at_one_moment_are_warned_of(opened):
    opened.studio.project.place_on("seed5", 60)
    live(opened)
    texts = [opened.pairs.table.item(number, 0).text() for number in range(4)]
    assert sorted(text for text in texts if text.startswith("⚠")) == ["⚠ seed1", "⚠ seed5"]


def test_an_idle_window_paints_nothing(opened):
    opened.studio.jobs.train_on_drop = False
    live(opened, lambda: not opened.studio.jobs.running)
    live(opened, lambda: opened.map.points.fits(opened.map.plane, 1.0))
    opened.studio.project.flush()
    QTest.qWait(300)
    before = opened.map.painted, opened.film.picture.painted, opened.ticks
    QTest.qWait(700)
    after = opened.map.painted, opened.film.picture.painted, opened.ticks
    assert after[:2] == before[:2]
    assert after[2] > before[2]


def test_the_map_is_drawn_in_the_colours_of_its_images(opened):
    opened.look.change(colour="image", shows_images=False)
    live(opened)
    shot = opened.map.grab().toImage()
    order = drawing_order(opened.studio.board, "image", gaps=False)
    row = int(next(row for row in reversed(order) if row != opened.map.row))  # nothing lies on top of it
    colour = shot.pixelColor(pixel(opened, row))
    name = opened.studio.project.pairs[int(opened.studio.board.nearest[row])].name
    wanted = opened.look.colour_of(name)
    assert max(abs(a - b) for a, b in zip(colour.toTuple()[:3], wanted, strict=True)) < 60


def test_the_tray_shows_all_chosen_free_and_similar(opened):
    tray = opened.tray
    assert len(tray.model.names) == 12
    opened.studio.project.star(["seed3", "seed4"], True)
    live(opened)
    click(opened, "tray-chosen")
    assert tray.model.names == ["seed3", "seed4"]
    click(opened, "tray-free")
    assert set(tray.model.names) == {f"seed{number}" for number in range(3, 12)}
    opened.look.change(selected="seed1")
    opened.commands.similar()
    assert tray.model.names[0] == "seed1"
    assert len(tray.model.names) == 12


def test_a_filter_hides_moments_and_is_shown(opened):
    box = opened.map_bar.filter
    box.descriptor.setCurrentText("loudness")
    box.descriptor.textActivated.emit("loudness")
    low, high = opened.studio.board.range_of("loudness")
    box.low.setValue((low + high) / 2)
    assert 0 < opened.studio.board.visible.sum() < len(opened.studio.board.places)
    assert box.text().startswith("Filter on")
    box.reset()
    assert opened.studio.board.visible.all()


# settings, film, files


def test_a_slider_acts_at_once_and_is_saved(opened):
    opened.tabs.setCurrentWidget(opened.settings)
    slider = opened.settings.findChild(Slider, "setting-truncation")
    slider.setValue(slider.maximum() // 2)
    assert opened.studio.project.settings["truncation"] == pytest.approx(0.5, abs=0.01)
    folder = opened.studio.project.preset.folder
    live(opened, lambda: abs(Preset.load(folder).controls["truncation"] - 0.5) < 0.01)
    opened.commands.undo()
    live(opened, lambda: Preset.load(folder).controls["truncation"] == 1.0)
    assert slider.value() == round(2 / 3 * slider.maximum())


def test_a_regressor_is_chosen_learned_and_undone(opened):
    project, panel = opened.studio.project, opened.motion
    opened.studio.jobs.train()
    live(opened, lambda: project.is_trained and not opened.studio.jobs.running)
    opened.commands.motion()
    assert opened.tabs.currentWidget() is panel
    assert opened.actions_by_name["motion"].isChecked()
    width = panel.findChild(Slider, "setting-training/width")
    layers = panel.findChild(QLineEdit, "setting-training/layers")
    assert not width.isVisibleTo(panel)
    assert layers.isVisibleTo(panel)
    choose(panel, "setting-training/regressor", "rbf")
    live(opened, lambda: project.preset.mapping.regressor.name == "rbf" and not opened.studio.jobs.running)
    assert width.isVisibleTo(panel)
    assert not layers.isVisibleTo(panel)
    assert "meets every pair" in panel.state.text()
    opened.commands.undo()
    live(opened, lambda: project.preset.mapping.regressor.name == "mlp" and not opened.studio.jobs.running)
    layers.setText("12, 8")
    layers.editingFinished.emit()
    live(opened, lambda: project.preset.mapping.regressor.sizes[1:3] == (12, 8) and not opened.studio.jobs.running)
    layers.setText("none")
    layers.editingFinished.emit()
    live(opened, lambda: "Layers = (0,) given" in opened.notice.line)
    assert project.training.layers == (12, 8)


def test_small_values_are_shown_typed_and_set_by_a_slider(opened):
    project, panel = opened.studio.project, opened.motion
    project.set_training("weight_decay", 0.0004)
    project.set_training("alpha", 0.001)
    live(opened)
    weight_decay, alpha, power, penalty = (
        panel.findChild(Field, f"number-training/{name}") for name in ("weight_decay", "alpha", "power", "penalty")
    )
    assert weight_decay.value() == 0.0004
    assert alpha.value() == alpha.minimum() == power.minimum() == 0.001
    penalty.setValue(0.0002)
    assert project.training.penalty == 0.0002
    slider = panel.findChild(Slider, "setting-training/weight_decay")
    slider.setValue(7)
    assert project.training.weight_decay == 0.0007


def test_a_motion_is_chosen_changed_and_saved(opened):
    project, panel = opened.studio.project, opened.motion
    opened.tabs.setCurrentWidget(panel)
    folder = project.preset.folder
    assert panel.motion.currentText() == "as published"
    settle = panel.findChild(Slider, "setting-settle")
    assert not settle.isVisibleTo(panel)
    choose(panel, "motion-variant", "calm")
    live(opened, lambda: Preset.load(folder).controls["pace"] == 8.0)
    assert settle.isVisibleTo(panel)
    choose(panel, "setting-kernel", "one-euro")
    live(opened, lambda: Preset.load(folder).controls["kernel"] == "one-euro")
    assert panel.motion.currentText() == "own"
    choose(panel, "motion-variant", "calm")
    choose(panel, "motion-variant", "own")
    assert panel.motion.currentText() == "calm"  # `own` is no variant to set
    opened.commands.undo()
    live(opened, lambda: Preset.load(folder).controls["kernel"] == "one-euro")
    assert panel.findChild(Slider, "setting-cutoff").isVisibleTo(panel)
    assert not panel.findChild(Slider, "setting-smoothing").isVisibleTo(panel)
    opened.commands.undo()
    opened.commands.undo()
    live(opened)
    assert panel.motion.currentText() == "as published"
    assert Preset.load(folder).controls["pace"] == 0.0


def choose(panel, name, text):
    """Choose an entry of a list as a click does."""
    box = panel.findChild(QComboBox, name)
    box.setCurrentText(text)
    box.textActivated.emit(text)


def test_training_on_drop_and_the_generators_film(opened):
    opened.studio.jobs.train_on_drop = True
    drop(opened.map, pixel(opened, free_row(opened)), image="seed6")
    live(opened, lambda: opened.studio.project.is_trained)
    live(opened, lambda: all(pair.loss is not None for pair in opened.studio.project.pairs))
    assert "4 pairs learned" in opened.pairs.line.toolTip() or "4 pairs" in opened.pairs.line.text()
    opened.commands.both()
    live(opened, lambda: (shown := opened.studio.film.generated()) is not None and not shown.stands_in)
    painted = opened.film.picture.painted
    opened.studio.transport.seek(0, 1.0)
    live(opened, lambda: opened.film.picture.painted > painted)


def test_the_film_takes_a_shape_and_remembers_it(opened, tmp_path):
    square = opened.studio.film.mockup().image.shape
    assert square[0] == square[1]
    for command, shape in (("shape_wide", "16:9"), ("shape_tall", "9:16"), ("shape_wall", "4:1")):
        opened.actions_by_name[command].trigger()
        assert opened.actions_by_name[command].isChecked()
        assert not opened.actions_by_name["shape_square"].isChecked()
        assert opened.film.shape.currentText() == opened.studio.film.shape == shape
        live(opened, lambda: opened.studio.film.mockup().image.shape != square)
        painted = opened.film.picture.painted
        live(opened, lambda painted=painted: opened.film.picture.painted >= painted)
    opened.close()
    assert Memory.load(tmp_path / "state" / "studio.json").shape == "4:1"


def test_the_shape_of_the_pane_is_followed(opened):
    opened.film.shape.setCurrentText("window")
    opened.film.shape.textActivated.emit("window")
    view = opened.film.picture
    wanted = Fraction(view.width(), view.height())
    assert aspect_ratio(opened.studio.film.shape) == pytest.approx(wanted, rel=0.01)
    opened.commands.detach()
    film = opened.film.window_of_film
    film.resize(600, 200)
    live(opened, lambda: aspect_ratio(opened.studio.film.shape) == pytest.approx(3, rel=0.02))
    film.close()
    live(opened, lambda: aspect_ratio(opened.studio.film.shape) == pytest.approx(float(wanted), rel=0.02))


def test_a_show_and_a_region_are_started_in_the_films_shape(opened, monkeypatch, tmp_path):
    """The commands themselves run in test_studio.py and test_window_screen.py."""
    started = []
    monkeypatch.setattr(opened.studio.jobs, "play_live", started.append)
    monkeypatch.setattr(opened.studio.jobs, "render", lambda *values: started.append(values))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "film.mp4"), ""))
    opened.commands.shape_wide()
    opened.look.change(region=(0.5, 1.0))
    opened.commands.render()
    opened.commands.shape_window()
    opened.commands.live()
    assert started == [(0, 0.5, 1.0, tmp_path / "film.mp4", "16:9"), "window"]


def test_the_film_has_its_own_window_and_comes_back(opened):
    opened.commands.detach()
    film = opened.film.window_of_film
    assert film is not None
    assert opened.film.picture.window() is film
    opened.commands.fullscreen()
    assert film.isFullScreen()
    opened.commands.stop()
    assert not film.isFullScreen()
    film.close()
    assert opened.film.window_of_film is None
    assert opened.film.picture.window() is opened


def test_a_sound_file_that_is_gone_is_pointed_to(opened, tmp_path, monkeypatch):
    folder = opened.studio.project.preset.folder
    (folder / "sounds" / "a.wav").rename(tmp_path / "moved.wav")
    opened.open_preset(str(folder))
    live(opened, lambda: "missing" in opened.notice.line)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "moved.wav"), ""))
    click(opened, "mend")
    live(opened)
    assert opened.studio.missing == [] or all(each.kind != "sound" for each in opened.studio.missing)


def test_the_map_is_exported_as_a_table_and_as_a_picture(opened, tmp_path, monkeypatch):
    for name in ("map.csv", "map.png"):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, name=name: (str(tmp_path / name), ""))
        opened.commands.export()
        assert (tmp_path / name).stat().st_size > 1000
        assert name in opened.notice.line


def test_new_in_a_dialog_from_a_generator_file(window, tmp_path):
    write_generator(tmp_path / "generator.safetensors")
    window.take_files([tmp_path / "generator.safetensors"])
    dialog = window.findChild(QDialog, "new-dialog")
    dialog.findChild(QLineEdit, "new-name").clear()
    click(dialog, "new-create")
    assert dialog.isVisible()
    dialog.findChild(QLineEdit, "new-place").setText(str(tmp_path))
    QTest.keyClicks(dialog.findChild(QLineEdit, "new-name"), "mine")
    click(dialog, "new-create")
    live(window, lambda: window.studio.project is not None)
    assert (tmp_path / "mine" / "preset.toml").is_file()
    assert window.pages.currentIndex() == 1
    assert window.memory.recent == [str(tmp_path / "mine")]


def test_new_by_one_click_makes_the_proposed_folder(window, tmp_path, monkeypatch):
    for module in ("jobs", "window.dialogs"):
        monkeypatch.setattr(f"offline.pairing.{module}.OWN", tmp_path / "Documents" / "Ponticello")
    for name in ("my-piece", "my-piece-2"):
        window.commands.new()
        click(window.findChildren(QDialog, "new-dialog")[-1], "new-create")
        folder = tmp_path / "Documents" / "Ponticello" / name
        live(window, lambda folder=folder: window.studio.project and window.studio.project.preset.folder == folder)


def test_errors_appear_in_the_bar_with_advice(window, tmp_path):
    window.open_preset(str(tmp_path / "nothing"))
    live(window, lambda: window.notice.line != "")
    assert "no preset" in window.notice.line.lower()
    click(window, "dismiss")
    assert window.notice.line == ""
    window.take_files([write_sound(tmp_path / "a.wav", 1.0)])
    assert "preset first" in window.notice.line


def test_hints_go_away_one_by_one(window, tmp_path):
    window.memory.hints_seen = False
    window.open_preset(str(make_studio_preset(tmp_path / "p")))
    live(window)
    assert window.hints.open == ["hear", "zoom", "place", "play", "keys"]
    window.commands.play()
    window.commands.stop()
    assert "play" not in window.hints.open
    for name in ("hear", "zoom", "place", "keys"):
        window.hints.done(name)
    assert not window.hints.isVisible()
    assert window.memory.hints_seen


@pytest.mark.parametrize("with_preset", [False, True])
def test_every_command_may_be_given_at_any_time(window, tmp_path, monkeypatch, with_preset):
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: ("", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    if with_preset:
        window.open_preset(str(make_studio_preset(tmp_path / "p")))
        window.studio.jobs.train_on_drop = False
    live(window)
    for command in COMMANDS:
        if command.name != "quit":
            window.actions_by_name[command.name].trigger()
            live(window)
    for dialog in window.findChildren(QDialog):
        dialog.reject()
    live(window, lambda: not window.studio.jobs.running)


def test_closing_asks_nothing_and_loses_nothing(opened):
    folder = opened.studio.project.preset.folder
    opened.studio.project.set("truncation", 0.6)
    opened.studio.project.place_on("seed10", 30)
    assert opened.close()
    preset = Preset.load(folder)
    assert preset.controls["truncation"] == 0.6
    assert "seed10" in preset.pairs.names
    assert Memory.load().recent == [str(folder)]
