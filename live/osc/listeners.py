"""Who hears what Ponticello says by OSC: the addresses of `--osc-to`, and whoever asked with `/ponticello/notify`."""

import socket
import threading

from shared.errors import UserError

Endpoint = tuple[str, int]
"""An IPv4 address and a port."""
MOST = 16  # who asked; one more takes the place of the one that has been silent longest


def parse_endpoint(text: str) -> Endpoint:
    """`HOST:PORT` as it stands on the command line; UserError where it is none, or the host is unknown."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"--osc-to {text} given; write it as HOST:PORT, for instance 192.168.1.20:57120")
    return resolve(host, "--osc-to"), int(port)


def resolve(host: str, option: str) -> str:
    """The IPv4 address of a host; UserError naming the option where it has none."""
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise UserError(f"{option} names the host '{host}', which is not known here; give its IPv4 address") from error


class Listeners:
    """The addresses that get every output. Any thread may ask and change."""

    def __init__(self, targets: tuple[Endpoint, ...]) -> None:
        self._targets = targets
        self._asked: dict[
            Endpoint, Endpoint
        ] = {}  # who asked, and where to send; who has been silent longest comes first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.all())

    def all(self) -> tuple[Endpoint, ...]:
        """Every address once."""
        with self._lock:
            return tuple(dict.fromkeys((*self._targets, *self._asked.values())))

    def add(self, sender: Endpoint, port: int | None) -> None:
        """`sender` wants the outputs: on the port that it sends from, or on another one of that machine."""
        address = sender if port is None else (sender[0], port)
        with self._lock:
            self._remove(sender)
            self._remove(address)  # asked before from another port: a program that was started again
            self._asked[sender] = address
            while len(self._asked) > MOST:
                del self._asked[next(iter(self._asked))]

    def remove(self, sender: Endpoint) -> None:
        """`sender` wants no outputs any more."""
        with self._lock:
            self._remove(sender)

    def heard(self, sender: Endpoint) -> None:
        """`sender` is alive: it has sent something."""
        with self._lock:
            if sender in self._asked:
                self._asked[sender] = self._asked.pop(sender)

    def includes(self, sender: Endpoint) -> bool:
        """Whether what is sent to all reaches `sender`."""
        with self._lock:
            return sender in self._asked or sender in self._targets

    def reply_address(self, sender: Endpoint) -> Endpoint:
        """Where `sender` reads: many programs send from one port and read on another, which they name in `notify`."""
        with self._lock:
            return self._asked.get(sender, sender)

    def _remove(self, address: Endpoint) -> None:
        for sender in [s for s, where in self._asked.items() if address in (s, where)]:
            del self._asked[sender]
