"""`ponticello import`: files of the FluCoMa Toolkit into a preset."""

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import tomlkit
import typer
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from offline.corpus.map_picture import MAP, write_map
from offline.corpus.sound_map import sound_map, within_one
from offline.flucoma.activations import NAMES
from offline.flucoma.formats import MLP, DataSet, numbered
from offline.flucoma.found import Found, find
from offline.new import find_generator, new
from offline.options import counted
from offline.progress import say
from offline.readable import if_readable
from offline.train import reach
from offline.writable import writable
from shared.audio.descriptors import SETS, WIDE, SetName, heard
from shared.audio.files import SoundReader
from shared.command_line import example, new_app
from shared.errors import PresetError, UserError, pasted
from shared.image.checkpoint import read_architecture
from shared.mapping.regression import MLPRegressor
from shared.mapping.scaling import Standardizer
from shared.preset import Preset, history
from shared.preset.corpus import CORPUS, Corpus, CorpusSound, MapFacts
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import LatentSpace, Pairs, SoundFrame
from shared.preset.preset import sha256_of

OF_EXPORT = re.compile(r"(\d+)-.*-(\d+)", re.DOTALL)
"""An identifier of an export: number of the sound, its name, number of the frame."""


def import_into(
    preset: Preset,
    folder: Path,
    inputs: tuple[str, ...] = (),
    space: LatentSpace | None = None,
    sound: Path | None = None,
) -> list[str]:
    """Import the files of a folder into a preset: corpus, pairs, mapping. Return a line about each part.

    All files are read and checked before anything is written. inputs: names of the descriptors, in the order of the columns,
    if the files lack them. space: that of the latents, if neither files nor sizes determine it. sound: the analysed file.
    Raises UserError.
    """
    architecture = read_architecture(preset.generator_path)
    sizes = {"z": architecture.z_dim, "w": architecture.w_dim}
    found = find(folder, set(sizes.values()), len(inputs) or None)
    names = _inputs(found, preset, inputs)
    corpus = _corpus(found, names, sound)
    scaler = _scaler(found, corpus, names)
    pairs = _pairs(found, names, sizes, space, scaler, corpus)
    mapping = _mapping(found, scaler, sizes, space)
    if mapping is not None and pairs is None and not (preset.folder / history.PAIRS).is_file():
        pairs = _mean_pair(mapping, names)
        say(f"{folder} holds no pairs: one is made of the mean sound, as a mapping plays beside its pairs")
    if corpus is None and pairs is None and mapping is None:
        raise UserError(f"{folder} holds no analysis, no pairs and no FluidMLPRegressor; nothing to import")
    if names != preset.settings.inputs:
        _save_inputs(preset, names)
    lines = []
    if corpus is not None:
        corpus.save(preset.folder / CORPUS)
        write_map(preset.folder / MAP, corpus)
        lines.append(f"{preset.folder / CORPUS}: {counted(len(corpus), 'frame')}")
    if pairs is not None:
        history.save_pairs(preset.folder, pairs)
        lines.append(f"{preset.folder / history.PAIRS}: {counted(len(pairs), 'pair')} in {pairs.space}")
    if mapping is not None:
        mapping = _completed(mapping, found, corpus, pairs, float(str(preset.controls["smoothing"])))
        mapping.save(preset.folder / "mapping.safetensors")
        layers = "-".join(map(str, mapping.regressor.sizes))
        lines.append(f"{preset.folder / 'mapping.safetensors'}: {layers}, latents in {mapping.space}")
    return lines


