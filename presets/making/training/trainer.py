"""A training run: a network, heads on its layers, optimisers, and the training step."""

import copy
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn.functional import conv2d

from offline.training.generator import TrainableGenerator
from presets.making.fields import Fields
from presets.making.rendering import Rendering
from presets.making.training.lesson import Lesson, lesson
from presets.making.training.losses import TextureLoss, picture_loss, slopes
from presets.making.training.muon import Muon
from presets.making.training.recipe import Recipe
from presets.making.training.start import fit_mapping, held, prepare, projection
from shared.image.checkpoint import write_checkpoint

HEADS = ("fields", "buffers", "preview")
"""Targets of intermediate layers during training; see `Recipe.heads`."""
WEIGHTS = {"fields": 1.0, "buffers": 0.4, "preview": 1.0, "picture": 1.0}
PREVIEW_LATER = 0.3
"""The preview's weight in the last stage."""
AVERAGE = 0.995
"""Decay of the weights' moving average per step."""
WARM_UP = 60
MAPPING_LR_MULTIPLIER = 0.1
FINAL_RATE = 0.02
SETTLE, FREEZE = 300, 0.7
"""magnitude_ema follows quickly for the first SETTLE steps of a stage, and is frozen after the share FREEZE of the last one."""
LARGEST_NORM = 1.0
PARTS = 2
"""Parts of a step's scenes that are trained in parallel, a core each."""
LIFT = 1.2
"""Added to pictures of -1..1 in layers that pass one on."""


def one_thread() -> None:
    """Let torch compute in the calling thread alone, and flush denormal numbers, which slow exponential tails down greatly."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


class Learned(NamedTuple):
    """Losses and gradients of a part of a step's scenes."""

    scenes: int
    losses: dict[str, float]
    gradients: list[Tensor | None]
    """Gradient of the loss for each of `Trainer.learning`."""
    magnitudes: list[Tensor]
    """Mean squares of the layers' outputs."""


class Side(NamedTuple):
    """The network and the heads for one thread: separate parameters that share their memory.

    Two threads that compute gradients of the same tensor can deadlock: torch 2.13 locks the tensor and the interpreter in
    either order.
    """

    network: TrainableGenerator
    heads: nn.ParameterDict
    learning: list[nn.Parameter]

    @classmethod
    def of(cls, network: TrainableGenerator, heads: nn.ParameterDict, learning: list[nn.Parameter]) -> "Side":
        """A copy of the modules on the same memory."""
        shared = [*network.parameters(), *heads.parameters()]
        own = {id(p): nn.Parameter(p.data, p.requires_grad) for p in shared}
        memo: dict[int, object] = {**own, **{id(buffer): buffer for buffer in network.buffers()}}
        both = copy.deepcopy((network, heads), memo)
        return cls(*both, [own[id(p)] for p in learning])


