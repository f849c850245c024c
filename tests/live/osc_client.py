"""An OSC client of the program under test: a UDP socket, with python-osc to build and read messages."""

import socket
import time

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder


def message(address, *arguments):
    """The bytes of a message; arguments of Python's types, or (type letter, value)."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        if isinstance(argument, tuple):
            builder.add_arg(argument[1], argument[0])
        else:
            builder.add_arg(argument)
    return builder.build().dgram


def bundle(when, *contents):
    """The bytes of a bundle of messages; `when` in seconds since 1970, None for at once."""
    builder = OscBundleBuilder(IMMEDIATELY if when is None else when)
    for content in contents:
        builder.add_content(OscMessage(content))
    return builder.build().dgram


class Client:
    """Sends to a port of this machine, and reads the replies on the port that it sends from."""

    def __init__(self, port, host="127.0.0.1"):
        self.to = (host, port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.address = self.socket.getsockname()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, address, *arguments):
        self.send_bytes(message("/ponticello/" + address, *arguments))

    def send_bytes(self, datagram):
        self.socket.sendto(datagram, self.to)

    def hear(self, seconds=2.0):
        """The next message: its address behind /ponticello/out/, and its arguments; None if none comes in time."""
        self.socket.settimeout(seconds)
        try:
            heard = OscMessage(self.socket.recv(65536))
        except TimeoutError:
            return None
        assert heard.address.startswith("/ponticello/out/")
        return [heard.address.removeprefix("/ponticello/out/"), *heard.params]


def events(port, count, seconds=3.0):
    """The next `count` events of an OscPort, or as many as arrive in time."""
    taken = []
    deadline = time.monotonic() + seconds
    while len(taken) < count and time.monotonic() < deadline:
        taken += port.take()
        time.sleep(0.002)
    return taken


def until(true, seconds=3.0, pause=0.005):
    """Call `true()` repeatedly until it is true; return whether that happened in time."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(pause)
    return true()
