"""Draw pictures of a preset along a sound: python contact_sheet.py PRESET SOUND FOLDER [PICTURES]

PRESET is a folder or the name of a shipped preset. FOLDER gets as many PNG files as PICTURES says (8 by default), evenly
spread over the sound and named by the second that they show.
"""

import sys
from pathlib import Path

import soundfile
from PIL import Image

from ponticello import Painter, Pipeline, Preset

FPS = 30
RATE = 44100  # Hz; the pipeline takes no other


def main(name: str, sound: str, folder: str, pictures: str = "8") -> None:
    """Play the sound through the pipeline and draw some of its ticks."""
    samples, rate = soundfile.read(sound, dtype="float32", always_2d=True)
    if rate != RATE:
        sys.exit(f"{sound} has {rate} Hz; convert it to {RATE} Hz first")
    preset = Preset.load(name)
    painter = Painter()
    painter.load(preset)
    pipeline = Pipeline(preset, FPS)
    ticks = pipeline.process(samples.mean(axis=1))
    ticks += pipeline.finish(len(samples) * FPS // RATE)
    if not ticks:
        sys.exit(f"{sound} is shorter than one picture, 1/{FPS} s")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for tick in ticks[:: max(1, len(ticks) // int(pictures))][: int(pictures)]:
        file = Path(folder, f"{tick.number / FPS:08.3f}.png")
        Image.fromarray(painter.paint(tick.picture).cpu().numpy()).save(file)
        print(f"{file}: nearest to {tick.nearest}, {tick.distance:.1f} deviations away")


if __name__ == "__main__":
    main(*sys.argv[1:])
