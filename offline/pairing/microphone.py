"""A live input on the map: the gate, standardising and smoothing of the pipeline, then the nearest frame's place."""


class Microphone:
    """A listening input. `place` is where it lies on the shown axes, None while nothing has sounded yet."""

    place: tuple[float, float] | None
    row: int | None
    level_db: float
    label: str
