"""The OSC port: what comes is checked, read and kept until the loop takes it; what the loop says is sent (docs/osc.md)."""

import heapq
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from live.osc.inbox import Inbox
from live.osc.listeners import Endpoint, Listeners
from live.osc.messages import OUT, PREFIX, MessageReader, OscEvent, Query, Request, UnknownAddressError
from live.osc.packets import BadPacket, Message, build, parse, types_of
from live.osc.udp import UdpSocket
from shared.controls import OUTPUTS, Value
from shared.errors import SettingError

HOST, PORT = "127.0.0.1", 57140
TARGETS: tuple[Endpoint, ...] = ((HOST, 57120),)  # sclang
AHEAD_S = 1.0  # time tags further ahead come from a clock that is wrong: such messages act at once
MOST_LATER = 10_000  # messages that wait for their time
ERRORS_PER_S = (
    20  # answered to one sender: a broken patch sends hundreds, and so might two programs that answer each other
)
LONGEST_TEXT = 400  # letters of an error


@dataclass(frozen=True)
class OscCounters:
    """What has happened since the port was made."""

    received: int = 0
    """Messages."""
    bad: int = 0
    """Packets and messages that were refused."""
    dropped: int = 0
    """Those among them that were refused because too many were waiting."""
    unsent: int = 0
    """Messages that could not be handed to the system, one for each listener."""
    reopened: int = 0
    """Times that the socket was lost and opened again."""
    failures: int = 0
    """Times that receiving went wrong in a way that nobody had foreseen."""
    listeners: int = 0
    """Addresses that get the outputs now."""


