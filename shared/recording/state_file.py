"""state.safetensors: what the pipeline remembered when the recording began."""

from collections.abc import Callable, Mapping
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
from shared.pipeline.schedule import Level, ScheduledChange
from shared.pipeline.state import PipelineState, PlayingPresetState
from shared.preset import Preset, tensorfile
from shared.preset.pairs import LatentSpace
from shared.recording.entries import ChangeLine, decode_change, encode_change
from shared.recording.snapshots import Snapshots
from shared.stage import State

Arrays = dict[str, NDArray[Any]]
Plain = bool | float | str | tuple[float, float]
LoadPreset = Callable[[str], Preset]
LoadLearned = Callable[[str], UseMapping]


class _PlayingFacts(msgspec.Struct):
    preset: str
    values: dict[str, Plain]
    start_tick: int = msgspec.field(name="began")
    fade_ticks: int = msgspec.field(name="fade")
    motion: tuple[float, float, float] = (0.0, 0.0, 0.0)


class _PictureFacts(msgspec.Struct):
    """One of a cross-fade, the uppermost first; its latent is among the arrays."""

    preset: int
    space: LatentSpace
    truncation: float
    rotate: float
    translate: tuple[float, float]
    level: float
    mix: float
    aspect: str = "1"


class _Facts(msgspec.Struct):
    fps: str
    samples: int
    frames: int
    ticks: int
    playing: list[_PlayingFacts] = msgspec.field(name="layers")
    values: dict[str, Plain]
    scheduled: dict[Level, list[tuple[int, ChangeLine]]] = msgspec.field(name="waiting")
    """By level; each change with its place in the order of requests."""
    first_change: int | None
    black: str
    steer_space: LatentSpace
    last: list[_PictureFacts]
    last_presets: list[str]


def write(path: Path, state: PipelineState, snapshots: Snapshots) -> None:
    """Write the file, and the presets and mappings that it needs into the recording beside it."""
    arrays: Arrays = {
        "sounding": state.sounding,
        **_prefixed("analyzer", state.analyzer),
        **_prefixed("gate", state.gate),
    }
    if state.scaler is not None:
        arrays |= {"scaler.mean": state.scaler.mean, "scaler.deviation": state.scaler.deviation}
    if state.steer.latent is not None:
        arrays["steer"] = state.steer.latent
    playing = []
    for number, part in enumerate(state.playing):
        arrays |= _prefixed(f"layer{number}", part.voice)
        preset = snapshots.preset(part.preset, part.mapping, part.pairs)
        playing.append(_PlayingFacts(preset, dict(part.values), part.start_tick, part.fade_ticks, part.motion))
    scheduled = {
        level: [(entry.order, encode_change(state.samples, entry.sample, entry.change, snapshots)) for entry in entries]
        for level, entries in state.scheduled.items()
    }
    last, latents = _encode_picture(state)
    facts = _Facts(
        fps=str(state.fps),
        samples=state.samples,
        frames=state.frames,
        ticks=state.ticks,
        playing=playing,
        values=dict(state.values),
        scheduled=scheduled,
        first_change=state.first_change,
        black=str(state.black),
        steer_space=state.steer.space,
        last=last,
        last_presets=[snapshots.preset(preset) for preset in state.last_presets],
    )
    tensorfile.write(path, "state", arrays | latents, msgspec.to_builtins(facts))


def read(path: Path, load_preset: LoadPreset, load_learned: LoadLearned) -> PipelineState:
    """Read the file; PresetError where it, or something that it needs, is missing or damaged."""
    arrays, plain = tensorfile.read(path, "state", {"sounding": (None,)})
    try:
        facts = msgspec.convert(plain, _Facts)
        return _state(facts, arrays, load_preset, load_learned)
    except (msgspec.ValidationError, LookupError, ValueError, ArithmeticError) as error:
        raise PresetError(f"{path} is damaged ({error}); without it the recording cannot be played") from error


def _state(facts: _Facts, arrays: Arrays, load_preset: LoadPreset, load_learned: LoadLearned) -> PipelineState:
    playing = []
    for number, part in enumerate(facts.playing):
        preset = load_preset(part.preset)
        voice = _without_prefix(f"layer{number}", arrays)
        playing.append(
            PlayingPresetState(
                preset,
                preset.mapping,
                preset.pairs,
                voice,
                _values(part.values),
                part.start_tick,
                part.fade_ticks,
                part.motion,
            )
        )
    last_presets = tuple(load_preset(name) for name in facts.last_presets)
    scheduled = {
        level: tuple(
            ScheduledChange(line.sample, order, decode_change(line, load_preset, load_learned)) for order, line in lines
        )
        for level, lines in facts.scheduled.items()
    }
    has_scaler = "scaler.mean" in arrays
    return PipelineState(
        fps=Fraction(facts.fps),
        samples=facts.samples,
        frames=facts.frames,
        ticks=facts.ticks,
        playing=tuple(playing),
        values=_values(facts.values),
        scheduled=scheduled,
        first_change=facts.first_change,
        analyzer=_without_prefix("analyzer", arrays),
        gate=_without_prefix("gate", arrays),
        sounding=arrays["sounding"],
        scaler=Standardizer(arrays["scaler.mean"], arrays["scaler.deviation"]) if has_scaler else None,
        black=Fraction(facts.black),
        steer=Steer(arrays.get("steer"), facts.steer_space),
        last=_decode_picture(facts.last, arrays, last_presets),
        last_presets=last_presets,
    )


def _encode_picture(state: PipelineState) -> tuple[list[_PictureFacts], Arrays]:
    generators = [preset.generator_sha256 for preset in state.last_presets]
    chain: list[_PictureFacts] = []
    latents: Arrays = {}
    picture = state.last
    while picture is not None:
        latents[f"last{len(chain)}"] = picture.latent
        chain.append(
            _PictureFacts(
                preset=generators.index(picture.generator),
                space=picture.space,
                truncation=picture.truncation,
                rotate=picture.rotate,
                translate=picture.translate,
                level=picture.level,
                mix=picture.mix,
                aspect=str(picture.aspect),
            )
        )
        picture = picture.under
    return chain, latents


def _decode_picture(chain: list[_PictureFacts], arrays: Arrays, presets: tuple[Preset, ...]) -> Picture | None:
    picture: Picture | None = None
    for number, facts in reversed(list(enumerate(chain))):
        picture = Picture(
            presets[facts.preset].generator_sha256,
            arrays[f"last{number}"],
            facts.space,
            facts.truncation,
            facts.rotate,
            facts.translate,
            facts.level,
            picture,
            facts.mix,
            Fraction(facts.aspect),
        )
    return picture


def _prefixed(part: str, state: State) -> Arrays:
    return {f"{part}:{name}": array for name, array in state.items()}


def _without_prefix(part: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(f"{part}:"): array for name, array in arrays.items() if name.startswith(f"{part}:")}


def _values(values: Mapping[str, Plain]) -> dict[str, Value]:
    return dict(values)
