"""A preset and its files."""

from shared.preset.preset import Preset

__all__ = ["Preset"]
