"""Recognises the files in a folder by their keys, sizes and identifiers, or by the names that an export gives them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from offline.flucoma.formats import MLP, PCA, UMAP, DataSet, FluComaFile, LabelSet, Standardize, read
from offline.progress import say
from shared.errors import UserError

F = TypeVar("F", MLP, PCA, UMAP, Standardize)


@dataclass(frozen=True, eq=False)
class Found:
    """The files of a folder by purpose; None for missing ones."""

    folder: Path
    mlp: MLP | None
    scaler: Standardize | None
    pca: PCA | None
    umap: UMAP | None
    analysis: DataSet | None
    """Raw descriptors (m, d) of analysis frames."""
    places: DataSet | None
    """Places (m, 2) of these frames on the map."""
    pairs_in: DataSet | None
    """Standardised descriptors of pairs."""
    pairs_out: DataSet | None
    """Their latents."""
    names: LabelSet | None
    """Their names."""


def find(folder: Path, latent_sizes: set[int], inputs: int | None) -> Found:
    """Read all .json files of a folder. latent_sizes: those of the generator. inputs: the preset's number of inputs, if known.

    Raises UserError if there are none, if one is damaged, and if two could have the same purpose.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name the one with the toolkit's JSON files")
    files: dict[Path, FluComaFile] = {}
    for path in sorted(folder.glob("*.json")):
        content = read(path)
        if content is None:
            say(
                f"{path} is left out: no DataSet, LabelSet, Standardize, Normalize, RobustScale, PCA, UMAP or MLPRegressor"
            )
        else:
            files[path] = content
    if not files:
        raise UserError(
            f"{folder} holds no .json file of the toolkit; write them with .write in SuperCollider, write in Max"
        )
    mlp, scaler = _only(files, MLP), _only(files, Standardize)
    if mlp is not None:
        inputs, latent_sizes = mlp.weights[0].shape[1], {len(mlp.biases[-1])}
    elif scaler is not None:
        inputs = len(scaler.mean)
    sets = {path: each for path, each in files.items() if isinstance(each, DataSet)}
    pairs_in, pairs_out = _pairs(sets, latent_sizes, inputs)
    rest = {path: each for path, each in sets.items() if each is not pairs_in and each is not pairs_out}
    places = _named(rest, "map", lambda each: each.rows.shape[1] == 2)
    rest = {path: each for path, each in rest.items() if each is not places}
    analysis = _named(rest, "analysis", lambda each: each.rows.shape[1] > 2)
    names = [each for each in files.values() if isinstance(each, LabelSet) and pairs_out is not None]
    fitting = [each for each in names if pairs_out and set(pairs_out.identifiers) <= each.labels.keys()]
    return Found(
        folder,
        mlp,
        scaler,
        _only(files, PCA),
        _only(files, UMAP),
        analysis,
        places,
        pairs_in,
        pairs_out,
        fitting[0] if fitting else None,
    )


def _only(files: dict[Path, FluComaFile], kind: type[F]) -> F | None:
    """The only file of a kind."""
    found = {path: each for path, each in files.items() if isinstance(each, kind)}
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UserError(f"{names} are both Fluid{kind.__name__}; leave one of them in the folder")
    return next(iter(found.values()), None)


def _pairs(
    sets: dict[Path, DataSet], latent_sizes: set[int], inputs: int | None
) -> tuple[DataSet | None, DataSet | None]:
    """The two sets with the same identifiers, of which one has latents."""
    couples = [
        (one, other)
        for one in sets.values()
        for other in sets.values()
        if one is not other
        and other.rows.shape[1] in latent_sizes
        and (inputs is None or one.rows.shape[1] == inputs)
        and set(one.identifiers) == set(other.identifiers)
        and len(one.identifiers)
    ]
    if len(couples) > 1:
        by_name = {path.stem: each for path, each in sets.items()}
        if {"pairs-in", "pairs-out"} <= by_name.keys():
            return by_name["pairs-in"], by_name["pairs-out"]
        raise UserError(
            "several data sets could be the pairs: they have the same identifiers and fitting columns; leave only the input "
            "(pairs-in.json) and the output (pairs-out.json) of the network in the folder"
        )
    return couples[0] if couples else (None, None)


def _named(sets: dict[Path, DataSet], stem: str, fits: object) -> DataSet | None:
    """The set of this name, or else the only one that fits."""
    assert callable(fits)
    fitting = {path: each for path, each in sets.items() if fits(each)}
    by_name = [each for path, each in fitting.items() if path.stem == stem]
    if not by_name and len(fitting) > 1:
        names = ", ".join(path.name for path in fitting)
        raise UserError(f"{names}: which of them is the {stem}? Rename it {stem}.json, or leave only that one")
    return by_name[0] if by_name else next(iter(fitting.values()), None)
