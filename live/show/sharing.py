"""How the threads of a show share the processor."""

import sys

SWITCH_S = 0.001  # for which a thread may keep the others from running Python, where they want to


def share_the_machine(device: str) -> None:
    """Before a show: threads take shorter turns, and a generator on the processor leaves a core for the rest, of more than two.

    Of two it takes both: the sound card has a process of its own, which asks for real time.
    """
    import torch

    sys.setswitchinterval(SWITCH_S)
    if device == "cpu":
        threads = torch.get_num_threads()
        torch.set_num_threads(min(threads, max(2, threads - 1)))
