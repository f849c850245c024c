"""The film: the picture at the playhead, as a mock-up (the nearest placed image) or made by the generator."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from offline.pairing.events import Events

Kind = Literal["mock-up", "generator"]


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture to show. image (h, w, 3), None where there is none; name: of the nearest image; tick: number at 30 a second.

    stands_in: the mock-up is shown because the generator is not there yet or too slow.
    """

    image: UInt8[np.ndarray, "h w 3"] | None
    name: str
    tick: int
    kind: Kind
    stands_in: bool = False


class Film:
    """Pictures in time with the sound. Call `mockup` and `generated` at each tick of the window; they return at once.

    The generator works beside the window: `generated` gives its newest picture. Played at speed 1, picture i is that of
    `ponticello render` at tick i, bit for bit, if the mapping is trained on the present pairs.
    """

    def __init__(self, events: Events) -> None:
        return

    generating: bool
    """Whether the generator should work; set it when its picture is shown."""

    def mockup(self) -> Shown | None:
        """The image nearest to the playhead; None without pairs. The same object while nothing changes."""
        return

    def generated(self) -> Shown | None:
        """The generator's newest picture for the playhead, or the mock-up standing in. None without a mapping and pairs."""
        return

    def image_of(self, name: str) -> UInt8[np.ndarray, "h w 3"] | None:
        """The full picture of a candidate (its PNG), kept for the next time; its thumbnail where the file is missing."""
        return

    @property
    def rate(self) -> float:
        """Pictures per second that the generator makes now; 0 before the first."""
        return

    @property
    def state(self) -> str:
        """One line for the window: `untrained`, `loading the generator`, `12.3 pictures/s; the mock-up stands in`, ..."""
        return
