"""The OSC port: receives, checks and queues messages for the main loop, and sends outputs (docs/osc.md)."""

import heapq
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from live.osc.endpoints import Endpoint
from live.osc.inbox import Inbox
from live.osc.messages import OUT, PREFIX, MessageReader, OscEvent, Query, Request, UnknownAddressError
from live.osc.packets import BadPacket, Message, build, parse, types_of
from live.osc.subscribers import Subscribers
from live.osc.udp import UdpSocket
from live.rate_limit import RateLimit
from shared.controls import OUTPUTS, Value
from shared.errors import SettingError, printable

HOST, PORT = "127.0.0.1", 57140
TARGETS: tuple[Endpoint, ...] = ((HOST, 57120),)  # sclang
MAX_AHEAD_S = 1.0  # a time tag further ahead comes from a wrong clock: its message acts at once
MAX_SCHEDULED = 10_000  # messages with a time tag ahead
ERRORS_PER_S = 20  # to one endpoint: a broken patch causes hundreds, and so do two programs that answer each other
SUGGESTIONS_PER_S = 5  # to all: looking for similar addresses takes milliseconds
MAX_ERROR_TEXT = 400  # characters
EXPIRY_CHECK_S = 1.0


@dataclass(frozen=True)
class OscCounters:
    """Counts since the port was created."""

    received: int = 0
    """Messages."""
    bad: int = 0
    """Packets and messages that were refused."""
    dropped: int = 0
    """Refused messages for which there was no room in a queue."""
    unsent: int = 0
    """Messages that the system did not accept, one for each receiver."""
    reopened: int = 0
    """Times that the socket was lost and opened again."""
    failures: int = 0
    """Unexpected errors while receiving."""
    subscribers: int = 0
    """Endpoints that receive the outputs now."""


