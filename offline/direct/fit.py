"""Train a decoder: from standardised descriptors to pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from shared.errors import Failure
from shared.image.decoder import convolutions, decode
from shared.image.decoder_architecture import DecoderArchitecture
from shared.image.device import multiplies_bfloat16
from shared.preset.direct import DirectTraining

BATCH, PAIRS_IN_BATCH = 8, 2
SCALES = 3  # at which pictures and their edges are compared
CHECKED_EVERY = 100  # steps: the loss is read, which on a card waits for it


@dataclass(frozen=True, eq=False)
class Examples:
    """Moments of sound and their pictures, those of the pairs first.

    descriptors (n, d): inputs of the decoder, standardised. images (n, rows, columns, 3). pairs: how many.
    """

    descriptors: Float64[np.ndarray, "n d"]
    images: UInt8[np.ndarray, "n rows columns 3"]
    pairs: int

    def __len__(self) -> int:
        return len(self.descriptors)


def fit(
    architecture: DecoderArchitecture,
    examples: Examples,
    training: DirectTraining,
    on_step: Callable[[int], None],
    device: str = "cpu",
) -> dict[str, NDArray[np.float32]]:
    """The weights of a decoder. The same examples, settings, threads and machine give the same bits on a CPU.

    Adam (Kingma & Ba 2015), its rate falling to 0 along half a cosine; a CPU that has bfloat16 instructions computes the
    network in them, in half the time. on_step: called with the number of steps done; an
    exception from it ends the training. Raises Failure if the training diverges.
    """
    weights = initial(architecture, training.seed)
    weights = {name: weight.to(device).requires_grad_() for name, weight in weights.items()}
    x = torch.from_numpy(examples.descriptors.astype(np.float32)).to(device)
    images = torch.from_numpy(examples.images)
    adam = torch.optim.Adam(list(weights.values()), lr=training.learning_rate, fused=True)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, training.steps)
    is_half = device == "cpu" and multiplies_bfloat16()
    batches = batched(len(examples), examples.pairs, training.seed)
    for step in range(training.steps):
        on_step(step)
        chosen = next(batches)
        wanted = images[chosen].permute(0, 3, 1, 2).to(device).float() / 127.5 - 1
        with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
            pictures = decode(architecture, weights, convolutions(weights), x[chosen])
        loss = difference(pictures.float(), wanted)
        adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        adam.step()
        decay.step()
        if step % CHECKED_EVERY == 0 and not loss.isfinite():
            break
    learned = {name: weight.detach().cpu().numpy() for name, weight in weights.items()}
    if not all(np.isfinite(array).all() for array in learned.values()):
        raise Failure("the training diverged; lower learning_rate in the table [direct] of preset.toml")
    on_step(training.steps)
    return learned


def initial(architecture: DecoderArchitecture, seed: int) -> dict[str, Tensor]:
    """Random weights (He et al. 2015, for leaky ReLU), biases of 0.

    The last convolution begins with the same weights for the 2 x 2 pixels of a place: no checkerboard (Aitken et al. 2017).
    """
    chance = torch.Generator().manual_seed(seed)
    weights: dict[str, Tensor] = {}
    for name, shape in architecture.shapes.items():
        if name.endswith("bias"):
            weights[name] = torch.zeros(shape)
        else:
            weights[name] = torch.randn(shape, generator=chance) * (2 / np.prod(shape[1:])) ** 0.5
    last = f"convolution{len(architecture.channels) - 1}.weight"
    weights[last] = weights[last][::4].repeat_interleave(4, dim=0)
    return weights


def batched(examples: int, pairs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of the examples of each batch, endlessly: every batch holds some of the pairs, so that these are learned best."""
    chance = np.random.default_rng(seed)
    others = examples - pairs
    pair_numbers, rest = _shuffled(chance, pairs), _shuffled(chance, others)
    count = min(BATCH, pairs) if not others else min(PAIRS_IN_BATCH, pairs)
    while True:
        chosen = [next(pair_numbers) for _ in range(count)]
        if others:
            chosen += [pairs + next(rest) for _ in range(BATCH - count)]
        yield np.array(chosen, np.int64)


def _shuffled(chance: np.random.Generator, count: int) -> Iterator[int]:
    while True:
        yield from chance.permutation(count).tolist()


def difference(pictures: Float32[Tensor, "n 3 h w"], wanted: Float32[Tensor, "n 3 h w"]) -> Float32[Tensor, ""]:
    """Mean absolute difference of pictures and of their gradients, at full size and twice halved.

    Without the gradients a decoder that is unsure blurs (Mathieu et al. 2016, gradient difference loss).
    """
    total = torch.zeros((), device=pictures.device)
    for scale in range(SCALES):
        if scale:
            pictures, wanted = avg_pool2d(pictures, 2), avg_pool2d(wanted, 2)
        error = pictures - wanted
        total = total + error.abs().mean()
        total = total + error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return total
