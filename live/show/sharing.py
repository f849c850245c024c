"""How the threads of a show share the processor."""

import sys

SWITCH_S = 0.001  # longest turn of a thread while others wait to run Python


def share_the_machine(device: str) -> None:
    """Call before a show: threads take shorter turns, and a generator on the CPU leaves one core of three or more free.

    Of two cores it uses both: the sound card has a process of its own with real-time priority.
    """
    import torch

    sys.setswitchinterval(SWITCH_S)
    if device == "cpu":
        threads = torch.get_num_threads()
        torch.set_num_threads(min(threads, max(2, threads - 1)))
