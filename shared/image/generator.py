"""A generator from a file: latents in, pictures out."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from shared.errors import SettingError
from shared.image.architecture import Architecture
from shared.image.canvas import Canvas, Shape
from shared.image.checkpoint import Arrays, read_checkpoint
from shared.image.device import HALF, pick_device, pick_precision
from shared.image.fast import FastSynthesis, why_not
from shared.image.latents import transform_matrix
from shared.image.memory import keep_memory
from shared.image.stylegan3 import MappingNetwork, SynthesisNetwork, layer_precision, with_defaults

log = logging.getLogger(__name__)

Array = np.ndarray | Tensor
WANTED_DB = 45.0  # half precision against float32
SAME_DB = {"full": 84.0, "half": 45.0}  # the fused path against the plain one


def load_generator(path: str | Path, device: str = "cpu", precision: str = "full") -> "Generator":
    """Read a generator (.safetensors) and prepare it.

    device: "cpu", "cuda", "cuda:1", "mps". precision: "full" is float32; "half" takes float16 (bfloat16 on a CPU) in the
    layers for which the checkpoint's design allows it. "auto" is half where the device computes in it and one picture,
    made in both, proves to be the same to 45 dB; else full. What runs is logged.
    Raises ModelError for a file that is no generator or damaged, SettingError for a device that is not there.
    """
    device = pick_device(device)
    chosen = pick_precision(precision, device)
    path = Path(path)
    architecture, arrays = read_checkpoint(path)
    generator = Generator(architecture, arrays, torch.device(device), chosen, path)
    if generator.device.type == "cuda":  # cards, drivers and compilers differ: this one has to prove itself
        generator.check_fused_path()
    if precision == "auto" and chosen == "half":
        judge = Generator(architecture, arrays, torch.device(device), "full", path)
        agreement = agreement_db(generator, judge)
        if not agreement >= WANTED_DB:
            log.warning("half precision is wrong here, %.0f dB from float32: full is used", agreement)
            generator = judge
            if generator.device.type == "cuda":
                generator.check_fused_path()
    log.info("%s on %s: %s", path.name, device, generator.backend)
    return generator


def agreement_db(generator: "Generator", judge: "Generator") -> float:
    """Peak (2) to noise of the difference of two generators' average picture, in dB; on a card the judge takes its plain path."""
    w = judge.broadcast(judge.w_avg[None])
    wanted = judge.synthesize_float(w) if judge.device.type == "cpu" else judge.judge(w)
    return psnr_db(generator.synthesize_float(w), wanted)


def psnr_db(given: Float32[Tensor, "n c h w"], wanted: Float32[Tensor, "n c h w"]) -> float:
    """Peak (2, of -1..1) to noise of pictures on any device, in dB; 200 at most."""
    d = given.cpu().double() - wanted.cpu().double()  # MPS has no float64
    return float(10 * torch.log10(4 / d.square().mean().clamp_min(4e-20)))


