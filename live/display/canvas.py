"""Draws the picture and its overlays with OpenGL 3.3. Knows nothing about windows.

Pictures are 8-bit sRGB from the generator to the screen and nothing here converts them, so that 1:1 is exact to the bit.
They are uploaded as RGBA, which drivers accept without conversion. Pixel buffer objects are not used: they hide the time of
an upload (0.3 ms for the 4 MB of 1024 x 1024 over PCIe 3.0), but made uploads four to seven times slower with OpenGL in
software.
"""

import math

import moderngl
import numpy as np
from jaxtyping import UInt8, UInt32

from live.display.hud_page import Overlay
from live.display.placement import Rectangle, Scaling, Size, place
from shared.errors import Failure

GL_DITHER = 0x0BD0
MAX_TAPS = 16  # along a side, when a picture is drawn smaller
SOFTEST = 1 / 3  # B for a picture drawn at least three times its size
MAX_INTERMEDIATE = 3  # times the size of the picture

# A triangle that covers the viewport. Rows run downwards in pictures, upwards in OpenGL.
EVERYWHERE = """
#version 330
uniform vec2 first;   // position of the top left corner of the viewport in the drawn rectangle
uniform vec2 extent;  // size of the viewport
out vec2 drawn;
void main() {
    vec2 corner = vec2(4 * (gl_VertexID & 1) - 1, 2 * (gl_VertexID & 2) - 1);
    drawn = first + extent * (0.5 + corner * vec2(0.5, -0.5));
    gl_Position = vec4(corner, 0, 1);
}
"""
HEAD = """
#version 330
uniform sampler2D source;
uniform vec2 pace;  // pixels of the picture per drawn pixel
uniform vec2 size;  // of the picture
uniform vec2 soft;  // B of the cubic
in vec2 drawn;  // position in the rectangle, in pixels from its top left corner
out vec4 colour;
"""
OVERLAY = "void main() { colour = texelFetch(source, ivec2(drawn), 0); }"
EXACT = "void main() { colour = vec4(texelFetch(source, ivec2(drawn), 0).rgb, 1); }"
# Mitchell and Netravali 1988, equation 8, with B + 2C = 1: B = 0 keeps the value of every pixel (Catmull-Rom), B = 1/3 shows
# no steps along edges. The two middle taps of four are read as one linear sample between them; the corners of the 4 x 4,
# whose weights are products of two small ones, are left out: five samples instead of sixteen.
LARGER = """
void main() {
    vec2 at = drawn * pace - 0.5, f = fract(at), middle = floor(at) + 0.5, B = soft;
    vec2 w0 = B / 6 + f * (-0.5 + f * (1 - B / 2 + f * (B / 3 - 0.5)));
    vec2 w2 = B / 6 + f * (0.5 + f * (2 - 1.5 * B + f * (B - 1.5)));
    vec2 w3 = f * f * (B / 2 - 0.5 + f * (0.5 - B / 3));
    vec2 w12 = 1 - w0 - w3;
    vec2 p0 = (middle - 1) / size, p12 = (middle + w2 / w12) / size, p3 = (middle + 2) / size;
    vec3 sum = w12.x * w12.y * texture(source, p12).rgb
        + w0.x * w12.y * texture(source, vec2(p0.x, p12.y)).rgb + w3.x * w12.y * texture(source, vec2(p3.x, p12.y)).rgb
        + w12.x * w0.y * texture(source, vec2(p12.x, p0.y)).rgb + w12.x * w3.y * texture(source, vec2(p12.x, p3.y)).rgb;
    float weight = w12.x + w12.y - w12.x * w12.y;  // w0 + w12 + w3 = 1
    colour = vec4(sum / weight, 1);
}
"""
# The mean over the part of the picture that a drawn pixel covers, from linear samples at most one pixel apart; one sample if
# it covers less than a pixel.
SMALLER = """
void main() {
    vec2 at = drawn * pace;
    vec3 sum = vec3(0);
    for (int y = 0; y < taps.y; ++y)
        for (int x = 0; x < taps.x; ++x)
            sum += texture(source, (at + ((vec2(x, y) + 0.5) / vec2(taps) - 0.5) * pace) / size).rgb;
    colour = vec4(sum / float(taps.x * taps.y), 1);
}
"""


