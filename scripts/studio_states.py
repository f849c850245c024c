"""Draws the studio window in typical states without a screen, for the handbook and for review.

scripts/screenshots                                   docs/studio.png, docs/studio-start.png
scripts/screenshots --all FOLDER [--size 1920x1080] [--scale 1.5] [--long PRESET]
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offline.pairing.window.main_window import MainWindow

ROOT = Path(__file__).resolve().parent.parent
BITS = 6  # levels of each colour of a PNG in docs/: invisible, and saves a third of the size
KEEP = 60.0  # seconds that a state may take to appear
MOMENT_S = 9.8  # of the shipped sound: where the playhead stands
State = Callable[["Stage"], None]


class Stage:
    """A window without a screen, and copies of the shipped preset to show in it."""

    def __init__(self, folder: Path, size: tuple[int, int], long: Path | None, images: Path | None) -> None:
        from PySide6.QtWidgets import QApplication

        from offline.pairing.studio import Studio
        from offline.pairing.window import theme
        from offline.pairing.window.main_window import MainWindow
        from offline.pairing.window.memory import Memory

        self.folder, self.long, self.images = folder, long, images
        self.application: QApplication = QApplication(sys.argv[:1])
        theme.dress(self.application)
        self.studio = Studio()
        self.window: MainWindow = MainWindow(self.studio, Memory(hints_seen=True))
        self.window.resize(*size)
        self.window.show()
        self.wait(KEEP, lambda: self.studio.transport.silent != "opening the sound card")

    def wait(self, seconds: float = 0.3, until: Callable[[], bool] = lambda: False) -> None:
        """Run the window for a while, or until a condition holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self.application.processEvents()
            time.sleep(0.005)

    def open(self, name: str, *, without: tuple[str, ...] = ()) -> None:
        """Open a copy of glass, without some of its files."""
        copy = self.folder / name
        if not copy.exists():
            shutil.copytree(ROOT / "presets" / "glass", copy, ignore=shutil.ignore_patterns("make", *without))
            if "candidates.safetensors" not in without:
                shutil.copytree(painted_images(self.folder, self.images), copy / "images", dirs_exist_ok=True)
        self.window.open_preset(str(copy))
        self.wait(2.5)
        self.window.notice.hide()

    def go_to(self, seconds: float = MOMENT_S, sound: int = 0) -> None:
        """Move the playhead."""
        self.studio.transport.seek(sound, seconds)
        self.window.follow_now()
        self.wait()


def painted_images(folder: Path, made: Path | None) -> Path:
    """The images of glass, which it ships without; made once, in half a minute or more, unless they are given."""
    if made is not None:
        return made
    from offline.candidates.drawing import draw_candidates
    from shared.preset import Preset

    maker = folder / "maker"
    if not maker.exists():
        shutil.copytree(ROOT / "presets" / "glass", maker, ignore=shutil.ignore_patterns("make"))
        preset = Preset.load(maker)
        draw_candidates(preset, preset.candidates.draw)
    return maker / "images"


# the states


def start(stage: Stage) -> None:
    """A preset with a generator and nothing else."""
    stage.open("my-piece", without=("corpus*", "candidates*", "pairs*", "mapping*", "sounds"))


def one_sound(stage: Stage) -> None:
    """A sound on the map, no image yet."""
    stage.open("one-sound", without=("pairs*", "mapping*"))
    stage.window.look.change(colour="loudness")
    stage.go_to()


def pairs(stage: Stage) -> None:
    """17 pairs, an image selected."""
    stage.open("glass")
    stage.window.look.change(colour="image")
    stage.go_to()
    stage.window.look.change(selected=stage.studio.project.pairs[4].name)  # type: ignore[union-attr]
    stage.wait()


def playing(stage: Stage) -> None:
    """The sound plays; mock-up and generator side by side, in 16:9."""
    stage.open("glass")
    stage.window.look.change(colour="image", source="both", shape="16:9", region=(8.2, 12.4), loops=True)
    stage.go_to(8.4)
    stage.studio.transport.play()
    stage.window.wake()
    film = stage.studio.film

    def is_made() -> bool:
        shown = film.generated()
        mockup = film.mockup()
        is_wide = mockup is not None and mockup.image is not None and mockup.image.shape[0] < mockup.image.shape[1]
        is_drawn = shown is not None and not shown.stands_in and is_wide
        return is_drawn and MOMENT_S < stage.studio.transport.seconds < MOMENT_S + 0.5

    transport = stage.studio.transport
    transport.speed = 0.5  # so that the generator keeps up on a busy machine; the region repeats until it does
    stage.wait(KEEP, is_made)
    transport.speed = 1.0
    stage.window.film.follow()


