"""IPv4 addresses with a port, as OSC messages come from and go to."""

import ipaddress
import socket

from shared.errors import UserError

Endpoint = tuple[str, int]
"""An IPv4 address and a port."""


def parse_endpoint(text: str) -> Endpoint:
    """`HOST:PORT` as given to `--osc-to`. Raises UserError for other text and for unknown hosts."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"--osc-to {text} given; write HOST:PORT, for instance 192.168.1.20:57120")
    return resolve(host, "--osc-to"), int(port)


def resolve(host: str, option: str) -> str:
    """The IPv4 address of a host. Raises UserError, which names the option, if it has none."""
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise UserError(f"{option}: the host '{host}' is unknown here; give its IPv4 address") from error


def is_loopback(endpoint: Endpoint) -> bool:
    """Whether it belongs to a program on this machine that uses the loopback interface (127.0.0.0/8)."""
    return ipaddress.ip_address(endpoint[0]).is_loopback
