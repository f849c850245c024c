"""Sound to pictures: the pipeline, what it remembers, and what can be exchanged while it runs."""

from shared.pipeline.pipeline import Pipeline, Tick, check_heard

__all__ = ["Pipeline", "Tick", "check_heard"]
