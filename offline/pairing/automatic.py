"""Automatic pairs: the unsupervised baselines to compare an artist's pairs with (Moore 2025).

All of them pair images with frames: of the chosen candidates, or of all where none is chosen, those that look most
different. Every image and every frame is used once.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from offline.candidates.appearance import appearance
from offline.corpus.sound_map import principal_components
from shared.errors import SettingError
from shared.mapping.sampling import farthest_point_sampling
from shared.preset.candidates import Candidates
from shared.preset.corpus import Corpus

ALONG = 1.5  # deviations: how far along a component a pair stands for it
NEARLY_ALL = 0.9999  # of the variance: the rest is rounding

Found = list[tuple[int, int]]
"""Numbers of a candidate and of a row of the corpus."""


def by_kmeans(corpus: Corpus, candidates: Candidates, count: int, seed: int) -> Found:
    """The sound in as many clusters as images: the frames nearest to their centres, the longest-sounding cluster first.

    The images keep their order: this baseline does not look at them.
    """
    images = images_for(candidates, corpus, count)
    return list(zip(images.tolist(), typical_frames(corpus, len(images), seed).tolist(), strict=True))


def by_assignment(corpus: Corpus, candidates: Candidates, count: int, seed: int) -> Found:
    """The same frames; the images lie on a plane by their two main components, the frames on their map.

    Both are stretched to the unit square; linear assignment finds the matching whose squared distances have the least sum.
    """
    images = images_for(candidates, corpus, count)
    frames = typical_frames(corpus, len(images), seed)
    plane = np.zeros((len(images), 2))
    if len(images) > 1:
        scores, _ = principal_components(appearance(candidates.thumbnails[images]), NEARLY_ALL)
        plane[:, : scores.shape[1]] = scores[:, :2]
    return _matched(images, frames, _stretched(plane), _stretched(corpus.positions[frames]))


def by_components(corpus: Corpus, candidates: Candidates, count: int, seed: int) -> Found:
    """The main components of the sound stand for those of the images, one by one.

    For each of them the frame that lies 1.5 deviations along it, there and back, and little along the others, meets the
    image that does so among the images; where the count is odd, the usual meets the usual. (`seed`: nothing is drawn.)
    """
    images = images_for(candidates, corpus, count)
    sound, _ = principal_components(corpus.standardised, NEARLY_ALL)
    if len(images) == 1:
        return [(int(images[0]), int(np.square(sound).sum(axis=1).argmin()))]
    pictures, _ = principal_components(appearance(candidates.thumbnails[images]), NEARLY_ALL)
    used = max(1, min(len(images) // 2, sound.shape[1], pictures.shape[1]))
    targets = _along(len(images), used)
    sound, pictures = _in_deviations(sound[:, :used]), _in_deviations(pictures[:, :used])
    free = np.ones(len(sound), bool)
    frames = []
    for target in targets:
        distance = np.where(free, np.square(sound - target).sum(axis=1), np.inf)
        frames.append(int(distance.argmin()))
        free &= (sound != sound[frames[-1]]).any(axis=1)  # nor one that sounds the same
    return _matched(images, np.array(frames), pictures, targets)


METHODS: Mapping[str, Callable[[Corpus, Candidates, int, int], Found]] = {
    "kmeans": by_kmeans,
    "assignment": by_assignment,
    "pca": by_components,
}


def images_for(candidates: Candidates, corpus: Corpus, count: int) -> Int64[np.ndarray, "n"]:
    """The numbers of the candidates to pair: `count`, or fewer where there are fewer of them or of different frames."""
    if count < 1:
        raise SettingError(f"--count {count} given; at least 1 is allowed")
    chosen = np.array(candidates.chosen, np.int64)
    count = min(count, len(chosen), len(np.unique(corpus.standardised, axis=0)))
    if count == len(chosen):
        return chosen
    return np.asarray(chosen[farthest_point_sampling(appearance(candidates.thumbnails[chosen]), count)])


def typical_frames(corpus: Corpus, count: int, seed: int) -> Int64[np.ndarray, "count"]:
    """The rows nearest to the centres of so many clusters, the largest cluster's first."""
    from sklearn.cluster import KMeans

    kmeans = KMeans(count, n_init=4, random_state=seed).fit(corpus.standardised)
    sizes = np.bincount(kmeans.labels_, minlength=count)
    distance = np.square(corpus.standardised - kmeans.cluster_centers_[kmeans.labels_]).sum(axis=1)
    rows = [int(np.where(kmeans.labels_ == cluster, distance, np.inf).argmin()) for cluster in range(count)]
    return np.array([rows[cluster] for cluster in np.argsort(-sizes, kind="stable")], np.int64)


def assigned(cost: Float64[np.ndarray, "n n"]) -> Int64[np.ndarray, "n"]:
    """The column assigned to each row, with the least sum of costs."""
    from scipy.optimize import linear_sum_assignment

    columns: NDArray[np.int64] = linear_sum_assignment(cost)[1].astype(np.int64)
    return columns


def _matched(
    images: Int64[np.ndarray, "n"],
    frames: Int64[np.ndarray, "n"],
    places: Float64[np.ndarray, "n d"],
    targets: Float64[np.ndarray, "n d"],
) -> Found:
    """Images at `places` and frames at `targets`, each with one of the others; in the order of the frames."""
    cost = np.square(targets[:, None] - places[None]).sum(axis=2)
    return [(int(images[column]), int(frame)) for frame, column in zip(frames, assigned(cost), strict=True)]


def _along(count: int, used: int) -> Float64[np.ndarray, "count used"]:
    """The middle where the count is odd, then there and back along each component, farther out in a second round."""
    steps = [np.zeros(used)] if count % 2 else []
    for pair in range(count // 2):
        step = np.zeros(used)
        step[pair % used] = ALONG * (1 + pair // used)
        steps += [step, -step]
    return np.array(steps)


def _in_deviations(scores: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
    deviation = scores.std(axis=0)
    return np.asarray(scores / np.where(deviation == 0, 1.0, deviation))


def _stretched(places: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.where(high > low, high - low, 1.0))