def gaps(stage: Stage) -> None:
    """Gaps are shaded, the pointer describes a moment."""
    from PySide6.QtCore import QPointF

    stage.open("glass")
    stage.window.look.change(shows_gaps=True, colour="loudness")
    stage.go_to()
    board = stage.studio.board
    if board is not None:
        stage.window.map.describe(QPointF(*stage.window.map.plane.to_view(board.place_of(700))))
    stage.wait()


def conflict(stage: Stage) -> None:
    """Two images at one place, one of them under the pointer."""
    from PySide6.QtCore import QPointF

    stage.open("conflict")
    project = stage.studio.project
    if project is None:
        return
    stage.studio.jobs.train_on_drop = False
    board = stage.studio.board
    if board is None:
        return
    first = project.pairs[3]
    sound, seconds = board.time_of(first.row)
    project.place_at("seed3", sound, seconds)
    project.place("seed5", 0.97, 0.04)
    stage.wait(0.6)
    stage.window.map.describe(QPointF(*stage.window.map.plane.to_view((project.pairs[-2].x, project.pairs[-2].y))))
    stage.wait()


def error(stage: Stage) -> None:
    """A missing sound file."""
    stage.open("error")
    for file in (stage.folder / "error" / "sounds").iterdir():
        file.unlink()
    stage.window.open_preset(str(stage.folder / "error"))
    stage.wait(2.5)


def training(stage: Stage) -> None:
    """Candidates are made and the pairs are trained."""
    stage.open("training")
    stage.studio.jobs.make_candidates(200)
    stage.wait(6, lambda: any(job.done > 3 for job in stage.studio.jobs.running))
    stage.studio.jobs.train()
    stage.wait(0.25)


def sliders(stage: Stage) -> None:
    """The sliders of the preset."""
    stage.open("glass")
    stage.window.tabs.setCurrentWidget(stage.window.settings)
    stage.go_to()


def motion(stage: Stage) -> None:
    """The motion: regressor, smoothing and followers."""
    stage.open("glass")
    stage.window.tabs.setCurrentWidget(stage.window.motion)
    stage.go_to()


def long_sound(stage: Stage) -> None:
    """Many minutes of sound."""
    if stage.long is None:
        return
    stage.window.open_preset(str(stage.long))
    stage.wait(5)
    stage.window.notice.hide()
    stage.go_to(47.0, 1)


def hints(stage: Stage) -> None:
    """The first start."""
    stage.open("glass")
    stage.window.hints.begin()
    stage.go_to()


STATES: tuple[State, ...] = (
    start, one_sound, long_sound, pairs, conflict, error, playing, gaps, motion, sliders, hints, training,
)  # fmt: skip
DOCUMENTED: dict[str, State] = {"studio.png": playing, "studio-start.png": start}


def save_small(window: "MainWindow", path: Path) -> None:
    """A PNG of the window, as small as documentation needs."""
    from PIL import Image, ImageOps

    window.grab().save(str(path))
    with Image.open(path) as whole:
        small = ImageOps.posterize(whole.convert("RGB"), BITS)
    small.save(path, optimize=True)


@contextmanager
def quiet_home() -> Iterator[Path]:
    """A folder for copies and for the window's memory, so that the user's files are not touched."""
    with tempfile.TemporaryDirectory(prefix="studio-states-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        yield Path(folder)


def main() -> None:
    """Draw the documented states, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=Path, help="draw every state into this folder")
    parser.add_argument("--only", help="names of states, with commas between them")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--scale", default="1")
    parser.add_argument("--images", type=Path, help="the images of glass, if they exist already")
    parser.add_argument("--long", type=Path, help="a preset with many minutes of sound")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ["QT_SCALE_FACTOR"] = given.scale
    sys.path.insert(0, str(ROOT))
    from benchmarks.studio import sound_card

    with quiet_home() as folder, sound_card():
        stage = Stage(folder, (width, height), given.long, given.images)
        if given.all is None:
            for name, state in DOCUMENTED.items():
                state(stage)
                save_small(stage.window, ROOT / "docs" / name)
                print(f"docs/{name}: {(ROOT / 'docs' / name).stat().st_size // 1000} kB")
        else:
            given.all.mkdir(parents=True, exist_ok=True)
            for state in STATES:
                if given.only is None or state.__name__ in given.only.split(","):
                    state(stage)
                    stage.window.grab().save(str(given.all / f"{state.__name__}.png"))
                    print(given.all / f"{state.__name__}.png", flush=True)
                    stage.studio.transport.stop()
                    stage.window.look.change(shows_gaps=False, source="mock-up", shape="square", loops=False)
                    stage.window.hints.hide()
                    stage.window.tabs.setCurrentWidget(stage.window.pairs)
        stage.window.close()


if __name__ == "__main__":
    main()
