"""Makes the sounds of the preset `glass`, sample for sample: python presets/glass/make/sound.py [FOLDER]

The preset was paired with `GLASS`; its mapping was not trained on `STRINGS`. A score is a table: second, level of the loudest
sample in dBFS, player. Each row has a random seed of its own, so changing one row leaves the others as they are.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from jaxtyping import Int16

from presets.glass.make.instruments.air import Breath
from presets.glass.make.instruments.curves import SAMPLE_RATE, Sound, amplitude, samples, seconds_of
from presets.glass.make.instruments.glass import Blow, Rubbed, Shards, Struck
from presets.glass.make.instruments.room import in_hall, rounded_peaks, to_16_bit, without_dc
from presets.glass.make.instruments.violin import Bowed, Pizzicato

PEAK_DBFS = -1.0
CUT_S = 0.006
"""Length of the fades around a silence, in seconds."""


class Player(Protocol):
    """An instrument with its technique."""

    def play(self, rng: np.random.Generator) -> Sound:
        """The sound, (samples,), its loudest sample at 1."""


@dataclass(frozen=True)
class Piece:
    """A score, the level of its reverberation, and its digital silences (from, to) in seconds."""

    seconds: float
    seed: int
    hall_db: float
    score: tuple[tuple[float, float, Player], ...]
    silences_s: tuple[tuple[float, float], ...]


# fmt: off
GLASS = Piece(
    seconds=29.0,
    seed=2025,
    hall_db=-9.0,
    score=(
        # I  The thread: one bow out of nothing, from tasto to ponticello, and a glissando that climbs two octaves
        (0.15, -7.0, Bowed(6.1, [(0, "D4"), (2.5, "D4"), (3.2, "A4"), (3.9, "A4"), (5.9, "E6")],
                           bow=[(0, 0.05), (2.5, 0.4), (6, 0.85)], vibrato_after_s=1.0, attack_s=0.4, release_s=0.05,
                           level_db=[(0, -32), (0.8, -18), (2.6, -8), (3.6, -10), (5.9, 0)])),
        (2.60, -14.0, Bowed(3.5, "G3", bow=[(0, 0.1), (3.4, 0.5)], vibrato_cents=0, attack_s=0.4, release_s=0.08,
                            level_db=[(0, -24), (3.3, 0)])),

        # II  Points: plucked, gathering, thrown upwards until the last one is glass
        (6.35, -4.0, Pizzicato("G3", ring_s=1.0, snap=0.8)),
        (7.05, -9.0, Pizzicato("D5", ring_s=0.7)),
        (7.38, -8.0, Pizzicato("A4", ring_s=0.7)),
        (7.62, -9.0, Pizzicato("Eb5", ring_s=0.6, pluck_at=0.1)),
        (7.79, -9.0, Pizzicato("G#5", ring_s=0.5, pluck_at=0.1)),
        (7.91, -9.0, Pizzicato("D6", ring_s=0.4, pluck_at=0.1)),
        (8.00, -8.0, Pizzicato("F6", ring_s=0.35, pluck_at=0.08)),
        (8.07, -8.0, Pizzicato("A6", ring_s=0.3, pluck_at=0.08)),
        (8.15, -8.0, Struck("A6", ring_s=2.4)),

        # III  The crack: harmonics over the ringing glass, fissures that gather, a first fall
        (8.55, -15.0, Bowed(2.2, "E6", bow=0.3, touch=3, vibrato_cents=0, attack_s=0.3, release_s=0.05,
                            level_db=[(0, -20), (2, 0)])),
        (9.20, -15.0, Bowed(1.5, [(0, "A6"), (0.5, "A6"), (1.4, "C#7")], bow=0.4, touch=4, vibrato_cents=12,
                            attack_s=0.2, release_s=0.03, level_db=[(0, -14), (1.4, 0)])),
        (9.00, -12.0, Shards(1.7, 26, [(0, 3500), (1.7, 5200)], thinning_s=-0.45, ring_s=0.05, bounces=1,
                             level_db=[(0, -22), (1.7, 0)])),
        (10.70, -4.0, Blow(lowest_hz=320.0, burst_s=0.025)),
        (10.71, -6.0, Shards(1.7, 60, [(0, 1500), (1.6, 5500)], thinning_s=0.35, ring_s=0.3,
                             level_db=[(0, 0), (1.6, -24)])),

        # IV  Nothing.

        # V  The rim: a bowl rises out of its own depth, then a glass, breath, trembling strings; cut off at their loudest
        (13.80, -8.0, Rubbed(4.9, [(0, "D3"), (1.8, "D3"), (4.8, "D4")], attack_s=0.7, release_s=0.1,
                             level_db=[(0, -26), (1.5, -4), (3.0, 0), (4.8, -12)])),
        (15.30, -13.0, Rubbed(3.5, [(0, "F5"), (1.2, "F5"), (3.4, "C6")], turns_hz=1.3, beat_hz=2.6,
                              level_db=[(0, -18), (3.4, 0)])),
        (15.60, -16.0, Breath(3.2, [(0, 500), (3.1, 5000)], attack_s=0.6, release_s=0.05,
                              level_db=[(0, -30), (3.1, 0)])),
        (16.40, -3.0, Bowed(2.5, [(0, "D5"), (1.0, "D5"), (2.4, "G#6")], bow=[(0, 0.8), (2.4, 1.0)], vibrato_cents=0,
                            tremolo_hz=[(0, 9), (2.4, 13)], attack_s=0.3, release_s=0.05,
                            level_db=[(0, -30), (2.4, 0)])),
        (16.80, -5.0, Bowed(2.1, [(0, "Eb5"), (0.8, "Eb5"), (2.0, "E6")], bow=1.0, vibrato_cents=0,
                            tremolo_hz=[(0, 10), (2.0, 14)], attack_s=0.3, release_s=0.05,
                            level_db=[(0, -24), (2.0, 0)])),

        # VI  The break, in two waves; what falls grows smaller, higher, rarer
        (19.45, 4.0, Blow(lowest_hz=88.0, burst_s=0.11)),
        (19.46, 2.0, Shards(3.6, 330, [(0, 1100), (1.2, 2400), (3.5, 9000)], thinning_s=0.75, ring_s=0.4,
                            level_db=[(0, 0), (1.3, -10), (3.5, -24)])),
        (20.50, -3.0, Blow(lowest_hz=210.0, burst_s=0.05)),
        (20.51, -3.0, Shards(2.9, 150, [(0, 2200), (2.8, 9500)], thinning_s=0.6, ring_s=0.25,
                             level_db=[(0, 0), (2.8, -22)])),

        # VII  Breath: all that height let out, the edge of silence, an open string, a last harmonic, a last splinter
        (21.60, -34.0, Breath(3.0, [(0, 9000), (0.8, 8000), (2.9, 500)], octaves=0.35, attack_s=0.6,
                              level_db=[(0, 0), (1.4, -6), (2.9, -8)])),
        (24.70, -36.0, Breath(2.0, [(0, 500), (0.9, 1300), (2.0, 400)], octaves=0.35, attack_s=0.7, release_s=0.9)),
        (24.20, -19.0, Bowed(3.9, "G3", bow=[(0, 0.0), (2, 0.15), (3.9, 0.0)], vibrato_cents=10, vibrato_after_s=1.2,
                             attack_s=0.8, release_s=0.9, level_db=[(0, -24), (1.8, 0), (3.8, -26)])),
        (25.60, -24.0, Bowed(2.4, "D6", bow=0.25, touch=4, vibrato_cents=0, attack_s=0.5, release_s=0.9,
                             level_db=[(0, -16), (1.0, 0), (2.4, -24)])),
        (27.35, -22.0, Struck("D7", ring_s=1.1, hardness=0.3)),
    ),
    silences_s=((12.70, 13.80), (18.80, 19.44), (28.60, 29.0)),
)

STRINGS = Piece(
    seconds=15.0,
    seed=1787,
    hall_db=-10.0,
    score=(
        # I  Low and close: three strings
        (0.10, -8.0, Bowed(4.4, [(0, "C3"), (2.1, "C3"), (2.25, "Bb2"), (4.4, "Bb2")], bow=0.35, vibrato_hz=5.0,
                           attack_s=0.3, release_s=0.4, level_db=[(0, -18), (1.6, 0), (4.2, -8)], size=1.9)),
        (0.60, -11.0, Bowed(3.9, [(0, "G3"), (1.6, "G3"), (1.75, "F3"), (3.9, "F3")], bow=0.4,
                            level_db=[(0, -14), (1.4, 0), (3.7, -10)], size=1.25)),
        (1.10, -10.0, Bowed(3.4, [(0, "Eb4"), (1.1, "Eb4"), (1.25, "D4"), (2.2, "D4"), (2.3, "Ab4"), (3.4, "G4")],
                            vibrato_cents=26, release_s=0.3, level_db=[(0, -10), (1.3, 0), (3.2, -12)])),

        # II  Plucked, in fives
        *((4.6 + 0.19 * k, -7.0 if k % 5 == 0 else -10.0, Pizzicato(note, ring_s=0.8, size=1.5)) for k, note in enumerate(
            ("C3", "G3", "Eb4", "D4", "Ab4", "Bb2", "F3", "D4", "G4", "Eb4", "C3", "G3", "Ab4", "Eb5"))),

        # III  Trembling, from the bridge back to the fingerboard, while a second bow slides down through it
        (7.30, -7.0, Bowed(3.4, "C4", bow=[(0, 1.0), (3.3, 0.1)], tremolo_hz=[(0, 13), (3.3, 7)], vibrato_cents=0,
                           level_db=[(0, -16), (1.2, 0), (3.3, -10)])),
        (8.20, -10.0, Bowed(3.0, [(0, "Ab5"), (0.4, "Ab5"), (2.8, "G3")], bow=0.6, release_s=0.3,
                            level_db=[(0, -12), (1.0, 0), (2.9, -8)])),

        # IV  Two hammered strokes, then harmonics
        (11.10, -4.0, Bowed(0.42, "C3", bow=0.7, vibrato_cents=0, attack_s=0.012, release_s=0.2, size=1.9)),
        (11.60, -3.0, Bowed(0.42, "Db3", bow=0.9, vibrato_cents=0, attack_s=0.012, release_s=0.2, size=1.9)),
        (12.05, -13.0, Bowed(2.5, "G5", bow=0.3, touch=3, vibrato_cents=0, attack_s=0.25, release_s=0.8,
                             level_db=[(0, -8), (0.7, 0), (2.4, -14)])),
        (12.40, -14.0, Bowed(2.2, "C6", bow=0.3, touch=4, vibrato_cents=14, attack_s=0.25, release_s=0.8,
                             level_db=[(0, -8), (0.7, 0), (2.1, -14)])),
    ),
    silences_s=((14.90, 15.0),),
)
# fmt: on


def gate(piece: Piece) -> Sound:
    """1 where the piece sounds, 0 in its silences, (samples,), with smooth edges that do not click."""
    t = seconds_of(samples(piece.seconds))
    gain = np.ones(len(t))
    for begin_s, end_s in piece.silences_s:
        outside = np.maximum((begin_s - t) / CUT_S, (t - end_s) / CUT_S)
        gain *= 0.5 - 0.5 * np.cos(np.pi * np.clip(outside, 0.0, 1.0))
    return gain


def perform(piece: Piece) -> Int16[np.ndarray, "samples"]:
    """The whole piece, 16 bits, 44.1 kHz."""
    mix = np.zeros(samples(piece.seconds))
    for row, (at_s, level_db, player) in enumerate(piece.score):
        sound = player.play(np.random.default_rng((piece.seed, row))) * amplitude(level_db)
        begin = samples(at_s)
        end = min(begin + len(sound), len(mix))
        mix[begin:end] += sound[: end - begin]
    hall = in_hall(mix, piece.hall_db, np.random.default_rng(piece.seed))
    return to_16_bit(rounded_peaks(without_dc(hall)) * gate(piece), PEAK_DBFS)


def main() -> None:
    """Write glass.flac and strings.flac into the folder given, by default the preset's sounds."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "sounds"
    folder.mkdir(parents=True, exist_ok=True)
    for name, piece in (("glass", GLASS), ("strings", STRINGS)):
        soundfile.write(folder / f"{name}.flac", perform(piece), SAMPLE_RATE, subtype="PCM_16")
        print(f"{folder / name}.flac  {piece.seconds:.1f} s")


if __name__ == "__main__":
    main()
