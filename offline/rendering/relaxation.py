"""The flow constraint of the studio: where pictures jump instead of flowing, the path of the latent vector is relaxed.

The optical flow from each picture to the next tells what moved; what it cannot explain, its residue, is what jumped. The path
is relaxed over the neighbouring ticks there. That takes all pictures twice, and a look ahead: films only, without delay.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from offline.pictures import thumbnail
from offline.progress import progress
from offline.rendering.material import Material
from offline.video.soundtrack import Soundtrack
from shared.atomic import make_folder
from shared.errors import UserError
from shared.painter import Painter
from shared.picture import Picture
from shared.pipeline import Tick

SIDE = 128  # pixels of the pictures whose flow is measured
REACH = 4  # ticks on either side of a jump over which the path is relaxed
SAVED_EVERY = 50  # pictures: what an interruption costs at most

Image = UInt8[np.ndarray, "h w 3"]


def flow_residue(before: Image, after: Image) -> float:
    """Mean difference in grey levels that is left when a picture is warped onto the next one by its optical flow.

    Dense inverse search (Kroeger et al., ECCV 2016) as OpenCV has it. Raises UserError if OpenCV is not installed.
    """
    cv2 = opencv()
    first, second = (cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY) for image in (before, after))
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(second, first, None)
    rows, columns = np.indices(first.shape, np.float32)
    warped = cv2.remap(
        before, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return float(np.abs(warped.astype(np.int16) - after.astype(np.int16)).mean())


def opencv() -> Any:
    """The module cv2. Raises UserError if it is not installed."""
    try:
        import cv2
    except ImportError:
        raise UserError(
            "optical flow needs OpenCV, which is not installed; install it: pip install 'ponticello[studio]'"
        ) from None
    return cv2


def relaxed_path(
    latents: Float32[np.ndarray, "n size"], residues: Float64[np.ndarray, "m"], strength: float
) -> Float32[np.ndarray, "n size"]:
    """The path that stays near the given one and is short where pictures jump.

    residues (n - 1): of the steps. Minimises sum |w[i] - latents[i]|^2 + sum k[i] |w[i+1] - w[i]|^2; k is `strength` times
    the residue's excess over its median, in medians, spread over `REACH` ticks by a triangle. 0 changes nothing.
    """
    if len(latents) < 2 or strength == 0:
        return latents
    median = float(np.median(residues)) or 1.0
    excess = np.maximum(residues / median - 1, 0)
    triangle = 1 - np.abs(np.arange(-REACH, REACH + 1)) / (REACH + 1)
    springs = strength * np.convolve(excess, triangle)[REACH : REACH + len(excess)]
    diagonal = 1 + np.append(springs, 0) + np.insert(springs, 0, 0)
    banded = np.stack([np.insert(-springs, 0, 0), diagonal])
    return np.asarray(solveh_banded(banded, latents.astype(np.float64)), np.float32)


class Residues:
    """The flow residues of a row of pictures, drawn one after the other; kept in a folder.

    identity: of the pictures. A stopped measurement of the same pictures continues.
    """

    def __init__(self, folder: Path, identity: str, count: int) -> None:
        self._folder, self._count = folder, count
        self._identity = hashlib.sha256(identity.encode()).hexdigest()
        self._file = folder / f"{self._identity[:16]}.npy"
        make_folder(folder)
        known: NDArray[np.float64] = np.load(self._file) if self._file.is_file() else np.empty(0)
        self._known: list[float] = known.tolist()

    def measure(self, draw: Callable[[int], Image]) -> Float64[np.ndarray, "m"]:
        """Draw the pictures by their numbers and measure what is missing; returns all residues (count - 1)."""
        first = len(self._known)
        if first >= self._count - 1:
            return np.array(self._known[: self._count - 1])
        try:
            with progress("pictures whose flow is measured", self._count) as advance:
                before = thumbnail(draw(first), SIDE)
                for number in range(first + 1, self._count):
                    after = thumbnail(draw(number), SIDE)
                    self._known.append(flow_residue(before, after))
                    before = after
                    advance(number + 1)
                    if number % SAVED_EVERY == 0:
                        np.save(self._file, self._known)
        finally:
            np.save(self._file, self._known)
        return np.array(self._known)


class RelaxedMaterial(Material):
    """A material whose path is relaxed where its pictures jump: over the whole sound, so that an excerpt is a part of it.

    Ticks of a cross-fade stay as they are. folder: keeps what is measured until `close`. strength: see `relaxed_path`.
    """

    def __init__(self, material: Material, painter: Painter, strength: float, folder: Path) -> None:
        opencv()
        self._material, self._painter, self._strength, self._folder = material, painter, strength, folder
        self.presets, self.remarks = material.presets, material.remarks
        self._ticks: list[Tick] | None = None

    def numbers(self, fps: Fraction) -> range:
        """As of the material."""
        return self._material.numbers(fps)

    def ticks(self, fps: Fraction) -> Iterator[Tick]:
        """All ticks, after their pictures were drawn once."""
        if self._ticks is None:
            self._ticks = self._relaxed(list(self._material.ticks(fps)), fps)
        yield from self._ticks

    def aspect(self, fps: Fraction, tick: int) -> Fraction:
        """As of the material."""
        return self._material.aspect(fps, tick)

    def soundtrack(self, fps: Fraction, wanted: range, to_the_end: bool) -> Soundtrack | None:
        """As of the material."""
        return self._material.soundtrack(fps, wanted, to_the_end)

    def identity(self) -> object:
        """That of the material, and the strength."""
        return (self._material.identity(), self._strength)

    def close(self) -> None:
        """Remove what was measured."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _relaxed(self, ticks: list[Tick], fps: Fraction) -> list[Tick]:
        residues = Residues(self._folder, json.dumps((self._material.identity(), str(fps))), len(ticks))
        measured = residues.measure(lambda number: self._painter.paint(ticks[number].picture).cpu().numpy())
        result: list[Tick] = []
        for _, group in groupby(ticks, key=lambda tick: _relaxes_with(tick.picture)):
            run = list(group)
            first = len(result)
            if run[0].picture.under is None:
                latents = np.stack([tick.picture.latent for tick in run])
                path = relaxed_path(latents, measured[first : first + len(run) - 1], self._strength)
                run = [replace(t, picture=replace(t.picture, latent=w)) for t, w in zip(run, path, strict=True)]
            result += run
        return result


def _relaxes_with(picture: Picture) -> tuple[str, str, bool]:
    """What neighbouring pictures share if a path leads from one to the other."""
    return picture.generator, picture.space, picture.under is None