def _inputs(found: Found, preset: Preset, given: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the preset's inputs: those given, those in the files, or else the preset's own."""
    parts = (found.mlp, found.scaler, found.pairs_in, found.analysis)
    known = next((tuple(part.facts["inputs"]) for part in parts if part and part.facts.get("inputs")), ())
    names = given or known or preset.settings.inputs
    unknown = [name for name in names if name not in WIDE]
    if unknown or len(set(names)) != len(names):
        raise UserError(
            f"--inputs holds '{(unknown or names)[0]}'; allowed is each of these at most once: {', '.join(WIDE)}"
        )
    widths = {
        "the FluidMLPRegressor": found.mlp.weights[0].shape[1] if found.mlp else None,
        "the scaler": len(found.scaler.mean) if found.scaler else None,
        "the input of the pairs": found.pairs_in.rows.shape[1] if found.pairs_in else None,
    }
    for part, width in widths.items():
        if width not in (None, len(names)):
            raise UserError(
                f"{part} takes {width} descriptors and {len(names)} are known; name them in order: --inputs centroid,spread,..."
            )
    return names


def _set_of(names: tuple[str, ...]) -> SetName:
    """The first descriptor set that has all of these."""
    return next(name for name, columns in SETS.items() if set(names) <= set(columns))


def _scaler(found: Found, corpus: Corpus | None, names: tuple[str, ...]) -> Standardizer:
    if found.scaler is not None:
        return Standardizer(found.scaler.mean, found.scaler.std)
    if corpus is not None:
        return corpus.scaler
    if found.mlp is not None or found.pairs_in is not None:
        say(f"{found.folder} holds no scaler: the descriptors are taken as they are")
    return Standardizer(np.zeros(len(names)), np.ones(len(names)))


def _space(given: LatentSpace | None, known: Any, size: int, sizes: dict[str, int], part: str) -> LatentSpace:
    """The space of latents of this size."""
    spaces: list[LatentSpace] = [name for name in ("z", "w") if sizes[name] == size]
    chosen: LatentSpace | None = given or (known if known in ("z", "w") else None)
    if not spaces or (chosen is not None and chosen not in spaces):
        raise UserError(
            f"{part} gives {size} numbers; the generator takes {sizes['z']} in z and {sizes['w']} in w: choose another "
            "--generator" + (f", or leave out --space {given}" if given and spaces else "")
        )
    if chosen is None and len(spaces) > 1:
        say("the latents are taken as z; --space w where they are w")
    return chosen or spaces[0]


def _pairs(
    found: Found,
    names: tuple[str, ...],
    sizes: dict[str, int],
    space: LatentSpace | None,
    scaler: Standardizer,
    corpus: Corpus | None,
) -> Pairs | None:
    if found.pairs_in is None or found.pairs_out is None:
        return None
    order = [found.pairs_out.identifiers.index(identifier) for identifier in found.pairs_in.identifiers]
    latents = found.pairs_out.rows[order].astype(np.float32)
    labels = found.names.labels if found.names else {}
    facts, count = found.pairs_in.facts, len(order)
    known = facts.get("space") or (found.mlp.facts.get("space") if found.mlp else None)
    positions: NDArray[np.float64] = np.full((count, 2), np.nan)
    sources: tuple[SoundFrame | None, ...] = ()
    if facts:
        try:
            places = msgspec.convert(facts.get("positions", []), list[tuple[float, float] | None])
            sources = msgspec.convert(facts.get("sources", []), tuple[SoundFrame | None, ...])
        except msgspec.ValidationError as error:
            raise UserError(f"{found.folder}: 'ponticello' in the pairs: {error}; export the preset again") from error
        for row, place in zip(positions, places[:count], strict=False):
            row[:] = place or np.nan
    digest = corpus.digest if corpus is not None and facts.get("map") == corpus.digest else ""
    return Pairs(
        tuple(labels.get(identifier, identifier) for identifier in found.pairs_in.identifiers),
        found.pairs_in.rows,
        latents,
        positions,
        _space(space, known, latents.shape[1], sizes, "the output of the pairs"),
        scaler,
        digest,
        sources if len(sources) <= count else (),
        names,
    )


def _mapping(
    found: Found, scaler: Standardizer, sizes: dict[str, int], space: LatentSpace | None
) -> LearnedMapping | None:
    """The network, before reach and digest are known."""
    if found.mlp is None:
        return None
    mlp = found.mlp
    space = _space(space, mlp.facts.get("space"), len(mlp.biases[-1]), sizes, "the FluidMLPRegressor")
    return LearnedMapping(scaler, _regressor(mlp, found.folder), space)


def _regressor(mlp: MLP, folder: Path) -> MLPRegressor:
    *hidden, last = mlp.activations
    if NAMES[last] != "identity":
        raise UserError(
            f"{folder}: the last layer of the FluidMLPRegressor has activation {last} ({NAMES[last]}), allowed is 0 (identity); "
            "set outputActivation to 0 and fit again"
        )
    if len(set(hidden)) > 1:
        raise UserError(
            f"{folder}: the hidden layers of the FluidMLPRegressor have the activations {', '.join(map(str, hidden))}; "
            "allowed is the same one in all of them"
        )
    return MLPRegressor(mlp.weights, mlp.biases, NAMES[hidden[0]] if hidden else "identity")


def _completed(
    mapping: LearnedMapping, found: Found, corpus: Corpus | None, pairs: Pairs | None, smoothing: float
) -> LearnedMapping:
    """The mapping with its reach and the digest of its pairs, from the files or else from corpus and pairs."""
    assert found.mlp is not None
    facts = found.mlp.facts
    far = facts.get("reach")
    if not isinstance(far, int | float) or not 0 <= far < math.inf:
        is_known = "reach" not in facts and corpus is not None and pairs is not None
        far = reach(corpus, pairs, smoothing) if is_known and corpus and pairs else math.inf
    digest = facts.get("pairs") if isinstance(facts.get("pairs"), str) else pairs.digest if pairs is not None else ""
    seed = facts.get("seed")
    return LearnedMapping(
        mapping.scaler,
        mapping.regressor,
        mapping.space,
        seed if isinstance(seed, int) else 0,
        str(digest),
        float(far),
    )


def _mean_pair(mapping: LearnedMapping, names: tuple[str, ...]) -> Pairs:
    """A pair of the mean sound and its latent."""
    mean = np.zeros((1, len(names)))
    latent = mapping.regressor.process(mean)
    return Pairs(("mean sound",), mean, latent, np.full((1, 2), np.nan), mapping.space, mapping.scaler, inputs=names)


def _corpus(found: Found, names: tuple[str, ...], sound: Path | None) -> Corpus | None:
    if (analysis := found.analysis) is None:
        return None
    rows = analysis.rows
    if "sounds" in analysis.facts:
        try:
            facts = msgspec.convert(dict(analysis.facts), MapFacts)
        except msgspec.ValidationError as error:
            raise UserError(
                f"{found.folder}: 'ponticello' in the analysis: {error}; export the preset again"
            ) from error
        order, number, frame = _of_export(analysis, facts, found.folder)
        sounds = facts.sounds
    else:
        known = heard(_set_of(names))
        columns = {len(known): known, len(names): names}.get(rows.shape[1])
        if columns is None:
            raise UserError(
                f"the analysis has {rows.shape[1]} columns, not the 23 descriptors; name them in order: --inputs centroid,spread,..."
            )
        order, frame = _in_order(analysis)
        number = np.zeros(len(frame), np.int64)
        sounds = (_sound(sound, int(frame.max(initial=-1)) + 1, found.folder),)
        facts = MapFacts(known, names, sounds, rows.shape[1], 1.0, 0)
        if columns != known:  # what is unknown is 0 everywhere, and no input
            whole = np.zeros((len(rows), len(known)))
            whole[:, [known.index(name) for name in columns]] = rows
            rows = whole
    if rows.shape[1] != len(facts.descriptors) or not len(rows):
        raise UserError(
            f"the analysis has {len(rows)} rows of {rows.shape[1]} numbers, {len(facts.descriptors)} a row are needed"
        )
    places = _places(found, analysis, order)
    ends = [int(np.searchsorted(number, i)) for i in range(len(sounds) + 1)]
    stands_for = [
        np.maximum(np.searchsorted(frame[low:high], np.arange(each.frames), "right") - 1, 0) + low
        for each, (low, high) in zip(sounds, pairwise(ends), strict=True)
    ]
    if any(low == high for low, high in pairwise(ends)):
        raise UserError(f"{found.folder}: the analysis has no row of one of its sounds; export the preset again")
    corpus = Corpus(rows[order], np.zeros((len(rows), 2)), number, frame, np.concatenate(stands_for), facts)
    if places is None:
        made = sound_map(corpus.standardised)
        facts = msgspec.structs.replace(facts, components=made.components, kept_variance=made.kept_variance)
        places = made.positions
    elif places.min() < 0 or places.max() > 1:
        places = within_one(places)
    return Corpus(corpus.descriptors, places, number, frame, corpus.stands_for, facts)


def _of_export(
    analysis: DataSet, facts: MapFacts, folder: Path
) -> tuple[Int64[np.ndarray, "m"], Int64[np.ndarray, "m"], Int64[np.ndarray, "m"]]:
    """Order of the rows by sound and frame; number of the sound and of the frame of each row in this order."""
    found = [OF_EXPORT.fullmatch(identifier) for identifier in analysis.identifiers]
    numbers: NDArray[np.int64] = np.array([(int(m[1]) - 1, int(m[2])) if m else (-1, -1) for m in found], np.int64)
    frames = np.array([sound.frames for sound in facts.sounds], np.int64)
    numbers = numbers.reshape(-1, 2)
    known = (numbers[:, 0] >= 0) & (numbers[:, 0] < len(frames)) & (numbers[:, 1] >= 0)
    if not known.all() or (numbers[:, 1] >= frames[numbers[:, 0]]).any():
        raise UserError(f"{folder}: identifiers of the analysis are not those of an export; export the preset again")
    order = np.lexsort((numbers[:, 1], numbers[:, 0]))
    return order, numbers[order, 0], numbers[order, 1]


def _in_order(analysis: DataSet) -> tuple[Int64[np.ndarray, "m"], Int64[np.ndarray, "m"]]:
    """Rows by the number at the end of their identifiers, as the toolkit sorts 10 before 2; frames 0, 1, 2, ..."""
    ends = [numbered(identifier) for identifier in analysis.identifiers]
    order: NDArray[np.int64] = np.arange(len(ends))
    if all(end is not None for end in ends) and len(set(ends)) == len(ends):
        order = np.argsort(np.array(ends, np.int64), kind="stable")
    return order, np.arange(len(ends))


def _sound(path: Path | None, frames: int, folder: Path) -> CorpusSound:
    """The sound of an analysis that was made elsewhere."""
    if path is None:
        say("the sound of the analysis is unknown, so the studio cannot play it; give --sound FILE")
        return CorpusSound(f"{folder.name}.wav", "", None, frames)
    path = path.expanduser().resolve()
    with SoundReader(path):
        pass
    return CorpusSound(str(path), sha256_of(path), None, frames)


def _places(found: Found, analysis: DataSet, order: Int64[np.ndarray, "m"]) -> Float64[np.ndarray, "m 2"] | None:
    """The position of each row in this order, from the map or from UMAP; None without both."""
    if (places := found.places) is not None:
        by_name = dict(zip(places.identifiers, places.rows, strict=True))
        if missing := [name for name in analysis.identifiers if name not in by_name]:
            raise UserError(
                f"{found.folder}: the map has no place for '{missing[0]}' of the analysis; leave out the map"
            )
        return np.array([by_name[analysis.identifiers[row]] for row in order])
    if found.umap is not None and found.umap.embedding.shape == (len(order), 2):
        in_text_order = np.argsort(np.array(analysis.identifiers), kind="stable")  # the toolkit's own order
        embedding = np.empty_like(found.umap.embedding)
        embedding[in_text_order] = found.umap.embedding
        return np.asarray(embedding[order])
    return None


def _save_inputs(preset: Preset, names: tuple[str, ...]) -> None:
    """Write the inputs into preset.toml. Raises PresetError if corpus, pairs or mapping are there for other ones."""
    for name in (CORPUS, history.PAIRS, "mapping.safetensors"):
        if (preset.folder / name).is_file():
            raise PresetError(
                f"{preset.folder / name} is for other inputs ({len(preset.settings.inputs)}) than the files "
                f"({len(names)}: {', '.join(names)}); import into a new preset"
            )
    file = preset.folder / "preset.toml"
    document = tomlkit.parse(file.read_text("utf-8"))
    descriptor_set = _set_of(names)
    if descriptor_set != preset.settings.descriptors:
        document["descriptors"] = descriptor_set
    if names != SETS[descriptor_set]:
        document["inputs"] = list(names)
    history.save_settings(preset.folder, tomlkit.dumps(document))


app = new_app()


@app.command(
    epilog=example(
        "ponticello import glass-json -o mine --generator glass",
        "ponticello import from-max -o mine --inputs pitch,confidence,loudness --sound violin.wav",
    )
)
def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the toolkit's JSON files.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="PRESET", help="Preset to write into.")],
    generator: Annotated[
        str | None,
        typer.Option("--generator", "-g", help="For a new preset: StyleGAN3 file, or a preset that has one."),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            help="Names of the descriptors in the order of the columns, with commas.",
            show_default="those in the files, else the preset's",
        ),
    ] = None,
    space: Annotated[
        Literal["z", "w"] | None, typer.Option(help="Space of the latents, where the files do not know it.")
    ] = None,
    sound: Annotated[
        Path | None, typer.Option(help="The sound that the analysis belongs to, where the files do not know it.")
    ] = None,
) -> None:
    """Import analysis, map, pairs and mapping from JSON files of the FluCoMa Toolkit into a preset."""
    if generator is not None:
        new(Path(output), find_generator(generator))
    elif not Path(output).expanduser().exists() and not _is_preset(output):
        raise UserError(f"no preset {output}; add --generator FILE|PRESET to make one")
    names = tuple(name.strip() for name in inputs.split(",")) if inputs else ()
    with writable(output) as preset:
        lines = import_into(preset, folder.expanduser(), names, space, sound)
    for line in lines:
        print(line)
    say(f"next: ponticello live {pasted(output)}")


def _is_preset(name: str) -> bool:
    return if_readable(lambda: Preset.load(name)) is not None