class OscPort:
    """Receives and sends OSC over UDP. After `start` nothing here raises or waits, whatever comes or fails.

    `inputs`: the descriptors that have controls of their own. `host`, `port`: where to listen; port 0 lets the system
    choose, and `port` tells. `targets` get all outputs, with or without asking.
    """

    def __init__(
        self, inputs: tuple[str, ...], host: str = HOST, port: int = PORT, targets: tuple[Endpoint, ...] = TARGETS
    ) -> None:
        self._reader = MessageReader(inputs)
        self._inbox = Inbox()
        self._listeners = Listeners(targets)
        self._later: list[tuple[float, int, Message, Endpoint]] = []  # a heap by monotonic time, then order of arrival
        self._order = itertools.count()
        self._answered: Counter[Endpoint] = Counter()  # errors in this second
        self._second = 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()  # of the counts
        self.last_error = ""
        """The last thing that was wrong with what came, with what was to be sent, or with the port."""
        self._socket = UdpSocket(host, port, self._unpack, self._act_on_what_is_due, self._remember)

    @property
    def port(self) -> int:
        """The port that is open."""
        return self._socket.port

    @property
    def inputs(self) -> tuple[str, ...]:
        """The descriptors that have controls of their own; set them when another preset comes."""
        return self._reader.inputs

    @inputs.setter
    def inputs(self, inputs: tuple[str, ...]) -> None:
        self._reader.inputs = inputs

    @property
    def latent_size(self) -> int | None:
        """How many numbers `in/latent` has; None takes any. Set it when another generator comes."""
        return self._reader.latent_size

    @latent_size.setter
    def latent_size(self, size: int | None) -> None:
        self._reader.latent_size = size

    @property
    def counters(self) -> OscCounters:
        """What has happened so far."""
        with self._lock:
            counts = dict(self._counts)
        return OscCounters(
            reopened=self._socket.reopened, failures=self._socket.failures, listeners=len(self._listeners), **counts
        )

    def start(self) -> None:
        """Open the port and receive; UserError where it is taken, or the host is none of this machine's."""
        self._socket.start()

    def close(self) -> None:
        """End receiving and free the port; `start` opens it again. What waits for its time is forgotten."""
        self._socket.close()
        self._later.clear()

    def __enter__(self) -> "OscPort":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self) -> list[OscEvent]:
        """What has come since the last time, in its order: see `MessageReader` for what is refused, `Inbox` for what is kept."""
        return self._inbox.take()

    def send(self, name: str, *values: object) -> None:
        """Send the output of this name in `OUTPUTS` to every listener. What cannot be sent is counted."""
        self._send(name, values, self._listeners.all())

    def answer(self, question: Query, value: Value) -> None:
        """Tell whoever asked."""
        spread = value if isinstance(value, tuple) else (value,)
        self._send("value", (PREFIX + question.name, *spread), [self._listeners.reply_address(question.sender)])

    def error(self, address: str, text: str, to: Endpoint | None = None) -> None:
        """Send an error to whoever sent what caused it, or to every listener."""
        self.last_error = f"{address}: {text}" if address else text
        whom = self._listeners.all() if to is None else [self._listeners.reply_address(to)]
        self._send("error", (address[:LONGEST_TEXT], text[:LONGEST_TEXT]), whom)

    def _send(self, name: str, values: tuple[object, ...], whom: Iterable[Endpoint]) -> None:
        row = OUTPUTS[name]
        types = row.types.removesuffix("*")
        if types != row.types:
            types += types_of(values[len(types) :])
        try:
            datagram = build(OUT + name, types, values)
        except ValueError as error:
            self.last_error = f"{OUT}{name} was not sent: {error}"
            self._count("unsent")
            return
        for endpoint in whom:
            if not self._socket.send(datagram, endpoint):
                self._count("unsent")

    def _unpack(self, datagram: bytes, sender: Endpoint) -> None:
        self._listeners.heard(sender)
        try:
            messages = parse(datagram)
        except BadPacket as bad:
            self._refuse(sender, "", str(bad))
            return
        now, now_1970 = time.monotonic(), time.time()
        for message in messages:
            ahead = message.due - now_1970
            if not 0 < ahead <= AHEAD_S:
                self._act(message, sender, now)
            elif len(self._later) < MOST_LATER:
                heapq.heappush(self._later, (now + ahead, next(self._order), message, sender))
            else:
                self._count("dropped")
                self._refuse(sender, message.address, f"{MOST_LATER} messages wait for their time already")

    def _act_on_what_is_due(self) -> float:
        while self._later and (wait := self._later[0][0] - time.monotonic()) <= 0:
            due, _, message, sender = heapq.heappop(self._later)
            self._act(message, sender, due)
        return wait if self._later else math.inf

    def _act(self, message: Message, sender: Endpoint, arrived: float) -> None:
        self._count("received")
        if message.address.startswith(OUT):
            return  # an echo of what was sent: an answer would be echoed too
        try:
            event = self._reader.read(message.address, message.arguments, sender, arrived)
        except UnknownAddressError:
            self._refuse(sender, message.address, None)
        except SettingError as error:
            self._refuse(sender, message.address, str(error))
        else:
            if event is None or self._answered_here(event):
                return
            if not self._inbox.put(event):
                self._count("dropped")
                self._refuse(sender, message.address, f"{Inbox.MOST} requests wait already; send fewer")

    def _answered_here(self, event: OscEvent) -> bool:
        """`ping` and `notify` concern nobody but the port."""
        match event:
            case Request("ping", _, sender):
                self._send("pong", (), [self._listeners.reply_address(sender)])
            case Request("notify", float(number), sender):
                if number >= 1:
                    self._listeners.add(sender, None if number == 1 else int(number))
                else:
                    self._listeners.remove(sender)
            case Query("notify"):
                self.answer(event, self._listeners.includes(event.sender))
            case _:
                return False
        return True

    def _refuse(self, sender: Endpoint, address: str, why: str | None) -> None:
        """Count a bad message and answer it; None says that nothing has its address."""
        self._count("bad")
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._answered.clear()
        self._answered[sender] += 1
        if self._answered[sender] <= ERRORS_PER_S:
            self.error(address, self._reader.suggestion(address) if why is None else why, sender)

    def _remember(self, error: str) -> None:
        self.last_error = error

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1
