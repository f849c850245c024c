"""`ponticello export`: a preset as files of the FluCoMa Toolkit."""

import math
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import typer
from jaxtyping import Float64

from offline.corpus.sound_map import NEIGHBORS
from offline.flucoma.activations import NUMBERS
from offline.flucoma.formats import MLP, PCA, UMAP, DataSet, FluComaFile, LabelSet, Standardize, identifiers, write
from offline.options import PresetArgument, counted
from offline.progress import say
from shared.command_line import example, new_app
from shared.errors import PresetError, pasted, refusal
from shared.mapping.regression import MLPRegressor
from shared.preset import Preset
from shared.preset.corpus import Corpus
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs

CURVE = 1.5769434603113077, 0.8950608779109733
"""UMAP's a and b for a least distance of 0.1 and a spread of 1, as umap-learn fits them."""


def export(preset: Preset, folder: Path) -> list[Path]:
    """Write everything that the preset has into a folder; return the files.

    analysis, sounds, standardize, pca, umap, map: the corpus. pairs-in, pairs-out, pairs-names: the pairs. mlp: the mapping.
    Existing files of these names are replaced. Raises PresetError if there is nothing to write.
    """
    contents: dict[str, FluComaFile] = {}
    if preset.has_corpus:
        contents |= _corpus(preset.corpus, preset.folder)
    if (preset.folder / "pairs.safetensors").is_file():
        contents |= _pairs(preset.pairs)
    if (preset.folder / "mapping.safetensors").is_file():
        mapping = preset.mapping
        scaler = mapping.scaler
        contents["standardize"] = Standardize(scaler.mean, scaler.deviation, {"inputs": list(preset.settings.inputs)})
        contents |= _mapping(mapping, preset.settings.inputs)
    if not contents:
        raise PresetError(
            f"{preset.name} has no sounds, pairs or mapping to export; analyse some sounds: "
            f"ponticello analyse {pasted(preset.folder)} SOUND"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(f"cannot make {folder}", error) from error
    files = [folder / f"{name}.json" for name in contents]
    for path, content in zip(files, contents.values(), strict=True):
        write(path, content)
    return files


def _corpus(corpus: Corpus, folder: Path) -> dict[str, FluComaFile]:
    facts, inputs = corpus.facts, list(corpus.facts.inputs)
    width = len(str(len(facts.sounds)))
    rows = [
        identifier
        for number, sound in enumerate(facts.sounds)
        for identifier in identifiers(
            f"{number + 1:0{width}d}-{sound.name}", corpus.frame[corpus.sound == number].tolist()
        )
    ]
    by_row = np.argsort(np.argsort(corpus.sound, kind="stable"), kind="stable")  # rows are grouped by sound above
    names = tuple(rows[place] for place in by_row)
    pca = principal_components(corpus.standardised)
    scores = pca.scores(corpus.standardised)[:, : facts.components]
    sounds = [msgspec.structs.replace(sound, file=str(folder / sound.file)) for sound in facts.sounds]
    known = msgspec.to_builtins(msgspec.structs.replace(facts, sounds=tuple(sounds)))
    made: dict[str, FluComaFile] = {
        "analysis": DataSet(names, corpus.descriptors, known),
        "sounds": LabelSet(
            {name: facts.sounds[sound].name for name, sound in zip(names, corpus.sound.tolist(), strict=True)}
        ),
        "standardize": Standardize(corpus.scaler.mean, corpus.scaler.deviation, {"inputs": inputs}),
        "pca": pca,
        "umap": UMAP(corpus.positions, scores, *CURVE, NEIGHBORS),
        "map": DataSet(names, corpus.positions),
    }
    if facts.inputs != facts.descriptors:
        columns = [facts.descriptors.index(name) for name in inputs]
        made["inputs"] = DataSet(names, corpus.descriptors[:, columns], {"inputs": inputs})
    return made


def principal_components(rows: Float64[np.ndarray, "n d"]) -> PCA:
    """All principal components of rows, the largest first."""
    mean = rows.mean(axis=0)
    _, values, bases = np.linalg.svd(rows - mean, full_matrices=False)
    return PCA(bases.T.copy(), values, mean, len(rows))


def _pairs(pairs: Pairs) -> dict[str, FluComaFile]:
    names = identifiers("pair", range(1, len(pairs) + 1))
    facts = {
        "space": pairs.space,
        "inputs": list(pairs.inputs),
        "map": pairs.map,
        "sources": msgspec.to_builtins(pairs.sources),
        "positions": [row if np.isfinite(row).all() else None for row in pairs.positions.tolist()],
    }
    return {
        "pairs-in": DataSet(names, pairs.descriptors, facts),
        "pairs-out": DataSet(names, pairs.latents.astype(np.float64), {"space": pairs.space}),
        "pairs-names": LabelSet(dict(zip(names, pairs.names, strict=True))),
    }


def _mapping(mapping: LearnedMapping, inputs: tuple[str, ...]) -> dict[str, FluComaFile]:
    """The network; None, with a line for the user, if the toolkit has no such mapping."""
    regressor = mapping.regressor
    if not isinstance(regressor, MLPRegressor) or regressor.activation not in NUMBERS:
        say(
            "mlp.json is left out: FluidMLPRegressor has networks with the activations "
            f"{', '.join(NUMBERS)}; choose one in preset.toml and train again"
        )
        return {}
    if mapping.preprocessing is not None or mapping.norm != "keep" or mapping.classes:
        say(
            "mlp.json is left out: FluidMLPRegressor takes standardised descriptors and gives latents; "
            "train with preprocessing = standard, norm = keep and a generator without classes"
        )
        return {}
    hidden = NUMBERS[regressor.activation]
    activations = (*(hidden for _ in regressor.weights[:-1]), NUMBERS["identity"])
    facts = {
        "space": mapping.space,
        "inputs": list(inputs),
        "seed": mapping.seed,
        "pairs": mapping.pairs_digest,
        "reach": mapping.reach if math.isfinite(mapping.reach) else None,
    }
    return {"mlp": MLP(regressor.weights, regressor.biases, activations, facts)}


app = new_app()


@app.command(epilog=example("ponticello export glass --flucoma glass-json"))
def command(
    preset: PresetArgument,
    flucoma: Annotated[
        Path,
        typer.Option("--flucoma", metavar="DIR", help="Folder for the toolkit's JSON files.", show_default=False),
    ],
) -> None:
    """Write analysis, map, pairs and mapping as JSON files that the FluCoMa Toolkit reads in SuperCollider, Max and Pd."""
    files = export(Preset.load(preset).for_pairing, flucoma)
    for file in files:
        print(f"{file}: {file.stat().st_size:,} bytes")
    say(f"{counted(len(files), 'file')}; back again: ponticello import {pasted(flucoma)} -o PRESET")
