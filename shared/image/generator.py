"""A generator from a file: latents in, pictures out."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from shared.errors import Failure, SettingError, one_line
from shared.image.architecture import Architecture
from shared.image.canvas import Canvas, Shape, map_bytes
from shared.image.card_memory import is_out_of_memory, out_of_memory
from shared.image.checkpoint import Arrays, read_checkpoint
from shared.image.device import HALF, pick_device, pick_precision, set_card_numerics
from shared.image.fast import FastSynthesis, Fused, to_image
from shared.image.latents import transform_matrix
from shared.image.memory import available_bytes, keep_memory
from shared.image.ops.cuda.nvrtc import KernelError
from shared.image.self_check import disagreement
from shared.image.stylegan3 import MappingNetwork, SynthesisNetwork, layer_precision, with_defaults

log = logging.getLogger(__name__)

Array = np.ndarray | Tensor
WANTED_DB = 45.0  # half precision against float32
HOST = torch.device("cpu")


def load_generator(path: str | Path, device: str = "cpu", precision: str = "full") -> "Generator":
    """Read a generator (.safetensors) and prepare it.

    device: "cpu", "cuda", "cuda:1", "mps". precision: "full" is float32; "half" is float16 (bfloat16 on a CPU) in the
    layers for which the checkpoint's design allows it. "auto" is half if the device computes in it and the average picture
    agrees with float32 to 45 dB; else full. The result is logged.
    Raises ModelError for a file that is damaged or not a generator, SettingError for a missing device, Failure if the
    memory of a card is too small.
    """
    device = pick_device(device)
    chosen = pick_precision(precision, device)
    path = Path(path)
    architecture, arrays = read_checkpoint(path, draws_on_cpu=device == "cpu")

    def prepare(precision: str) -> Generator:
        try:
            generator = Generator(architecture, arrays, torch.device(device), precision, path)
            if generator.device.type == "cuda":
                generator.check_fused_path()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise out_of_memory(path.name, architecture, torch.device(device), precision) from error
            raise
        return generator

    generator = prepare(chosen)
    if precision == "auto" and chosen == "half":
        generator = _proved(generator, prepare)
    log.info("%s on %s: %s", path.name, device, generator.backend)
    return generator


def _proved(half: "Generator", prepare: Callable[[str], "Generator"]) -> "Generator":
    """The generator in half precision if it agrees with float32, else in full precision."""
    try:
        full = prepare("full")
        agreement = agreement_db(half, full)
    except Failure as error:  # a card whose memory holds half precision only
        log.warning("half precision is used without a comparison with float32: %s", error)
        return half
    if agreement >= WANTED_DB:
        return half
    log.warning("half precision is wrong here, %.0f dB from float32: full precision is used", agreement)
    return full


def agreement_db(generator: "Generator", judge: "Generator") -> float:
    """Peak (2) to noise ratio of the difference between two generators' average pictures, in dB."""
    w = judge.broadcast(judge.w_avg[None])
    return psnr_db(generator.synthesize_float(w), judge.synthesize_float(w))


def psnr_db(picture: Float32[Tensor, "n c h w"], expected: Float32[Tensor, "n c h w"]) -> float:
    """Peak (2, of -1..1) to noise ratio of pictures on any device, in dB; 200 at most."""
    d = picture.cpu().double() - expected.cpu().double()  # MPS has no float64
    return float(10 * torch.log10(4 / d.square().mean().clamp_min(4e-20)))


