"""state.safetensors: what the pipeline remembered when the recording began."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from shared.controls import Value
from shared.errors import PresetError
from shared.mapping.scaling import Standardizer
from shared.picture import Picture
from shared.pipeline.exchanges import Steer, UseMapping
from shared.pipeline.state import LayerState, PipelineState, Waiting
from shared.preset import Preset, tensorfile
from shared.preset.pairs import LatentSpace
from shared.recording.entries import ChangeLine, describe, understand
from shared.recording.snapshots import Snapshots
from shared.stage import State

Arrays = dict[str, NDArray[Any]]
Plain = bool | float | str | tuple[float, float]


class _Layer(msgspec.Struct):
    preset: str
    values: dict[str, Plain]
    began: int
    fade: int


class _Picture(msgspec.Struct):
    """One of a chain, the uppermost first; its latent is among the arrays."""

    preset: int
    space: LatentSpace
    truncation: float
    rotate: float
    translate: tuple[float, float]
    level: float
    mix: float


class _Facts(msgspec.Struct):
    fps: str
    samples: int
    frames: int
    ticks: int
    layers: list[_Layer]
    values: dict[str, Plain]
    waiting: dict[str, list[tuple[int, ChangeLine]]]
    """With what they act on; each with its place in the order of asking."""
    first_change: int | None
    black: str
    steer_space: LatentSpace
    last: list[_Picture]
    last_presets: list[str]


def write(path: Path, state: PipelineState, snapshots: Snapshots) -> None:
    """Write it, the presets and mappings that it needs into the recording beside it."""
    arrays: Arrays = {"sounding": state.sounding, **_under("analyzer", state.analyzer), **_under("gate", state.gate)}
    if state.scaler is not None:
        arrays |= {"scaler.mean": state.scaler.mean, "scaler.deviation": state.scaler.deviation}
    if state.steer.latent is not None:
        arrays["steer"] = state.steer.latent
    layers = []
    for number, of in enumerate(state.layers):
        arrays |= _under(f"layer{number}", of.voice)
        layers.append(_Layer(snapshots.preset(of.preset, of.mapping, of.pairs), _plain(of.values), of.began, of.fade))
    waiting = {
        level: [(asked, describe(state.samples, sample, what, snapshots)) for sample, asked, what in entries]
        for level, entries in state.waiting.items()
    }
    generators = [preset.generator_sha256 for preset in state.last_presets]
    last: list[_Picture] = []
    picture = state.last
    while picture is not None:
        arrays[f"last{len(last)}"] = picture.latent
        of_preset = generators.index(picture.generator)
        last.append(
            _Picture(
                of_preset,
                picture.space,
                picture.truncation,
                picture.rotate,
                picture.translate,
                picture.level,
                picture.mix,
            )
        )
        picture = picture.under
    facts = _Facts(
        str(state.fps),
        state.samples,
        state.frames,
        state.ticks,
        layers,
        _plain(state.values),
        waiting,
        state.first_change,
        str(state.black),
        state.steer.space,
        last,
        [snapshots.preset(preset) for preset in state.last_presets],
    )
    tensorfile.write(path, "state", arrays, msgspec.to_builtins(facts))


def read(path: Path, preset: Callable[[str], Preset], learned: Callable[[str], UseMapping]) -> PipelineState:
    """Read it; PresetError where it, or what it needs, is missing or damaged."""
    arrays, plain = tensorfile.read(path, "state", {"sounding": (None,)})
    try:
        facts = msgspec.convert(plain, _Facts)
        return _state(facts, arrays, preset, learned)
    except (msgspec.ValidationError, KeyError, ValueError) as error:
        raise PresetError(f"{path} is damaged ({error}); without it the recording cannot be played") from error


def _state(
    facts: _Facts, arrays: Arrays, preset: Callable[[str], Preset], learned: Callable[[str], UseMapping]
) -> PipelineState:
    layers = []
    for number, of in enumerate(facts.layers):
        kept = preset(of.preset)
        voice = _of(f"layer{number}", arrays)
        layers.append(LayerState(kept, kept.mapping, kept.pairs, voice, _values(of.values), of.began, of.fade))
    last_presets = tuple(preset(name) for name in facts.last_presets)
    last: Picture | None = None
    for number, of_last in reversed(list(enumerate(facts.last))):
        last = Picture(
            last_presets[of_last.preset].generator_sha256,
            arrays[f"last{number}"],
            of_last.space,
            of_last.truncation,
            of_last.rotate,
            of_last.translate,
            of_last.level,
            last,
            of_last.mix,
        )
    scaler = "scaler.mean" in arrays
    return PipelineState(
        Fraction(facts.fps),
        facts.samples,
        facts.frames,
        facts.ticks,
        tuple(layers),
        _values(facts.values),
        {
            level: tuple(Waiting(line.sample, asked, understand(line, preset, learned)) for asked, line in lines)
            for level, lines in facts.waiting.items()
        },
        facts.first_change,
        _of("analyzer", arrays),
        _of("gate", arrays),
        arrays["sounding"],
        Standardizer(arrays["scaler.mean"], arrays["scaler.deviation"]) if scaler else None,
        Fraction(facts.black),
        Steer(arrays.get("steer"), facts.steer_space),
        last,
        last_presets,
    )


def _under(part: str, state: State) -> Arrays:
    return {f"{part}:{name}": array for name, array in state.items()}


def _of(part: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(f"{part}:"): array for name, array in arrays.items() if name.startswith(f"{part}:")}


def _plain(values: Any) -> dict[str, Plain]:
    return dict(values)


def _values(values: dict[str, Plain]) -> dict[str, Value]:
    return dict(values)
