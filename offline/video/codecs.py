"""Video codecs: one row each, and the types of file that can hold them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import SettingError, UserError

SIZES = (16, 8192)  # pixels, the smallest and largest side of a film
Size = tuple[int, int]
"""Width and height in pixels."""

# swscale's most accurate settings: exact rounding, and chroma interpolated between all pixels.
_CAREFUL = "flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"


@dataclass(frozen=True)
class Codec:
    """A codec and the settings of its encoder."""

    name: str
    suffixes: tuple[str, ...]  # of the files that can hold it, the usual one first; empty for a folder of pictures
    encoder: str  # its name in ffmpeg
    options: tuple[str, ...]  # of the encoder
    pixel_format: str
    multiple: int  # width and height must be multiples of this
    colours: Literal["bt709", "rgb", "srgb picture"]  # bt709: converted to limited range; otherwise RGB is kept

    @property
    def folder(self) -> bool:
        """Whether the output is a folder of pictures instead of a film."""
        return not self.suffixes

    def check_size(self, size: Size) -> None:
        """Raise SettingError if pictures of this width and height cannot be encoded."""
        smallest, largest = SIZES
        given = f"--size {size[0]}" if size[0] == size[1] else f"--size {size[0]}x{size[1]}"
        if not all(smallest <= length <= largest for length in size):
            raise SettingError(f"{given} given; allowed are {smallest} to {largest} pixels a side")
        if any(length % self.multiple for length in size):
            below, above = ([length - length % self.multiple + step for length in size] for step in (0, self.multiple))
            examples = [f"{w}" if size[0] == size[1] else f"{w}x{h}" for w, h in (below, above)]
            wanted = "even numbers" if self.multiple == 2 else f"multiples of {self.multiple}"
            raise SettingError(f"{given} given; {self.name} takes {wanted} only, for example {' or '.join(examples)}")

    def filters(self, image: Size, film: Size, *, bars: bool = False) -> str:
        """The filter chain for ffmpeg from RGB pictures of size `image` to the encoder's input of size `film`, with colour tags.

        Pictures keep their proportions: they are cropped on both sides to fit the film or, with `bars`, scaled down and
        centred on black. The tags are set on the pictures because newer versions of ffmpeg ignore those among the encoder's
        options when a picture's own tags are empty.
        """
        ratios = [f / i for f, i in zip(film, image, strict=True)]
        factor = min(ratios) if bars else max(ratios)
        width, height = (round(length * factor) for length in image)
        scale = [f"w={width}:h={height}"] if (width, height) != image else []
        tags = []
        if self.colours == "bt709":
            scale.append("in_range=pc:out_range=tv:out_color_matrix=bt709")
            tags = ["setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"]
        elif self.colours == "rgb":
            tags = ["setparams=range=pc:colorspace=gbr:color_primaries=bt709:color_trc=bt709"]
        steps = [f"scale={':'.join([*scale, _CAREFUL])}"] if scale else []
        if (width, height) != film:
            # even offsets, because two pixels may share their chroma
            x, y = (abs(made - wanted) // 4 * 2 for made, wanted in zip((width, height), film, strict=True))
            steps.append(f"{'pad' if bars else 'crop'}={film[0]}:{film[1]}:{x}:{y}")
        return ",".join([*steps, f"format={self.pixel_format}", *tags])


CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        # Visually lossless. aq-mode 3 gives more bits to dark areas, where 8-bit gradients would show bands.
        Codec("h264", (".mp4", ".mov", ".mkv"), "libx264", ("-preset", "medium", "-crf", "16", "-aq-mode", "3"),
              "yuv420p", 2, "bt709"),
        Codec("prores", (".mov",), "prores_ks", ("-profile:v", "hq", "-vendor", "apl0"), "yuv422p10le", 2, "bt709"),
        # Lossless in RGB. Every picture is a key frame with checksums, so damage stays local.
        Codec("ffv1", (".mkv",), "ffv1", ("-level", "3", "-g", "1", "-slicecrc", "1"), "bgr0", 1, "rgb"),
        # Hap Q has twice the bytes of plain Hap and 2 to 4 dB less error; plain Hap's 5-6-5 bit colours show bands.
        Codec("hap", (".mov",), "hap", ("-format", "hap_q"), "rgba", 4, "rgb"),
        Codec("png", (), "png", (), "rgb24", 1, "srgb picture"),
    )
}  # fmt: skip


_USUAL = {".mp4": "h264", ".mov": "prores", ".mkv": "ffv1"}


def choose_codec(output: Path, codec: str | None = None) -> Codec:
    """The codec requested, or else the usual one for the output's suffix; png for a folder (no suffix).

    Raises UserError if the codec does not fit the suffix.
    """
    if codec is not None and codec not in CODECS:
        raise SettingError(f"--codec {codec} given; allowed are {_listed(CODECS)}")
    suffix = output.suffix.lower()
    if codec is None:
        if not suffix or os.path.isdir(output):
            return CODECS["png"]
        if suffix not in _USUAL:
            raise UserError(
                f"{output}: the name of a film ends in {_listed(_USUAL)}; a name without ending makes a folder of PNG files"
            )
        return CODECS[_USUAL[suffix]]
    chosen = CODECS[codec]
    if chosen.folder and suffix in _USUAL:
        raise UserError(f"{output}: png makes a folder of pictures; give a name without {output.suffix}")
    if not chosen.folder and suffix not in chosen.suffixes:
        fitting = _listed(row.name for row in CODECS.values() if suffix in row.suffixes)
        instead = f", or use --codec {fitting}" if fitting else ""
        raise UserError(
            f"{output}: {codec} needs a file that ends in {_listed(chosen.suffixes)}: change the ending{instead}"
        )
    return chosen


def _listed(names: Iterable[str]) -> str:
    """E.g. "a, b or c"."""
    *front, last = [*names] or [""]
    return f"{', '.join(front)} or {last}" if front else last
