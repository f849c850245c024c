"""How pictures are kept: one row for each codec, and which file can hold which."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import SettingError, UserError

SIZES = (16, 8192)  # pixels, the smallest and largest side of a film
Size = tuple[int, int]
"""Width and height in pixels."""

# Every step in swscale's careful variant: exact rounding, and chroma taken from and spread over all pixels.
_CAREFUL = "flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"


@dataclass(frozen=True)
class Codec:
    """One way to keep pictures."""

    name: str
    suffixes: tuple[str, ...]  # of the files that can hold it, the usual one first; none: a folder of pictures
    encoder: str  # ffmpeg's name
    options: tuple[str, ...]  # of the encoder
    pixel_format: str
    multiple: int  # width and height are multiples of this
    colours: Literal["bt709", "rgb", "srgb picture"]  # converted to limited-range bt709; or RGB as it is

    @property
    def folder(self) -> bool:
        """Whether it makes a folder of pictures instead of a film."""
        return not self.suffixes

    def check_size(self, size: Size) -> None:
        """SettingError where pictures of this width and height cannot be encoded."""
        smallest, largest = SIZES
        given = f"--size {size[0]}" if size[0] == size[1] else f"--size {size[0]}x{size[1]}"
        if not all(smallest <= length <= largest for length in size):
            raise SettingError(f"{given}: a picture's sides are {smallest} to {largest} pixels")
        if any(length % self.multiple for length in size):
            below, above = ([length - length % self.multiple + step for length in size] for step in (0, self.multiple))
            examples = [f"{w}" if size[0] == size[1] else f"{w}x{h}" for w, h in (below, above)]
            wanted = "even numbers" if self.multiple == 2 else f"multiples of {self.multiple}"
            raise SettingError(f"{given}: {self.name} takes {wanted} only, for example {' or '.join(examples)}")

    def filters(self, image: Size, film: Size, *, bars: bool = False) -> str:
        """The filter chain from RGB pictures of width and height `image` to what the encoder takes at `film`, tagged.

        Pictures keep their proportions: what is beyond the film is cut off on both sides or, with bars, the picture is
        made smaller and lies on black. The tags are set on the pictures, where new versions of ffmpeg look for them; options
        of the encoder are overruled by the (empty) tags of the pictures there.
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
            # even places, as chroma may be kept for two pixels together
            x, y = (abs(made - wanted) // 4 * 2 for made, wanted in zip((width, height), film, strict=True))
            steps.append(f"{'pad' if bars else 'crop'}={film[0]}:{film[1]}:{x}:{y}")
        return ",".join([*steps, f"format={self.pixel_format}", *tags])


CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        # Visually lossless; more bits to dark areas (aq-mode 3), where 8-bit gradients of glass and night fall into bands.
        Codec("h264", (".mp4", ".mov", ".mkv"), "libx264", ("-preset", "medium", "-crf", "16", "-aq-mode", "3"),
              "yuv420p", 2, "bt709"),
        Codec("prores", (".mov",), "prores_ks", ("-profile:v", "hq", "-vendor", "apl0"), "yuv422p10le", 2, "bt709"),
        # Every picture a key picture with checksums: an archive that survives a damaged spot. Lossless in RGB.
        Codec("ffv1", (".mkv",), "ffv1", ("-level", "3", "-g", "1", "-slicecrc", "1"), "bgr0", 1, "rgb"),
        # Hap Q: twice the bytes of plain Hap and 2 to 4 dB nearer to the picture; plain Hap's 5-6-5 bit ends show bands.
        Codec("hap", (".mov",), "hap", ("-format", "hap_q"), "rgba", 4, "rgb"),
        Codec("png", (), "png", (), "rgb24", 1, "srgb picture"),
    )
}  # fmt: skip


_USUAL = {".mp4": "h264", ".mov": "prores", ".mkv": "ffv1"}


def choose_codec(output: Path, codec: str | None = None) -> Codec:
    """The row of `CODECS` for this output: the one asked for, else by suffix; a folder (no suffix) takes png.

    UserError where the two do not go together.
    """
    if codec is not None and codec not in CODECS:
        raise SettingError(f"--codec {codec}: there are {_listed(CODECS)}")
    suffix = output.suffix.lower()
    if codec is None:
        if not suffix or os.path.isdir(output):
            return CODECS["png"]
        if suffix not in _USUAL:
            raise UserError(f"{output}: a film ends in {_listed(_USUAL)}; a name without ending is a folder of PNG")
        return CODECS[_USUAL[suffix]]
    chosen = CODECS[codec]
    if chosen.folder and suffix in _USUAL:
        raise UserError(f"{output}: png makes a folder of pictures, give a name without {output.suffix}")
    if not chosen.folder and suffix not in chosen.suffixes:
        fitting = _listed(row.name for row in CODECS.values() if suffix in row.suffixes)
        instead = f", or take --codec {fitting}" if fitting else ""
        raise UserError(f"{output}: {codec} is kept in {_listed(chosen.suffixes)}: change the ending{instead}")
    return chosen


def _listed(names: Iterable[str]) -> str:
    """E.g. "a, b or c"."""
    *front, last = [*names] or [""]
    return f"{', '.join(front)} or {last}" if front else last
