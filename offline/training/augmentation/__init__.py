"""Adaptive discriminator augmentation (Karras et al. 2020, "Training generative adversarial networks with limited data")."""

from offline.training.augmentation.pipeline import Augmentation

__all__ = ["Augmentation"]
