"""state.safetensors: what the pipeline remembered when the recording began."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from numpy.typing import NDArray

from shared.audio.descriptors import DESCRIPTORS, WIDE
from shared.audio.librosa_features import ONSET_BANDS
from shared.controls import KERNELS
from shared.errors import PresetError
from shared.mapping.decimation import checked_rate, ticks_within
from shared.mapping.scaling import Standardizer
from shared.picture import Picture
from shared.pipeline.exchanges import Steer, UseMapping
from shared.pipeline.schedule import Level, ScheduledChange
from shared.pipeline.state import PipelineState, PlayingPresetState
from shared.pipeline.voice import DOMAINS
from shared.preset import Preset, tensorfile
from shared.preset.pairs import LatentSpace
from shared.preset.tensorfile import Expected, floats, integers
from shared.recording.entries import ChangeLine, checked_values, decode_change, encode_change, parse_fraction
from shared.recording.snapshots import Snapshots
from shared.stage import HOP, State

Arrays = dict[str, NDArray[Any]]
Plain = bool | float | str | tuple[float, float]
ANALYZER = {"held": floats(None), "filter": floats(8), "onset": floats(ONSET_BANDS)}
GATE = {"held": floats(None), "counters": integers(2)}
SMOOTHER = {
    "last": floats(None),
    "kernel": integers(1),
    "history": floats(None, None),
    "derivative": floats(None),
    "velocity": floats(None),
}
VOICE = {
    **{f"{part}.{name}": expected for part in ("smoothing", "latent_smoothing") for name, expected in SMOOTHER.items()},
    "domain": integers(1),
    "decimator.counters": integers(3),
    "decimator.sum": floats(None),
    "decimator.last": floats(None),
    "group": floats(None, None),
    "memory.last": floats(None),
    "inferred": floats(None),
    "within_reach": floats(None),
    "moved_from": floats(None),
    "pacer.last": floats(None),
    "speed_limit.last": floats(None),
}
OTHER = {
    "scaler.mean": floats(len(DESCRIPTORS)),
    "scaler.deviation": floats(len(DESCRIPTORS)),
    "steer": floats(None),
    "steer_label": floats(None),
    "last": floats(None),
    "label": floats(None),
}
MOST_PRESETS = 1000  # that cross-fade at one time
MOST_FADE_TICKS = 60 * 1000  # the longest cross-fade at the highest rate

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
AT_ONE_TIME = msgspec.Meta(min_length=1, max_length=MOST_PRESETS)

LoadPreset = Callable[[str], Preset]
LoadLearned = Callable[[str], UseMapping]


class _PlayingFacts(msgspec.Struct):
    preset: str
    values: dict[str, Plain]
    start_tick: Count = msgspec.field(name="began")
    fade_ticks: Annotated[int, msgspec.Meta(ge=0, le=MOST_FADE_TICKS)] = msgspec.field(name="fade")
    motion: tuple[float, float, float] = (0.0, 0.0, 0.0)


class _PictureFacts(msgspec.Struct):
    """One of a cross-fade, the uppermost first; its latent is among the arrays."""

    preset: Count
    space: LatentSpace
    truncation: float
    rotate: float
    translate: tuple[float, float]
    level: float
    mix: float
    aspect: str = "1"


class _Facts(msgspec.Struct):
    fps: str
    samples: Count
    frames: Count
    ticks: Count
    playing: Annotated[list[_PlayingFacts], AT_ONE_TIME] = msgspec.field(name="layers")
    values: dict[str, Plain]
    scheduled: dict[Level, list[tuple[int, ChangeLine]]] = msgspec.field(name="waiting")
    """By level; each change with its place in the order of requests."""
    first_change: int | None
    black: str
    steer_space: LatentSpace
    last: Annotated[list[_PictureFacts], msgspec.Meta(max_length=MOST_PRESETS)]
    last_presets: Annotated[list[str], msgspec.Meta(max_length=MOST_PRESETS)]


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
    if state.steer.label is not None:
        arrays["steer_label"] = state.steer.label
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
    arrays, facts = tensorfile.read(path, "state", _Facts, {"sounding": floats(None)}, _expected)
    try:
        state = _state(facts, arrays, load_preset, load_learned)
        _check(state)
    except PresetError:
        raise
    except (LookupError, ValueError, ArithmeticError) as error:
        raise PresetError(f"{path} is damaged ({error}); without it the recording cannot be played") from error
    return state


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
                checked_values(part.values, preset, is_for_preset=True),
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
        fps=checked_rate(parse_fraction(facts.fps)),
        samples=facts.samples,
        frames=facts.frames,
        ticks=facts.ticks,
        playing=tuple(playing),
        values=checked_values(facts.values, playing[-1].preset, is_for_preset=False),
        scheduled=scheduled,
        first_change=facts.first_change,
        analyzer=_without_prefix("analyzer", arrays),
        gate=_without_prefix("gate", arrays),
        sounding=arrays["sounding"],
        scaler=Standardizer(arrays["scaler.mean"], arrays["scaler.deviation"]) if has_scaler else None,
        black=parse_fraction(facts.black),
        steer=Steer(arrays.get("steer"), facts.steer_space, arrays.get("steer_label")),
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
        if picture.label is not None:
            latents[f"label{len(chain)}"] = picture.label
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
            parse_fraction(facts.aspect),
            arrays.get(f"label{number}"),
        )
    return picture


def _prefixed(part: str, state: State) -> Arrays:
    return {f"{part}:{name}": array for name, array in state.items()}


def _without_prefix(part: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(f"{part}:"): array for name, array in arrays.items() if name.startswith(f"{part}:")}


def _expected(name: str) -> Expected | None:
    """The arrays that the file may hold, by the end of their names; their lengths are checked with the preset, later."""
    part, _, rest = name.partition(":")
    known = {"analyzer": ANALYZER, "gate": GATE, "layer": VOICE}.get(part.rstrip("0123456789"), {})
    return known.get(rest) or OTHER.get(name.rstrip("0123456789"))


def _check(state: PipelineState) -> None:
    """Whether counters and shapes agree; ValueError where they do not."""
    ticks = ticks_within(state.frames * HOP, state.fps)
    counters_agree = (
        state.samples // HOP == state.frames
        and state.ticks == ticks
        and state.gate["counters"][0] == state.frames
        and -1 <= state.gate["counters"][1] < max(state.frames, 1)
        and HOP <= len(state.analyzer["held"]) < 2 * HOP
        and 0 <= state.black <= 1
    )
    if not counters_agree:
        raise ValueError("its counters disagree")
    width = len(state.sounding)
    needed = max(len(playing.preset.settings.heard) for playing in state.playing)
    has_onset = width == len(WIDE) and state.frames > 0
    if (
        width not in (len(DESCRIPTORS), len(WIDE))
        or width < needed
        or len(state.gate["held"]) != width
        or ("onset" in state.analyzer) != has_onset
    ):
        raise ValueError("its descriptors disagree")
    for playing in state.playing:
        voice, inputs = playing.voice, len(playing.preset.settings.inputs)
        size = playing.mapping.regressor.sizes[-1]
        domain = int(voice["domain"][0]) if "domain" in voice else 0
        if not -1 <= domain < len(DOMAINS) or not all(
            0 <= voice[name][0] < len(KERNELS) for name in voice if name.endswith(".kernel")
        ):
            raise ValueError("its smoothing is unknown")
        is_latent = domain >= 0 and DOMAINS[domain].startswith("latent")
        if any(
            array.shape[-1] != _width(name, inputs, size, is_latent)
            for name, array in voice.items()
            if array.dtype.kind == "f"
        ):
            raise ValueError("its arrays do not fit the preset")
        frames, done, count = (int(n) for n in voice["decimator.counters"])
        if state.frames and domain == 0 and "smoothing.last" not in voice:
            raise ValueError("its smoothing is incomplete")
        has_last = "decimator.last" in voice or ("decimator.sum" in voice and count > 0) or frames == 0
        if (frames, done) != (state.frames, ticks) or not 0 <= count <= frames or not has_last:
            raise ValueError("the counters of its ticks disagree")
        if ("decimator.sum" in voice) != (count > 0):
            raise ValueError("its ticks are incomplete")
        if not 0 <= playing.start_tick <= state.ticks:
            raise ValueError("its cross-fades are impossible")


def _width(name: str, inputs: int, size: int, is_latent: bool) -> int:
    """The length of a row in an array of a voice. is_latent: whether the smoothing of its order acts on latent vectors."""
    if name.startswith("smoothing."):
        return size if is_latent else inputs
    return inputs if name.startswith("decimator.") or name in ("group", "moved_from", "memory.last") else size
