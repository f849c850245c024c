"""The augmentation probability, controlled by the discriminator's overfitting (Karras et al. 2020, "ADA", section 3)."""

from dataclasses import dataclass

import numpy as np

INTERVAL = 4  # iterations between two adjustments
TARGET = 0.6  # mean sign of D's logits of real images
MOST = 1.0
WARN_AT = (0.6, 0.8)  # augmentation may leak into the pictures beyond these


@dataclass(frozen=True)
class Adaptation:
    """p after an adjustment. kimg: thousand images in which p can rise from 0 to 1 (500; 100 for fine-tuning)."""

    kimg: float = 500.0
    target: float = TARGET

    def adjusted(self, p: float, mean_sign: float, batch: int) -> float:
        """P moved by batch · 4 / (1000 · kimg) towards where the mean sign is the target; 0 to 1."""
        step = batch * INTERVAL / (self.kimg * 1000)
        return float(min(max(p + np.sign(mean_sign - self.target) * step, 0.0), MOST))
