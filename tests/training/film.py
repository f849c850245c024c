"""A film to train on: lights of changing colours wander over black."""

import subprocess

import numpy as np

from shared.ffmpeg import find_ffmpeg

FRAMES, LIGHTS = 240, 5


def frames(size=64, count=FRAMES):
    """uint8 (count, size, size, 3)."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    turns = 2 * np.pi * np.arange(count)[:, None, None] / FRAMES
    pictures = np.zeros((count, size, size, 3))
    for light in range(LIGHTS):
        cx = 0.5 + 0.45 * np.sin((2 * light + 3) * turns + light)
        cy = 0.5 + 0.45 * np.cos((light + 2) * turns + 2 * light)
        radius = 0.08 + 0.03 * light
        glow = np.exp(-((((x - cx) ** 2 + (y - cy) ** 2) / radius**2) ** 2))
        colour = 0.6 + 0.5 * np.sin((light + 1) * turns[..., None] + light + np.array([0.0, 2.1, 4.2]))
        pictures += glow[..., None] * colour
    return (pictures.clip(0, 1) * 255).astype(np.uint8)


def write_film(path, pictures):
    """Write frames as a lossless film of 30 frames a second."""
    size = pictures.shape[1]
    command = [find_ffmpeg(), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size}x{size}"]
    command += ["-r", "30", "-i", "-", "-c:v", "ffv1", str(path)]
    subprocess.run(command, input=pictures.tobytes(), check=True, timeout=60)
    return path