class Trainer:
    """The state of a run. All random numbers depend on the recipe's seed and the step's number."""

    def __init__(self, recipe: Recipe, threads: int = PARTS) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.fields = Fields(recipe.world.layout, recipe.seed)
        self.to_p = projection(recipe.seed, recipe.world.layout.parameters, recipe.architecture.z_dim)
        self.network = TrainableGenerator(recipe.architecture, MAPPING_LR_MULTIPLIER)
        prepare(self.network, self.fields, self.to_p)
        for name, weight in self.network.trained.items():
            weight.requires_grad_(not name.startswith(("mapping", "synthesis/input", "synthesis/L0")))
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.texture = TextureLoss(recipe.seed)
        generator = torch.Generator().manual_seed(recipe.seed + 1)
        self.shown_z = torch.randn(recipe.shown, self.to_p.shape[1], generator=generator)
        rates = [layer.target.sampling_rate for layer in self.network.layers]
        last = {rate: i for i, rate in enumerate(rates)}
        fields, buffers, preview = recipe.heads
        self.layer_of = {"fields": rates.index(fields), "buffers": rates.index(buffers), "preview": last[preview]}
        still = self.fields.steer(torch.zeros(1, recipe.world.layout.parameters))
        drawn = recipe.world.render(self.fields, still, 4)
        self.heads = nn.ParameterDict()
        for head, outputs in zip(HEADS, (drawn.fields.shape[1], drawn.buffers.shape[1], 3), strict=True):
            inputs = self.network.layers[self.layer_of[head]].target.channels
            self.heads[f"{head}_weight"] = nn.Parameter(torch.zeros(outputs, inputs, 1, 1))
            self.heads[f"{head}_bias"] = nn.Parameter(torch.zeros(outputs))
        stored = dict(self.network.trained.items())
        trained = {name: weight for name, weight in stored.items() if weight.requires_grad}
        kernels = {name: weight for name, weight in trained.items() if weight.ndim == 4 and weight.shape[2] > 1}
        others = [weight for name, weight in trained.items() if name not in kernels]
        self.muon = Muon(kernels)
        self.adam = torch.optim.Adam([*others, *self.heads.values()], betas=(0.9, 0.98))
        self.learning = [*kernels.values(), *others, *self.heads.values()]
        self.step_number = 0
        self.cpu_seconds = 0.0
        self._pool = ThreadPoolExecutor(threads, "learning", one_thread)
        self._sides = [Side.of(self.network, self.heads, self.learning) for _ in range(PARTS)]

    @property
    def steps(self) -> int:
        """Number of steps of the whole run."""
        return sum(stage.iterations for stage in self.recipe.stages)

    def place(self, number: int) -> tuple[int, int]:
        """The stage of a step and its number within it."""
        done = number
        for i, stage in enumerate(self.recipe.stages):
            if done < stage.iterations or i == len(self.recipe.stages) - 1:
                return i, done
            done -= stage.iterations
        raise ValueError("a recipe without stages")

    def rate(self) -> float:
        """Factor of all learning rates: rises at the start of each stage, falls in the last one."""
        stage, step = self.place(self.step_number)
        rate = min(1.0, 0.1 + step / WARM_UP)
        if stage == len(self.recipe.stages) - 1:
            left = (1 - step / self.recipe.stages[-1].iterations) / self.recipe.decay
            if left < 1:
                rate *= FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 - math.cos(math.pi * max(left, 0)))
        return rate

    def step(self) -> dict[str, float]:
        """Take one step; return the parts of its loss. Scenes are split into PARTS, so the result is the same on any machine."""
        began = time.process_time()
        number, within = self.place(self.step_number)
        stage, is_last = self.recipe.stages[number], number == len(self.recipe.stages) - 1
        if self.step_number == 0:
            self.begin()
        if within == 0:
            self.settle(None if is_last else self.layer_of[stage.reach] + 1, stage.window)
            for head in self.heads_of(number):
                self.fit_head(head, stage.window)
            if is_last:
                self.extend()
        parts = lesson(self.recipe, self.step_number, stage.window).parts(PARTS)
        learned = list(self._pool.map(self._learn, parts, self._sides, [number] * len(parts)))
        shares = [part.scenes / self.recipe.batch for part in learned]
        for i, weight in enumerate(self.learning):
            weighted = [
                share * g for share, part in zip(shares, learned, strict=True) if (g := part.gradients[i]) is not None
            ]
            weight.grad = torch.stack(weighted).sum(dim=0) if weighted else None
        if not (is_last and within > FREEZE * stage.iterations):
            follow = 0.02 if within < SETTLE else 0.002
            for layer, *found in zip(self.network.layers[1:], *(part.magnitudes for part in learned), strict=False):
                mean = sum((share * each for share, each in zip(shares, found, strict=True)), torch.zeros(()))
                self.network.get(f"synthesis.{layer.name}.magnitude_ema").lerp_(mean, follow)
        self._move(self.rate())
        self.step_number += 1
        self.cpu_seconds += time.process_time() - began
        return {
            name: sum(share * part.losses[name] for share, part in zip(shares, learned, strict=True))
            for name in learned[0].losses
        }

    def _learn(self, work: Lesson, side: "Side", number: int) -> Learned:
        """Compute losses and gradients for a part of the scenes in a stage."""
        recipe, window = self.recipe, self.recipe.stages[number].window
        is_last, heads = recipe.stages[number].reach == "picture", self.heads_of(number)
        w, steering = self.scenes(work)
        drawn = {
            rate: self.wanted(steering, rate, work.transforms, window)
            for rate in {self.rate_of(head) for head in heads} | ({recipe.resolution} if is_last else set())
        }
        seen: dict[int, Tensor] = {}
        depth = None if is_last else self.layer_of[recipe.stages[number].reach] + 1
        picture = side.network.synthesize(w, work.transforms, window=window, depth=depth, visit=seen.__setitem__)
        parts, weights = {}, WEIGHTS | {"texture": recipe.texture}
        for head in heads:
            given = self.read(head, seen[self.layer_of[head]], side.heads)
            wanted = self.wanted_of(head, drawn[self.rate_of(head)])
            d = given - wanted
            parts[head] = picture_loss(given, wanted) if head == "preview" else d.abs().mean() + 3 * d.square().mean()
        if is_last:
            target = drawn[recipe.resolution].picture
            parts["picture"] = picture_loss(picture, target)
            parts["texture"] = self.texture(picture, target)
            weights["preview"] = PREVIEW_LATER
        loss = sum((weights[name] * part for name, part in parts.items()), torch.zeros(()))
        gradients = torch.autograd.grad(loss, side.learning, allow_unused=True)
        magnitudes = [seen[i].detach().square().mean() for i in sorted(seen)]
        return Learned(
            len(w), {name: float(part.detach()) for name, part in parts.items()}, list(gradients), magnitudes
        )

    @torch.no_grad()
    def scenes(self, work: Lesson) -> tuple[Float32[Tensor, "n w_dim"], Float32[Tensor, "n steering"]]:
        """The w of each scene and the steering values in it. Rendering those keeps errors of the mapping out of the loss."""
        w = torch.lerp(self.network.map(work.z), self.network.map(work.other_z), work.between)
        return w, held(w, self.fields)

    def begin(self) -> None:
        """Train the mapping, alone; it does not change afterwards."""
        weights = [weight for name, weight in self.network.trained.items() if name.startswith("mapping")]
        for weight in weights:
            weight.requires_grad_(True)
        fit_mapping(self.network, self.fields, self.to_p, self.recipe.mapping_steps, self.recipe.seed)
        for weight in weights:
            weight.requires_grad_(False)
            weight.grad = None

    @torch.no_grad()
    def settle(self, depth: int | None, window: float, lessons: int = 6) -> None:
        """Update magnitude_ema for the present weights."""
        for number in range(lessons):
            work = lesson(self.recipe, -1 - number, window)
            w, _ = self.scenes(work)
            self.network.synthesize(w, work.transforms, window=window, depth=depth, beta=0.5)

    def _move(self, rate: float) -> None:
        (group,) = self.adam.param_groups
        group["lr"] = self.recipe.adam_rate * rate
        nn.utils.clip_grad_norm_(group["params"], LARGEST_NORM)
        self.adam.step()
        self.muon.step(self.recipe.muon_rate * rate)
        with torch.no_grad():
            follow = max(1 - AVERAGE, 1 / (self.step_number + 1))
            for name, weight in self.network.trained.items():
                self.average.trained[name].lerp_(weight, follow)
            for name, buffer in self.network.named_buffers():
                self.average.get_buffer(name).copy_(buffer)

    def inside(self, x: Tensor) -> Tensor:
        """A layer's output without its margin."""
        margin = self.recipe.architecture.margin_size
        return x[:, :, margin:-margin, margin:-margin]

    def read(self, head: str, x: Tensor, heads: nn.ParameterDict | None = None) -> Tensor:
        """A head's output for its layer's output, without the margin."""
        heads = heads or self.heads
        return conv2d(self.inside(x), heads[f"{head}_weight"], heads[f"{head}_bias"])

    def heads_of(self, stage: int) -> tuple[str, ...]:
        """The heads that are trained in a stage."""
        reach = self.recipe.stages[stage].reach
        return HEADS if reach == "picture" else HEADS[: HEADS.index(reach) + 1]

    def rate_of(self, head: str) -> int:
        """Sampling rate of a head's layer, in samples per picture width."""
        return self.network.layers[self.layer_of[head]].target.sampling_rate

    @staticmethod
    def wanted_of(head: str, drawn: Rendering) -> Tensor:
        """A head's target."""
        return {"fields": drawn.fields, "buffers": drawn.buffers, "preview": drawn.picture}[head]

    @torch.no_grad()
    def fit_head(self, head: str, window: float, lessons: int = 6) -> None:
        """Fit a head to the present output of its layer (ridge regression)."""
        inputs, outputs = [], []
        for number in range(lessons):
            work = lesson(self.recipe, -1 - number, window)
            seen: dict[int, Tensor] = {}
            w, steering = self.scenes(work)
            depth = self.layer_of[head] + 1
            self.network.synthesize(w, work.transforms, window=window, depth=depth, visit=seen.__setitem__)
            inputs.append(self.inside(seen[depth - 1]).permute(0, 2, 3, 1).flatten(0, 2))
            drawn = self.wanted(steering, self.rate_of(head), work.transforms, window)
            outputs.append(self.wanted_of(head, drawn).permute(0, 2, 3, 1).flatten(0, 2))
        x, y = torch.cat(inputs), torch.cat(outputs)
        x = torch.cat([x, torch.ones(len(x), 1)], dim=1)
        solution = torch.linalg.solve(x.T @ x / len(x) + 1e-3 * torch.eye(x.shape[1]), x.T @ y / len(x)).T
        self.heads[f"{head}_weight"].copy_(solution[:, :-1, None, None])
        self.heads[f"{head}_bias"].copy_(solution[:, -1])

    @torch.no_grad()
    def extend(self) -> None:
        """Make the layers after the preview's pass its picture on, so that they start from it and only add detail.

        Red, green and blue have a channel each, raised by LIFT so that nearly all values pass the leaky ReLU unchanged.
        """
        window = self.recipe.stages[-1].window
        self.fit_head("preview", window)
        network, first = self.network, self.layer_of["preview"] + 1
        matrix, shift = self.heads["preview_weight"][:, :, 0, 0], self.heads["preview_bias"] + LIFT
        work = lesson(self.recipe, -1, window)
        w, each, size = self.scenes(work)[0], torch.arange(len(matrix)), torch.ones(len(matrix))
        for i in range(first, len(network.layers)):
            layer = network.layers[i]
            prefix = f"synthesis.{layer.name}"
            kernel, bias = network.get(f"{prefix}.weight"), network.get(f"{prefix}.bias")
            x = network.synthesize(w, work.transforms, window=window, depth=i)
            network.get(f"{prefix}.magnitude_ema").copy_(x.square().mean())
            gain = float(x.square().mean().rsqrt())
            rows = slice(0, len(matrix))
            kernel[rows], bias[rows] = 0.0, 0.0
            middle = layer.kernel // 2
            if layer.is_torgb:  # its rows are not normalised: undo the scaling of the layers before
                scale = self.recipe.architecture.output_scale
                kernel.zero_()
                kernel[each, each, 0, 0] = math.sqrt(kernel.shape[1]) / (gain * scale) / size
                bias.copy_(torch.full_like(bias, -LIFT / scale))
            elif i == first:
                length = matrix.norm(dim=1)
                kernel[rows, :, middle, middle] = matrix
                bias[rows] = gain * shift / length
                size = math.sqrt(2) * gain / length
            else:
                kernel[each, each, middle, middle] = 1.0
                size = size * math.sqrt(2) * gain
            if not layer.is_torgb:
                kernel.mul_(kernel.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt())
        for name, weight in network.trained.items():
            self.average.trained[name].copy_(weight)

    @torch.no_grad()
    def wanted(self, steering: Tensor, rate: int, transforms: Tensor | None = None, window: float = 1.0) -> Rendering:
        """Render the scenes at `rate` pixels per picture width, a few at a time so that they fit into the processor's cache."""
        size = round(rate * window)
        few = max(1, 2**16 // size**2)
        parts = []
        for i in range(0, len(steering), few):
            moved = None if transforms is None else transforms[i : i + few]
            parts.append(self.recipe.world.render(self.fields, steering[i : i + few], size, moved, window))
        columns = zip(*((part.picture, part.fields, part.buffers) for part in parts), strict=True)
        return Rendering(*(torch.cat(column) for column in columns))

    @torch.no_grad()
    def show(self) -> tuple[Float32[np.ndarray, "n 3 h w"], Float32[np.ndarray, "n 3 h w"], dict[str, float]]:
        """Pictures of validation scenes by the averaged weights, the renderer's of the same scenes, and their comparison.

        l1: mean absolute difference, in units of -1..1. psnr: dB. edges: energy of the slopes relative to the renderer's.
        """
        w = self.average.map(self.shown_z)
        wanted = self.wanted(held(w, self.fields), self.recipe.resolution).picture
        given = torch.cat(
            [
                self.average.synthesize(rows, torch.eye(3)).clamp(-1, 1)
                for rows in (w[i : i + 4] for i in range(0, len(w), 4))
            ]
        )
        d = given - wanted
        energy = [sum(float(s.square().mean()) for s in slopes(x)) for x in (given, wanted)]
        found = {"l1": float(d.abs().mean()), "psnr": float(10 * torch.log10(4 / d.square().mean()))}
        found |= {"edges": energy[0] / energy[1]}
        return given.numpy(), wanted.numpy(), found

    @torch.no_grad()
    def export(self, path: Path) -> None:
        """Write the averaged weights to a generator file, in float16."""
        generator = torch.Generator().manual_seed(self.recipe.seed + 2)
        z = torch.randn(4096, self.to_p.shape[1], generator=generator)
        self.average.get("mapping.w_avg").copy_(self.average.map(z).mean(dim=0))
        write_checkpoint(path, self.recipe.architecture, self.average.arrays(), half=True)