class OscPort:
    """Receives and sends OSC over UDP. After `start` nothing here raises or blocks, whatever arrives or fails.

    inputs: the descriptors that have controls. host, port: where to listen; with port 0 the system chooses one, which `port`
    gives. targets: endpoints that get all outputs without asking. now: the clock of subscriptions, in seconds.
    """

    def __init__(
        self,
        inputs: tuple[str, ...],
        host: str = HOST,
        port: int = PORT,
        targets: tuple[Endpoint, ...] = TARGETS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = MessageReader(inputs)
        self._inbox = Inbox()
        self._now = now
        self._subscribers = Subscribers(targets, now)
        self._next_expiry = -math.inf
        self._scheduled: list[tuple[float, int, Message, Endpoint]] = []  # a heap by monotonic time, then arrival
        self._order = itertools.count()
        self._errors: Counter[Endpoint | None] = Counter()  # sent in this second; None: to all
        self._second = 0
        self._suggestions = RateLimit(SUGGESTIONS_PER_S)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()  # of the counts and errors
        self.last_error = ""
        """The latest error, in a message received, in one to be sent, or of the port."""
        self._socket = UdpSocket(host, port, self._unpack, self._work, self._remember)

    @property
    def port(self) -> int:
        """The number of the open port."""
        return self._socket.port

    @property
    def counters(self) -> OscCounters:
        """The counts so far."""
        with self._lock:
            counts = dict(self._counts)
        return OscCounters(
            reopened=self._socket.reopened, failures=self._socket.failures, subscribers=len(self._subscribers), **counts
        )

    def expect(self, inputs: tuple[str, ...], latent_size: int) -> None:
        """Read messages for a preset with these inputs, whose generator takes latents of this size."""
        self._reader.expect(inputs, latent_size)

    def start(self) -> None:
        """Open the port and receive. Raises UserError if it is in use or the host is not an address of this machine."""
        self._socket.start()

    def close(self) -> None:
        """Stop receiving and free the port; `start` opens it again. Scheduled messages are dropped."""
        self._socket.close()
        self._scheduled.clear()

    def __enter__(self) -> "OscPort":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self) -> list[OscEvent]:
        """Events since the last call, in order. `MessageReader` says what is refused, `Inbox` what is kept."""
        return self._inbox.take()

    def send(self, name: str, *values: object) -> None:
        """Send the output of this name in `OUTPUTS` to every subscriber. Failures are counted."""
        self._send(name, values, self._subscribers.all())

    def answer(self, query: Query, value: Value) -> None:
        """Answer a query."""
        values = value if isinstance(value, tuple) else (value,)
        self._send("value", (PREFIX + query.name, *values), [self._subscribers.reply_endpoint(query.sender)])

    def error(self, address: str, text: str, to: Endpoint | None = None, public: str | None = None) -> bool:
        """Send an error to the sender of the message that caused it, or to every subscriber.

        public: what is sent, where the network must not have the whole text.
        False, and nothing is sent, if that receiver has had 20 errors in this second.
        """
        if not self._may_send_error(to):
            return False
        address, text = printable(address)[:MAX_ERROR_TEXT], printable(text)[:MAX_ERROR_TEXT]
        self.last_error = f"{address}: {text}" if address else text
        sent = text if public is None else printable(public)[:MAX_ERROR_TEXT]
        self._send("error", (address, sent), self._subscribers.all() if to is None else [self._reply_endpoint(to)])
        return True

    def _reply_endpoint(self, sender: Endpoint) -> Endpoint:
        return self._subscribers.reply_endpoint(sender)

    def _may_send_error(self, receiver: Endpoint | None) -> bool:
        with self._lock:
            second = int(time.monotonic())
            if second != self._second:
                self._second = second
                self._errors.clear()
            self._errors[receiver] += 1
            return self._errors[receiver] <= ERRORS_PER_S

    def _send(self, name: str, values: tuple[object, ...], receivers: Iterable[Endpoint]) -> None:
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
        for endpoint in receivers:
            if not self._socket.send(datagram, endpoint):
                self._count("unsent")

    def _unpack(self, datagram: bytes, sender: Endpoint) -> None:
        self._subscribers.touch(sender)
        try:
            messages = parse(datagram)
        except BadPacket as bad:
            if bad.address == PREFIX + "ping":  # answered whatever its arguments
                self._act(Message(0.0, bad.address, ()), sender, time.monotonic())
            else:
                self._refuse(sender, bad.address, str(bad))
            return
        now, now_1970 = time.monotonic(), time.time()
        for message in messages:
            ahead = message.due - now_1970
            if not 0 < ahead <= MAX_AHEAD_S:
                self._act(message, sender, now)
            elif len(self._scheduled) < MAX_SCHEDULED:
                heapq.heappush(self._scheduled, (now + ahead, next(self._order), message, sender))
            else:
                self._count("dropped")
                self._refuse(sender, message.address, f"{MAX_SCHEDULED} messages are scheduled already; send fewer")

    def _work(self) -> float:
        """Act on scheduled messages whose time has come, expire subscriptions. Returns seconds until the next call."""
        while self._scheduled and (wait := self._scheduled[0][0] - time.monotonic()) <= 0:
            due, _, message, sender = heapq.heappop(self._scheduled)
            self._act(message, sender, due)
        if (now := self._now()) >= self._next_expiry:
            self._next_expiry = now + EXPIRY_CHECK_S
            text = "no message for 45 s: outputs stop in 15 s; send /ponticello/notify again every 20 s"
            self._send("error", (PREFIX + "notify", text), self._subscribers.expire())
        return wait if self._scheduled else math.inf

    def _act(self, message: Message, sender: Endpoint, arrived: float) -> None:
        self._count("received")
        if message.address.startswith(OUT):
            return  # an echo of an output: an answer would be echoed too
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
                self._refuse(
                    sender, message.address, f"{Inbox.MAX_PER_SENDER} requests are waiting already; send fewer"
                )

    def _answered_here(self, event: OscEvent) -> bool:
        """Handle `ping` and `notify`, which concern the port alone."""
        match event:
            case Request("ping", _, sender):
                self._send("pong", (), [self._reply_endpoint(sender)])
            case Request("notify", float(number), sender):
                if number >= 1:
                    self._subscribers.add(sender, None if number == 1 else int(number))
                else:
                    self._subscribers.remove(sender)
            case Query("notify"):
                self.answer(event, self._subscribers.includes(event.sender))
            case _:
                return False
        return True

    def _refuse(self, sender: Endpoint, address: str, reason: str | None) -> None:
        """Count a bad message and answer it; no reason: no row has its address."""
        self._count("bad")
        if reason is None:
            reason = self._reader.suggestion(address) if self._suggestions.allow() else "no such address"
        self.error(address, reason, sender)

    def _remember(self, error: str) -> None:
        self.last_error = error

    def _count(self, counter: str) -> None:
        with self._lock:
            self._counts[counter] += 1
