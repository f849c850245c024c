"""A latent vector that replaces the sound's: the image of a pair or candidate, or numbers from another program."""

import numpy as np

from live.show.engine import Engine
from live.show.learning import Learning
from shared.errors import SettingError
from shared.pipeline.exchanges import Steer


class Steering:
    """Which latent the picture follows.

    shown: the name of the image on show; empty if the sound steers, or numbers do.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._active = False
        self.shown = ""

    def show(self, learning: Learning, name: str, arrived: float) -> None:
        """Show the image of a pair or candidate. Raises SettingError if there is none of this name."""
        image = learning.image(name)
        self._engine.exchange(Steer(image.latent, learning.pairs.space, image.label), arrived)
        self.shown = image.name
        self._active = True

    def steer(self, learning: Learning, numbers: tuple[float, ...], arrived: float) -> None:
        """Follow these numbers; without any, the sound."""
        if not numbers:
            self.release(arrived)
            return
        size = learning.pairs.latents.shape[1]
        latent = np.array(numbers, np.float32)
        if len(latent) != size or not np.isfinite(latent).all():
            raise SettingError(f"{len(latent)} numbers given; the generator takes {size} in the range of float32")
        self._engine.exchange(Steer(latent, learning.preset.mapping.space), arrived)
        self.shown, self._active = "", True

    def release(self, arrived: float) -> None:
        """Follow the sound again."""
        self._engine.exchange(Steer(None), arrived)
        self.shown, self._active = "", False

    def release_if_active(self, arrived: float) -> None:
        """Follow the sound again, unless it is followed already."""
        if self._active:
            self.release(arrived)