class WindowCanvas:
    """Draws in the current OpenGL context. Raises Failure if OpenGL reports an error."""

    def __init__(self) -> None:
        self._context = moderngl.create_context()
        self._context.disable_direct(GL_DITHER)
        self._largest = int(self._context.info["GL_MAX_TEXTURE_SIZE"])
        self._passes: dict[str, tuple[moderngl.Program, moderngl.VertexArray]] = {}
        for shader in (EXACT, LARGER, _smaller((1, 1)), _smaller((2, 2)), OVERLAY):  # compiled now, not during a show
            self._pass(shader)
        self._staging: UInt32[np.ndarray, "height width"] = np.empty((0, 0), np.uint32)
        self._picture: moderngl.Texture | None = None
        self._intermediate: moderngl.Framebuffer | None = None
        self._intermediate_is_new = False
        self._overlays: tuple[Overlay, ...] = ()
        self._overlay_textures: list[moderngl.Texture] = []
        self.check()

    @property
    def renderer(self) -> str:
        """The name that the driver gives the graphics card."""
        return str(self._context.info["GL_RENDERER"])

    def takes(self, image: UInt8[np.ndarray, "height width 3"]) -> bool:
        """Whether the graphics card accepts a picture of this size."""
        return bool(max(image.shape) <= self._largest)

    def upload(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Draw this picture from now on."""
        height, width, _ = image.shape
        if self._staging.shape != (height, width):
            self._staging = np.empty((height, width), np.uint32)
        pack(image, self._staging)
        if self._picture is None or self._picture.size != (width, height):
            texture = self._texture((width, height))
            if self._picture is not None:
                self._picture.release()
            self._picture = texture
        self._picture.write(self._staging)
        self._intermediate_is_new = False

    def draw(self, area: Size, scaling: Scaling, overlays: tuple[Overlay, ...] = ()) -> None:
        """Draw black, the picture and the overlays into the window, whose drawing area has this size in pixels."""
        self._draw(self._context.screen, area, scaling, overlays)
        self.check()

    def read(
        self, area: Size, scaling: Scaling, overlays: tuple[Overlay, ...] = ()
    ) -> UInt8[np.ndarray, "height width 3"]:
        """What `draw` shows in a window of this size, even if another window covers it."""
        target = self._context.simple_framebuffer(area, 4)
        try:
            self._draw(target, area, scaling, overlays)
            data = target.read(components=3, alignment=1)
            self.check()
        finally:
            self._context.screen.use()  # moderngl restores what is bound whenever it creates another
            _release(target)
        return np.frombuffer(data, np.uint8).reshape(area[1], area[0], 3)[::-1].copy()

    def check(self) -> None:
        """Raise Failure if OpenGL has reported an error since the last call."""
        error = self._context.error
        if error != "GL_NO_ERROR":
            raise Failure(f"OpenGL reports {error}")

    def release(self) -> None:
        """Free everything on the graphics card."""
        for texture in [self._picture, *self._overlay_textures]:
            if texture is not None:
                texture.release()
        if self._intermediate is not None:
            _release(self._intermediate)
        for program, triangle in self._passes.values():
            triangle.release()
            program.release()
        self._context.release()

    def _draw(self, target: moderngl.Framebuffer, area: Size, scaling: Scaling, overlays: tuple[Overlay, ...]) -> None:
        source = self._source(area, scaling)
        target.use()
        self._context.viewport = (0, 0, *area)
        target.clear(0, 0, 0, 1)
        if self._picture is not None and source is not None:
            self._draw_picture(source, place(self._picture.size, area, scaling), area)
        if overlays is not self._overlays:
            self._replace_overlays(overlays)
        self._context.enable(moderngl.BLEND)
        self._context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        for overlay, texture in zip(self._overlays, self._overlay_textures, strict=True):
            self._run(OVERLAY, texture, Rectangle(overlay.left, overlay.top, *texture.size), area)
        self._context.disable(moderngl.BLEND)

    def _source(self, area: Size, scaling: Scaling) -> moderngl.Texture | None:
        """The picture, or a copy at two or three times its size that is then interpolated linearly.

        The copy serves pictures drawn at least four times their size: five samples per screen pixel would take twice the
        time in software, and the difference (54 dB) is invisible.
        """
        picture = self._picture
        if picture is None:
            return None
        rectangle = place(picture.size, area, scaling)
        times = min(rectangle.width // picture.width, rectangle.height // picture.height, 2 * MAX_INTERMEDIATE) // 2
        if times < 2:
            return picture
        size = (times * picture.width, times * picture.height)
        if self._intermediate is None or self._intermediate.size != size:
            framebuffer = self._context.framebuffer([self._texture(size)])
            if self._intermediate is not None:
                _release(self._intermediate)
            self._intermediate = framebuffer
            self._intermediate_is_new = False
        if not self._intermediate_is_new:
            self._intermediate.use()
            pace, soft = (1 / times, 1 / times), (SOFTEST, SOFTEST)
            upside_down = {"first": (0, size[1]), "extent": (size[0], -size[1])}  # pictures are uploaded upside down
            self._render(LARGER, picture, (0, 0, *size), pace=pace, size=picture.size, soft=soft, **upside_down)
            self._intermediate_is_new = True
        (texture,) = self._intermediate.color_attachments
        assert isinstance(texture, moderngl.Texture)
        return texture

    def _draw_picture(self, source: moderngl.Texture, rectangle: Rectangle, area: Size) -> None:
        drawn = (rectangle.width, rectangle.height)
        if drawn == source.size:
            self._run(EXACT, source, rectangle, area)
            return
        pace = (source.width / drawn[0], source.height / drawn[1])
        if max(pace) <= 1 and source is self._picture:
            soft = tuple(SOFTEST * min(max((1 / p - 1) / 2, 0.0), 1.0) for p in pace)
            self._run(LARGER, source, rectangle, area, pace=pace, size=source.size, soft=soft)
        else:
            taps = (min(math.ceil(pace[0]), MAX_TAPS), min(math.ceil(pace[1]), MAX_TAPS))
            self._run(_smaller(taps), source, rectangle, area, pace=pace, size=source.size, taps=taps)

    def _replace_overlays(self, overlays: tuple[Overlay, ...]) -> None:
        for texture in self._overlay_textures:
            texture.release()
        self._overlays, self._overlay_textures = (), []
        for overlay in overlays:
            height, width, _ = overlay.image.shape
            self._overlay_textures.append(
                self._context.texture((width, height), 4, np.ascontiguousarray(overlay.image))
            )
        self._overlays = overlays

    def _texture(self, size: Size) -> moderngl.Texture:
        texture = self._context.texture(size, 4)
        texture.repeat_x = texture.repeat_y = False
        return texture

    def _pass(self, shader: str) -> tuple[moderngl.Program, moderngl.VertexArray]:
        if shader not in self._passes:
            program = self._context.program(EVERYWHERE, HEAD + shader)
            self._passes[shader] = program, self._context.vertex_array(program, [])
        return self._passes[shader]

    def _run(
        self, shader: str, texture: moderngl.Texture, rectangle: Rectangle, area: Size, **uniforms: tuple[float, ...]
    ) -> None:
        """Draw a texture into a rectangle, clipped to the area."""
        visible = rectangle.within(area)
        if visible.width and visible.height:
            uniforms["first"] = (visible.left - rectangle.left, visible.top - rectangle.top)
            uniforms["extent"] = (visible.width, visible.height)
            bottom = area[1] - visible.top - visible.height
            self._render(shader, texture, (visible.left, bottom, visible.width, visible.height), **uniforms)

    def _render(
        self,
        shader: str,
        texture: moderngl.Texture,
        viewport: tuple[int, int, int, int],
        **uniforms: tuple[float, ...],
    ) -> None:
        program, triangle = self._pass(shader)
        for uniform, value in uniforms.items():
            if uniform in program:  # the compiler removes what a shader does not use
                program[uniform] = value
        texture.use(0)
        self._context.viewport = viewport
        triangle.render(moderngl.TRIANGLES, vertices=3)


def _smaller(taps: tuple[int, int]) -> str:
    """The shader that reads so many samples along each side.

    Small counts are constants, which halves the time; as constants, large ones would take seconds to compile.
    """
    kind = f"const ivec2 taps = ivec2({taps[0]}, {taps[1]});" if max(taps) <= 2 else "uniform ivec2 taps;"
    return kind + SMALLER


def _release(framebuffer: moderngl.Framebuffer) -> None:
    for attached in framebuffer.color_attachments:
        attached.release()
    framebuffer.release()


def pack(image: UInt8[np.ndarray, "height width 3"], words: UInt32[np.ndarray, "height width"]) -> None:
    """Write the pixels of an image as words of four bytes, the fourth being undefined.

    Copies a word from each pixel's position, including the byte that follows: ten times faster than
    `rgba[..., :3] = image`.
    """
    image = np.ascontiguousarray(image)
    flat = words.reshape(-1)
    flat[:-1] = np.ndarray((flat.size - 1,), np.uint32, image, strides=(3,))
    flat[-1:].view(np.uint8)[:3] = image[-1, -1]