class Generator:
    """StyleGAN3 for inference. Its tensors carry no gradient; equal inputs give equal outputs, bit for bit.

    Also whatever the number of threads, and whether pictures are made alone or several at once (see threads.side_by_side).
    A batch gives the pictures of its rows: bit for bit on the fused path, within rounding on the plain one.
    """

    def __init__(
        self,
        architecture: Architecture,
        arrays: Arrays,
        device: torch.device,
        precision: str = "full",
        path: Path | None = None,
    ) -> None:
        self.config = architecture
        self.device = device
        self.precision = precision
        self.path = path
        self.z_dim = architecture.z_dim
        self.w_dim = architecture.w_dim
        self.c_dim = architecture.c_dim
        self.num_ws = architecture.num_ws
        self.img_resolution = architecture.img_resolution
        self.img_channels = architecture.img_channels
        if device.type == "cpu":
            keep_memory()
        weights = with_defaults(architecture, {name: torch.from_numpy(array) for name, array in arrays.items()}, device)
        self.w_avg: Float32[Tensor, "w_dim"] = weights("mapping.w_avg")
        with torch.no_grad():
            self._mapping = MappingNetwork.prepare(architecture, weights)
            chosen = layer_precision(precision == "half", device)
            plain = SynthesisNetwork.prepare(architecture, weights, chosen)
            self.plain = plain
            """The plain path: the judge of every other."""
            self._synthesis: SynthesisNetwork | FastSynthesis = plain
            self.backend = f"the plain path, {precision} precision"
            """How pictures are made, in words."""
            reason = why_not(architecture, weights, chosen, device)
            if reason is None:
                self._synthesis = FastSynthesis.prepare(architecture, weights, chosen, plain)
                number = str(HALF[device.type].convolution).removeprefix("torch.") if precision == "half" else "float32"
                self.backend = f"the fused path, {number} convolutions"
            else:
                self.backend += f" ({reason})"

    @torch.no_grad()
    def check_fused_path(self) -> None:
        """Make a picture on both paths; where they differ or the fused one fails, take the plain one, with a line."""
        if self._synthesis is self.plain:
            return
        try:
            ends = self.map(torch.eye(1, self.z_dim), torch.zeros(1, self.c_dim) if self.c_dim else None)
            turned = torch.from_numpy(transform_matrix(20.0, (0.1, -0.2))).to(self.device)
            figures = []
            for w, transform in ((self.broadcast(self.w_avg[None]), None), (ends, turned)):  # recorded, then replayed
                with self._exactly():
                    made = self._synthesis(w, transform)
                figures.append(psnr_db(made, self.judge(w, transform)))
            agreement = np.min(figures)  # NaN where one is
            reason = (
                "" if agreement >= SAME_DB[self.precision] else f"is wrong here, {agreement:.0f} dB from the plain one"
            )
        except (
            Exception
        ) as error:  # whatever Triton, its compiler or the driver may raise: the show takes the other path
            reason = f"failed here: {' '.join(str(error).split())[:200] or type(error).__name__}"
        if reason:
            log.warning("the fused path %s: the plain path is used", reason)
            self._synthesis = self.plain
            self.backend = f"the plain path, {self.precision} precision"

    @torch.no_grad()
    def judge(
        self,
        w: Float32[Tensor, "n num_ws w_dim"],
        transform: Float32[Tensor, "3 3"] | None = None,
        shape: Shape | None = None,
    ) -> Float32[Tensor, "n channels height width"]:
        """Pictures by the plain path, in this generator's precision."""
        canvas = self._canvas(shape)
        with self._exactly():
            return self.plain(w, transform, canvas)

    @torch.no_grad()
    def map(
        self,
        z: Float[Array, "*n z_dim"],
        c: Float[Array, "*m c_dim"] | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> Float32[Tensor, "n num_ws w_dim"]:
        """One w for each row of the picture's layers from each z, truncated (see `truncate`).

        c: what a conditional generator wants, a one-hot row or any numbers; None for an unconditional one.
        Raises SettingError for wrong sizes, NaN and infinity.
        """
        z = self._checked(z, "z", self.z_dim)
        if c is None and self.c_dim:
            raise SettingError(
                f"this generator is conditional: give c ({len(z)}, {self.c_dim}), such as a one-hot class"
            )
        c = z.new_empty(len(z), 0) if c is None else self._checked(c, "c", self.c_dim)
        if len(c) != len(z):
            raise SettingError(f"c has {len(c)} rows, z has {len(z)}; one each is needed")
        return self.truncate(self.broadcast(self._mapping(z, c)), psi, cutoff)

    @torch.no_grad()
    def broadcast(self, w: Float[Array, "*n w_dim"]) -> Float32[Tensor, "n num_ws w_dim"]:
        """The same w for every layer. Raises SettingError for a wrong size, NaN and infinity."""
        return self._checked(w, "w", self.w_dim)[:, None].repeat(1, self.num_ws, 1)

    @torch.no_grad()
    def truncate(
        self, w: Float[Array, "*n num_ws w_dim"], psi: float = 1.0, cutoff: int | None = None
    ) -> Float32[Tensor, "n num_ws w_dim"]:
        """w_avg + psi (w - w_avg) in the first `cutoff` rows (None: in all; row 0 is the input's, then one a layer).

        psi 1 changes nothing, 0 gives the average picture. Raises SettingError for wrong sizes, NaN and infinity.
        """
        w = self._checked(w, "w", self.num_ws, self.w_dim)
        if not np.isfinite(psi):
            raise SettingError(f"psi is {psi}; a finite number is needed, usually 0 to 1.5")
        if cutoff is not None and not 0 <= cutoff <= self.num_ws:
            raise SettingError(f"cutoff is {cutoff}; this generator has 0 to {self.num_ws} rows to truncate")
        if psi == 1:
            return w.clone()
        rows = self.num_ws if cutoff is None else cutoff
        return torch.cat([self.w_avg + psi * (w[:, :rows] - self.w_avg), w[:, rows:]], dim=1)

    @torch.no_grad()
    def synthesize_float(
        self,
        w: Float[Array, "*n num_ws w_dim"],
        transform: Float[Array, "rows columns"] | None = None,
        shape: Shape | None = None,
    ) -> Float32[Tensor, "n 3 height width"]:
        """Pictures before clipping, nominally -1 to 1; a grey generator gives three equal channels.

        transform: see latents.transform_matrix; None is what the file was saved with, normally no motion.
        shape: rows and columns in pixels; None is the square. A larger shape continues the square to both sides, which
        keeps its place in the middle; each side must be even where the square's is (see canvas.fitting_shape).
        Raises SettingError for wrong sizes, NaN and infinity.
        """
        return self._made(w, transform, shape).contiguous()

    @torch.no_grad()
    def synthesize(
        self,
        w: Float[Array, "*n num_ws w_dim"],
        transform: Float[Array, "rows columns"] | None = None,
        shape: Shape | None = None,
    ) -> UInt8[Tensor, "height width 3"]:
        """One picture, on the generator's device: 127.5 x + 128 clipped to 0..255, truncated. w: (num_ws, w_dim), or (1, ...).

        transform, shape: as for `synthesize_float`.
        Raises SettingError for wrong sizes, NaN and infinity.
        """
        if w.ndim == 2:
            w = w[None]
        if len(w) != 1:
            raise SettingError(
                f"w holds {len(w)} pictures; synthesize makes one, synthesize_float as many as there are"
            )
        image = self._made(w, transform, shape)[0].permute(1, 2, 0)
        return image.mul_(127.5).add_(128).clamp_(0, 255).to(torch.uint8).contiguous()

    def _made(
        self, w: Float[Array, "..."], transform: Float[Array, "..."] | None, shape: Shape | None
    ) -> Float32[Tensor, "n 3 height width"]:
        """New pictures, in whatever order in memory they come."""
        canvas = self._canvas(shape)
        w = self._checked(w, "w", self.num_ws, self.w_dim)
        if transform is not None:
            transform = self._checked(transform, "transform", 3, batch=3)
        with self._exactly():
            image = self._synthesis(w, transform, canvas)
        return image.repeat(1, 3, 1, 1) if self.img_channels == 1 else image

    def _canvas(self, shape: Shape | None) -> Canvas | None:
        """What a shape is drawn on; None for the square, however it is asked for."""
        if shape is None or tuple(shape) == (self.img_resolution, self.img_resolution):
            return None
        return Canvas.of(self.config, shape)

    def _checked(self, array: Float[Array, "..."], name: str, *shape: int, batch: int | None = None) -> Tensor:
        """A float32 tensor on the device, of the shape (batch or any, *shape) and finite."""
        if isinstance(array, np.ndarray):
            array = torch.from_numpy(np.array(array, np.float32))  # a copy: what is given back never shares its memory
        tensor = array.detach().to(torch.float32)
        if tensor.shape[1:] != shape or batch not in (None, len(tensor)):
            wanted = ", ".join(str(n) for n in ("n" if batch is None else batch, *shape))
            raise SettingError(f"{name} has shape {tuple(tensor.shape)}, this generator takes ({wanted})")
        if not tensor.isfinite().all():
            raise SettingError(f"{name} holds NaN or infinity")
        return tensor.to(self.device)

    @contextmanager
    def _exactly(self) -> Iterator[None]:
        """On CUDA: the generator's card, no shortened float32 (TF32), and the same algorithms every time."""
        if self.device.type != "cuda":
            yield
            return
        cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.cuda.device(self.device), cudnn:
            yield