class Generator:
    """StyleGAN3 for inference. Its tensors carry no gradient; equal inputs give equal outputs, bit for bit.

    That holds for any number of threads, and for pictures made alone or several at once (see threads.side_by_side).
    A batch gives the pictures of its rows: bit for bit on the fused path, within rounding on the plain one.
    w lies on the CPU, as the mapping network is small; pictures lie on the device.
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
        if device.type == "cuda":
            set_card_numerics()
            self.device = device if device.index is not None else torch.device("cuda", torch.cuda.current_device())
        stored = {name: torch.from_numpy(array) for name, array in arrays.items()}
        on_host = with_defaults(architecture, stored, HOST)
        self.weights = with_defaults(architecture, stored, self.device)
        """The stored tensors by name, float32 on the device."""
        self.w_avg: Float32[Tensor, "w_dim"] = on_host("mapping.w_avg")
        with torch.no_grad(), self._on_device():
            self._mapping = MappingNetwork.prepare(architecture, on_host)
            self._precisions = layer_precision(precision == "half", device)
            self.plain = SynthesisNetwork.prepare(architecture, self.weights, self._precisions)
            """The plain path, the reference for the fused one."""
            self.synthesis: SynthesisNetwork | FastSynthesis = self.plain
            """The path that draws pictures: the fused one, or else the plain one."""
            self.backend = self._plain_backend()
            """The path that draws pictures, in words."""
            reason = self._prepare_fused()
            if reason:
                self.backend += f" ({reason})"
                if self.device.type == "cuda":
                    log.warning("%s: the plain path is used", reason)

    @property
    def fast(self) -> FastSynthesis | None:
        """The device's fused path; None if the plain one is used."""
        return self.synthesis if isinstance(self.synthesis, FastSynthesis) else None

    def _plain_backend(self) -> str:
        return f"the plain path, {self.precision} precision"

    def _prepare_fused(self) -> str | None:
        """Take the device's fused path; otherwise the reason in words."""
        if self.device.type == "cpu":
            from shared.image import fused_cpu

            if reason := fused_cpu.why_not(self.config, self.weights, self._precisions):
                return reason
            fused: Fused = fused_cpu.FusedCpu()
        elif self.device.type == "cuda":
            from shared.image import fused_cuda

            if reason := fused_cuda.why_not(self.config, self.weights):
                return reason
            fused = fused_cuda.FusedCuda()
        else:
            return f"there is no fused path for {self.device.type}"
        try:
            self.synthesis = FastSynthesis.prepare(self.config, self.weights, self._precisions, self.plain, fused)
        except KernelError as error:
            return f"the CUDA kernel cannot be used: {one_line(error)[:300]}"
        number = (
            str(HALF[self.device.type].convolution).removeprefix("torch.") if self.precision == "half" else "float32"
        )
        self.backend = f"the fused path, {number} convolutions"
        return None

    @torch.no_grad()
    def check_fused_path(self) -> None:
        """Compare the fused path with the plain one, operator by operator; if it is wrong or fails, use the plain one and warn.

        A lack of memory is no verdict: it is raised.
        """
        if (fast := self.fast) is None:
            return
        try:
            ends = self.map(torch.eye(1, self.z_dim), torch.zeros(1, self.c_dim) if self.c_dim else None)
            turned = torch.from_numpy(transform_matrix(20.0, (0.1, -0.2))).to(self.device)
            reason = ""
            with self._on_device():
                for w, transform in ((self.broadcast(self.w_avg[None]), self.plain.transform), (ends, turned)):
                    reason = reason or disagreement(
                        fast,
                        self.plain,
                        self.config,
                        self.weights,
                        w.to(self.device),
                        transform,
                        self.precision,
                    )
            reason = reason and f"is wrong here ({reason})"
        except Exception as error:  # whatever NVRTC, cuDNN or the driver may raise: the show takes the other path
            if is_out_of_memory(error):
                raise
            reason = f"failed here: {one_line(error)[:200]}"
        if reason:
            log.warning("the fused path %s: the plain path is used", reason)
            self.synthesis = self.plain
            self.backend = self._plain_backend()

    @torch.no_grad()
    def judge(
        self,
        w: Float32[Tensor, "n num_ws w_dim"],
        transform: Float32[Tensor, "3 3"] | None = None,
        shape: Shape | None = None,
    ) -> Float32[Tensor, "n channels height width"]:
        """Pictures by the plain path, in this generator's precision."""
        canvas = self._canvas(shape)
        with self._on_device():
            return self.plain(w.to(self.device), None if transform is None else transform.to(self.device), canvas)

    @torch.no_grad()
    def map(
        self,
        z: Float[Array, "*n z_dim"],
        c: Float[Array, "*m c_dim"] | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> Float32[Tensor, "n num_ws w_dim"]:
        """W for every layer from each z, truncated (see `truncate`).

        c: the class of a conditional generator, a one-hot row or any numbers; None for an unconditional one.
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
        """Repeat w for every layer. Raises SettingError for a wrong size, NaN and infinity."""
        return self._checked(w, "w", self.w_dim)[:, None].repeat(1, self.num_ws, 1)

    @torch.no_grad()
    def truncate(
        self, w: Float[Array, "*n num_ws w_dim"], psi: float = 1.0, cutoff: int | None = None
    ) -> Float32[Tensor, "n num_ws w_dim"]:
        """w_avg + psi (w - w_avg) in the first `cutoff` rows (None: all; row 0 is for the input, then one row per layer).

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

        transform: see latents.transform_matrix; None is the one stored in the file, normally no motion.
        shape: rows and columns in pixels; None is the square. A larger shape continues the square to both sides, which
        keeps its place in the middle; each side must be even if the square's is (see canvas.fitting_shape).
        Raises SettingError for wrong sizes, NaN and infinity, Failure if the memory of a card is too small.
        """
        picture = self._run(self.synthesis, w, transform, shape)
        return (picture.repeat(1, 3, 1, 1) if self.img_channels == 1 else picture).contiguous()

    @torch.no_grad()
    def synthesize(
        self,
        w: Float[Array, "*n num_ws w_dim"],
        transform: Float[Array, "rows columns"] | None = None,
        shape: Shape | None = None,
    ) -> UInt8[Tensor, "height width 3"]:
        """One picture, on the generator's device: 127.5 x + 128 clipped to 0..255, truncated. w: (num_ws, w_dim), or (1, ...).

        transform, shape: as for `synthesize_float`.
        On a card this does not wait for the picture; reading it does (see `download`).
        Raises SettingError for wrong sizes, NaN and infinity, Failure if the memory of a card is too small.
        """
        if w.ndim == 2:
            w = w[None]
        if len(w) != 1:
            raise SettingError(f"w holds {len(w)} pictures; synthesize makes one, synthesize_float any number")
        if self.fast is not None and self.device.type == "cuda":
            return self._run(self.fast.image, w, transform, shape)
        return to_image(self._run(self.synthesis, w, transform, shape))

    def _run(
        self,
        make: Callable[[Tensor, Tensor | None, Canvas | None], Tensor],
        w: Float[Array, "..."],
        transform: Float[Array, "..."] | None,
        shape: Shape | None,
    ) -> Tensor:
        """make(w, transform, canvas), with all checked. A graph takes them from the CPU, everything else on the device."""
        canvas = self._canvas(shape)
        w = self._checked(w, "w", self.num_ws, self.w_dim)
        if transform is not None:
            transform = self._checked(transform, "transform", 3, batch=3)
        if self.fast is None or self.device.type != "cuda":
            w = w.to(self.device)
            transform = None if transform is None else transform.to(self.device)
        try:
            with self._on_device():
                return make(w, transform, canvas)
        except RuntimeError as error:
            if self.device.type == "cuda" and is_out_of_memory(error):
                name = self.path.name if self.path else "the generator"
                raise out_of_memory(name, self.config, self.device, self.precision) from error
            raise

    def _canvas(self, shape: Shape | None) -> Canvas | None:
        """The canvas of a shape; None for the square, however it is asked for."""
        if shape is None or tuple(shape) == (self.img_resolution, self.img_resolution):
            return None
        canvas = Canvas.of(self.config, shape)
        free = available_bytes() if self.device.type == "cpu" else None
        if free is not None and (needed := map_bytes(self.config, canvas)) > free:
            raise SettingError(
                f"a picture of {shape[0]} x {shape[1]} pixels needs about {needed / 2**30:.1f} GB of memory, {free / 2**30:.1f} GB "
                "are free; choose a smaller shape"
            )
        return canvas

    def _checked(self, array: Float[Array, "..."], name: str, *shape: int, batch: int | None = None) -> Tensor:
        """A float32 tensor on the CPU, of the shape (batch or any, *shape) and finite, in memory of its own."""
        tensor = (
            torch.from_numpy(np.array(array, np.float32))
            if isinstance(array, np.ndarray)
            else array.detach().to(HOST, torch.float32, copy=True)
        )
        if tensor.shape[1:] != shape or batch not in (None, len(tensor)):
            expected = ", ".join(str(n) for n in ("n" if batch is None else batch, *shape))
            raise SettingError(f"{name} has shape {tuple(tensor.shape)}, this generator takes ({expected})")
        if not tensor.isfinite().all():
            raise SettingError(f"{name} holds NaN or infinity")
        return tensor

    def _on_device(self) -> AbstractContextManager[object]:
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()
