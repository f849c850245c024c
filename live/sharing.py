"""How the threads of a show share the processor."""

import sys

SWITCH_S = 0.001  # for which a thread may keep the others from running Python, where they want to


def share_the_machine(device: str) -> None:
    """Before a show: threads take shorter turns, and a generator on the processor leaves a core for the sound."""
    import torch

    sys.setswitchinterval(SWITCH_S)
    if device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() - 1))
