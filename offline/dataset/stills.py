"""Converts picture files to 8-bit sRGB without alpha, rotated according to EXIF."""

import io
import warnings

import numpy as np
from PIL import Image, ImageCms, ImageColor, ImageOps, UnidentifiedImageError

from offline.dataset.left_out import LeftOut
from shared.errors import UserError

MOST_PIXELS = 300_000_000
Colour = tuple[int, int, int]


def parse_colour(text: str) -> Colour:
    """A colour by CSS name or as #rrggbb. Raises UserError."""
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise UserError(f"--background {text} given; allowed are names (black) and #rrggbb") from None


def decoded(content: bytes, background: Colour) -> Image.Image:
    """The first picture of a file's content as RGB. Raises LeftOut."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow: odd metadata, large pictures
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise LeftOut(f"{image.width} x {image.height} pixels are too many; reduce it")
                image.load()
                return eight_bit_rgb(ImageOps.exif_transpose(image), background)
    except LeftOut:
        raise
    except UnidentifiedImageError:
        raise LeftOut("not a picture that Pillow reads") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise LeftOut(f"damaged: {error}") from error


def eight_bit_rgb(image: Image.Image, background: Colour) -> Image.Image:
    """Any of Pillow's modes as RGB: 16 bits rounded to 8, alpha over the background, profiles turned to sRGB.

    Raises LeftOut for floating-point numbers, whose range is unknown.
    """
    if image.mode == "F":
        raise LeftOut("its pixels are floating-point numbers without a known range; convert it to PNG")
    if image.mode.startswith("I"):  # Pillow's own conversion clips at 255 instead of dividing
        pixels = np.asarray(image).astype(np.int64)
        return Image.fromarray(((np.clip(pixels, 0, 65535) + 128) // 257).astype(np.uint8)).convert("RGB")
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        flat = _in_srgb(image.convert("RGB"), profile)
        canvas = Image.new("RGB", image.size, background)
        canvas.paste(flat, mask=image.getchannel("A"))
        return canvas
    return _in_srgb(image, profile)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB, converted by the picture's colour profile if it has one that fits."""
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            if (converted := ImageCms.profileToProfile(image, source, target, outputMode="RGB")) is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a damaged profile: the numbers count as sRGB
    return image.convert("RGB")
