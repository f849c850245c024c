"""Warnings of a run, with remedies."""

import math
from dataclasses import dataclass, field

from offline.training.adaptation import WARN_AT
from offline.training.configuration import Configuration
from offline.training.iteration import Progress
from offline.training.score.scores import Scores

COLLAPSED = 0.2  # diversity
PATIENCE_KIMG = 2.0  # the images of untrained networks are alike, too


@dataclass
class Alarm:
    """Gives each warning once in a run of the program."""

    configuration: Configuration
    _given: set[str] = field(default_factory=set)

    def warnings(self, progress: Progress, scores: Scores) -> list[str]:
        """New lines for the user."""
        lines = []
        gamma = self.configuration.gamma_used
        advice = f"begin a new run with --gamma {2 * gamma:g} or {4 * gamma:g}, or half the --g-rate"
        if not all(map(math.isfinite, progress.losses.values())):
            lines.append(f"the losses are no longer finite: the run has diverged; {advice}")
        if progress.images >= PATIENCE_KIMG * 1000 and scores.diversity < COLLAPSED:
            lines.append(
                f"the generated images are nearly alike (diversity {scores.diversity:.2f}): the run has collapsed; "
                f"where the next reports show no more, {advice}"
            )
        if self.configuration.augment_p is None:
            lines += [
                f"the augmentation probability is above {limit:g}: its changes may show in the generated images; "
                "more images help, or --augment with fewer transforms"
                for limit in WARN_AT
                if progress.p > limit
            ]
        kinds = {line.partition("(")[0]: line for line in lines}
        new = [line for kind, line in kinds.items() if kind not in self._given]
        self._given |= kinds.keys()
        return new
