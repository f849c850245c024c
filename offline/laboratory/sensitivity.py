"""How much a picture changes for a movement of the latent vector, measured along a sound: for a limit in grey levels."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from offline.laboratory.measures import picture_change
from offline.pictures import thumbnail
from offline.progress import progress
from shared.picture import Picture

SIDE = 64  # pixels of the pictures that are compared
MOMENTS = 48
STEP = 0.1  # deviations of the pairs' latent vectors
KEPT = 90  # percentile: so many in a hundred movements change the picture less


def sensitivity(
    pictures: Sequence[Picture], deviation: float, paint: Callable[[Picture], UInt8[np.ndarray, "h w 3"]]
) -> float:
    """Grey levels per deviation of the latent vector, a value that 90 of 100 movements do not exceed; 0 without movement.

    At moments spread over a sound's pictures, each is compared with that a tenth of a deviation (or less, where the next tick
    is nearer) towards the next one.
    """
    chosen = np.unique(np.linspace(0, len(pictures) - 2, min(MOMENTS, len(pictures) - 1)).round().astype(int))
    found = []
    with progress("pictures whose change is measured", len(chosen)) as advance:
        for done, number in enumerate(chosen, 1):
            here, ahead = pictures[number].latent.astype(np.float64), pictures[number + 1].latent.astype(np.float64)
            distance = float(np.linalg.norm(ahead - here)) / deviation
            if distance > 0:
                step = min(STEP, distance)
                moved = replace(pictures[number], latent=(here + step / distance * (ahead - here)).astype(np.float32))
                before, after = (thumbnail(paint(picture), SIDE) for picture in (pictures[number], moved))
                found.append(picture_change(before, after) / step)
            advance(done)
    return float(np.percentile(found, KEPT)) if found else 0.0
