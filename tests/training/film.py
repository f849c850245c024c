"""A film to train on: a glowing disc wanders over a background whose colour changes."""

import subprocess

import numpy as np

from shared.ffmpeg import find_ffmpeg

FRAMES = 240


def frames(size=64, count=FRAMES):
    """uint8 (count, size, size, 3)."""
    y, x = np.mgrid[:size, :size] / size
    t = np.arange(count)[:, None, None] / count
    cx, cy = 0.5 + 0.3 * np.sin(2 * np.pi * 5 * t), 0.5 + 0.3 * np.cos(2 * np.pi * 7 * t)
    radius = 0.16 + 0.06 * np.sin(2 * np.pi * 3 * t)
    disc = 1 / (1 + np.exp((np.hypot(x - cx, y - cy) - radius) * 40))
    phases = np.array([0.0, 2.1, 4.2])
    ground = 0.35 + 0.25 * np.sin(2 * np.pi * 2 * t[..., None] + phases + 1.5 * y[None, :, :, None])
    light = 0.9 - 0.3 * np.cos(2 * np.pi * 4 * t[..., None] + phases[::-1])
    colours = ground * (1 - disc[..., None]) + light * disc[..., None]
    return (colours.clip(0, 1) * 255).astype(np.uint8)


def write_film(path, pictures):
    """Write frames as a lossless film of 30 frames a second."""
    size = pictures.shape[1]
    command = [
        find_ffmpeg(),
        "-y",
        "-v",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{size}x{size}",
        "-r",
        "30",
    ]
    command += ["-i", "-", "-c:v", "ffv1", str(path)]
    subprocess.run(command, input=pictures.tobytes(), check=True, timeout=60)
    return path
