"""Sounds that every stage must handle."""

import numpy as np

RATE = 44100


def noise(n, seed=0):
    return (np.random.default_rng(seed).standard_normal(n) * 0.1).astype(np.float32)


def sine(hz, n, rate=RATE, gain=0.5):
    return (gain * np.sin(2 * np.pi * hz * np.arange(n) / rate)).astype(np.float32)


def click(n):
    x = np.zeros(n, np.float32)
    x[n // 3] = 1
    return x


HARD = {
    "noise": noise,
    "silence": lambda n: np.zeros(n, np.float32),
    "constant": lambda n: np.full(n, 0.5, np.float32),
    "clipping": lambda n: np.sign(sine(350, n)),
    "click": click,
    "sound, then silence": lambda n: np.concatenate([sine(300, n // 4), np.zeros(n - n // 4, np.float32)]),
    "1e30": lambda n: np.where(noise(n) > 0, np.float32(1e30), np.float32(-1e30)),
    "1e-40": lambda n: noise(n) * np.float32(1e-39),  # subnormal in float32
}
