"""The 2-D map of a corpus: principal components, then UMAP (McInnes, Healy and Melville 2018, arXiv:1802.03426)."""

import io
import warnings
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32
from numpy.typing import NDArray

from offline.progress import Advance, progress
from shared.errors import Failure, UserError
from shared.stage import HOP, SAMPLE_RATE

KEPT_VARIANCE = 0.99
NEIGHBORS = 15
MIN_DIST = 0.1
LEAST = NEIGHBORS + 1  # different frames; fewer have no 15 neighbours
EPOCHS_OF_SMALL, SMALL = 500, 10_000  # umap-learn's defaults; given explicitly, because progress needs the number
EPOCHS_OF_LARGE = 200
MANY = 4096  # points; for fewer, umap-learn computes exact neighbours itself
MOST = 50_000  # points that UMAP embeds; of more, a random sample, between which the others are interpolated
BETWEEN = 4  # embedded points between which another one is interpolated
CHUNK = 4096  # points between two reports of progress


@dataclass(frozen=True, eq=False)
class SoundMap:
    """positions: (m, 2), within 0..1. components: number of principal components used. kept_variance: their share, 0..1."""

    positions: Float64[np.ndarray, "m 2"]
    components: int
    kept_variance: float


def principal_components(
    standardised: Float64[np.ndarray, "m d"], kept: float = KEPT_VARIANCE
) -> tuple[Float64[np.ndarray, "m components"], float]:
    """Scores on the fewest principal components that keep at least this share of the variance, and the share kept."""
    from sklearn.decomposition import PCA

    pca = PCA(svd_solver="covariance_eigh").fit(standardised)
    variance = pca.explained_variance_
    shares = np.cumsum(variance) / (variance.sum() or 1.0)
    count = min(int(np.searchsorted(shares, kept)) + 1, len(shares))  # rounding may leave the last share below 1
    scores: NDArray[np.float64] = pca.transform(standardised)[:, :count]
    return scores, float(shares[count - 1])


def sound_map(standardised: Float64[np.ndarray, "m d"], seed: int = 0) -> SoundMap:
    """A position for each frame: PCA that keeps 99 % of the variance, then UMAP with 15 neighbours and a minimum distance of 0.1.

    The same frames and seed give the same map, so UMAP runs in one thread. Equal frames have equal positions. Of more than
    50,000 different frames (about 10 minutes), UMAP embeds a random sample of 50,000; the others are interpolated between
    the 4 nearest embedded frames, weighted by inverse distance. Raises UserError for fewer than 16 different frames.
    """
    distinct, inverse = np.unique(standardised, axis=0, return_inverse=True)
    if len(distinct) < LEAST:
        raise UserError(
            f"the sounds have {len(distinct)} different frames that are not silent; a map needs at least {LEAST} "
            f"({LEAST * HOP / SAMPLE_RATE:.1f} s): give longer or louder sounds"
        )
    scores, kept = principal_components(standardised)
    _, first = np.unique(inverse, return_index=True)
    places = _embedded(scores[first], seed)[inverse.reshape(-1)]
    return SoundMap(within_one(places), scores.shape[1], kept)


def _embedded(scores: Float64[np.ndarray, "n components"], seed: int) -> Float64[np.ndarray, "n 2"]:
    """A position for each point: UMAP's or, if there are too many points, interpolated in a sample that UMAP embeds."""
    if len(scores) <= MOST:
        return _umap(scores, seed)
    sample = np.sort(np.random.default_rng(seed).choice(len(scores), MOST, replace=False))
    places = np.empty((len(scores), 2))
    places[sample] = _umap(scores[sample], seed)
    others = np.setdiff1d(np.arange(len(scores)), sample, assume_unique=True)
    places[others] = placed_between(scores[others], scores[sample], places[sample])
    return places


def placed_between(
    points: Float64[np.ndarray, "n d"], known: Float64[np.ndarray, "k d"], places: Float64[np.ndarray, "k 2"]
) -> Float64[np.ndarray, "n 2"]:
    """Positions (n, 2) interpolated between those of the 4 nearest known points, weighted by inverse distance (Shepard 1968)."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=BETWEEN, algorithm="brute").fit(known)
    found = np.empty((len(points), 2))
    with progress("placing", len(points)) as advance:
        for first in range(0, len(points), CHUNK):
            distances, numbers = search.kneighbors(points[first : first + CHUNK])
            weights = 1 / np.maximum(distances, 1e-9)
            weights /= weights.sum(axis=1, keepdims=True)
            found[first : first + CHUNK] = (weights[:, :, None] * places[numbers]).sum(axis=1)
            advance(min(first + CHUNK, len(points)))
    return found


def _umap(scores: Float64[np.ndarray, "n components"], seed: int) -> Float64[np.ndarray, "n 2"]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about details of its algorithm, such as clusters without connections
        import umap

        epochs = EPOCHS_OF_SMALL if len(scores) <= SMALL else EPOCHS_OF_LARGE
        with ExitStack() as bar:
            reducer = umap.UMAP(
                n_neighbors=NEIGHBORS,
                min_dist=MIN_DIST,
                n_epochs=epochs,
                random_state=seed,
                n_jobs=1,
                precomputed_knn=neighbors(scores) if len(scores) >= MANY else (None, None, None),
                tqdm_kwds={"disable": False, "file": _Listener(bar, epochs), "desc": "", "bar_format": "{n_fmt} "},
            )
            places = np.asarray(reducer.fit_transform(scores), np.float64)
    if not np.isfinite(places).all():
        raise Failure("umap-learn found no position for some frames; try another --seed")
    return places


def neighbors(
    scores: Float64[np.ndarray, "n components"],
) -> tuple[Int32[np.ndarray, "n 15"], Float32[np.ndarray, "n 15"]]:
    """Indices of the 15 nearest points of each point, itself first, and their distances.

    They are exact. umap-learn's own search is approximate, and takes twice as long for 50,000 points.
    """
    from sklearn.neighbors import NearestNeighbors

    distances, numbers = NearestNeighbors(n_neighbors=NEIGHBORS, algorithm="brute").fit(scores).kneighbors(scores)
    return numbers.astype(np.int32), distances.astype(np.float32)


class _Listener(io.StringIO):
    """The file to which tqdm writes its bar, here the number of finished epochs; reports it as progress."""

    def __init__(self, stack: ExitStack, epochs: int) -> None:
        super().__init__()
        self._stack, self._epochs = stack, epochs
        self._advance: Advance | None = None

    def write(self, text: str, /) -> int:
        if text.strip().isdecimal():
            if self._advance is None:  # begun late: the time for neighbours and compiling would spoil the estimate
                self._advance = self._stack.enter_context(progress("map", self._epochs))
            self._advance(int(text))
        return len(text)


def within_one(places: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Positions scaled, both axes alike, to fit the square 0..1, and centred in it."""
    low, high = places.min(axis=0), places.max(axis=0)
    side = (high - low).max() or 1.0
    return np.asarray((places - (low + high) / 2) / side + 0.5)
