"""A film to train on: threads of light that wander and change their colours, over black."""

import subprocess

import numpy as np

from shared.ffmpeg import find_ffmpeg

FRAMES = 1500
WAVES = ((1.0, 0.4, 23), (-0.6, 1.3, 31), (1.6, -0.9, 17), (0.3, -1.8, 41))  # periods along x and y, turns in the film


def frames(size=64, count=FRAMES):
    """uint8 (count, size, size, 3); the threads become thinner and wider, brighter and darker."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    turns = 2 * np.pi * np.arange(count)[:, None, None] / FRAMES
    height = np.zeros((count, size, size))
    for number, (along_x, along_y, speed) in enumerate(WAVES):
        height += np.sin(2 * np.pi * (along_x * x + along_y * y) + speed * turns + number)
    turns, y = turns[..., None], y[None, :, :, None]
    sharpness, light = 7 + 5 * np.sin(29 * turns), 0.6 + 0.4 * np.sin(37 * turns)
    threads = np.exp(-sharpness * np.sin(height[..., None] + np.array([0.0, 0.5, 1.0])) ** 2)
    colour = light * (1 + 0.6 * np.sin(19 * turns + 2 * y + np.array([0.0, 2.1, 4.2])))
    return ((threads * colour).clip(0, 1) * 255).astype(np.uint8)


def write_film(path, pictures):
    """Write frames as a lossless film of 30 frames a second."""
    size = pictures.shape[1]
    command = [find_ffmpeg(), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size}x{size}"]
    command += ["-r", "30", "-i", "-", "-c:v", "ffv1", str(path)]
    subprocess.run(command, input=pictures.tobytes(), check=True, timeout=60)
    return path
