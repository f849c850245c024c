"""Reports for TensorBoard, if it is installed (the extra `tensorboard`)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from offline.training.run import Report
from shared.errors import UserError


@contextmanager
def open_writer(folder: Path | None) -> Iterator[Callable[[Report], None]]:
    """A function that writes reports into this folder; it does nothing if the folder is None.

    Raises UserError if TensorBoard is not installed.
    """
    if folder is None:
        yield lambda _: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError("TensorBoard is not installed; pip install tensorboard, or leave out --tensorboard") from error
    writer = SummaryWriter(str(folder))

    def write(report: Report) -> None:
        step = report.progress.images
        values = {
            **{f"loss/{name}": value for name, value in report.progress.losses.items()},
            **{f"score/{name}": value for name, value in report.scores.as_dict().items()},
            "augmentation/p": report.progress.p,
            "speed/seconds_per_kimg": report.seconds_per_kimg,
        }
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()
