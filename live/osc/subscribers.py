"""Who receives the outputs: the endpoints of `--osc-to`, and programs that sent `/ponticello/notify`."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from live.osc.endpoints import Endpoint, is_loopback

MAX_SUBSCRIPTIONS = 16  # by `notify`; one more replaces the one whose sender has been silent longest
EXPIRY_S = 60.0  # of silence end a subscription from another machine: its address may have been forged
WARNING_S = 45.0


@dataclass
class _Subscription:
    endpoint: Endpoint
    """Where the outputs go."""
    last_message: float
    warned: bool = False


class Subscribers:
    """The endpoints that get every output. Thread-safe.

    A subscription from the loopback interface never expires: patches that only listen subscribe once. One from elsewhere
    ends 60 s after the last message of any kind from its sender.
    """

    def __init__(self, targets: tuple[Endpoint, ...], now: Callable[[], float] = time.monotonic) -> None:
        self._targets, self._now = targets, now
        self._subscriptions: dict[Endpoint, _Subscription] = {}  # by sender, the longest silent one first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.all())

    def all(self) -> tuple[Endpoint, ...]:
        """Every endpoint, once."""
        with self._lock:
            asked = (subscription.endpoint for subscription in self._subscriptions.values())
            return tuple(dict.fromkeys((*self._targets, *asked)))

    def add(self, sender: Endpoint, port: int | None) -> None:
        """Subscribe `sender`: on the port that it sends from, or on another port of the same machine."""
        endpoint = sender if port is None else (sender[0], port)
        with self._lock:
            self._remove(sender)
            self._remove(endpoint)  # a program that was restarted and now sends from another port
            self._subscriptions[sender] = _Subscription(endpoint, self._now())
            while len(self._subscriptions) > MAX_SUBSCRIPTIONS:
                del self._subscriptions[next(iter(self._subscriptions))]

    def remove(self, sender: Endpoint) -> None:
        """End the subscription of `sender`."""
        with self._lock:
            self._remove(sender)

    def touch(self, sender: Endpoint) -> None:
        """Note that `sender` has sent a message of any kind."""
        with self._lock:
            if (subscription := self._subscriptions.pop(sender, None)) is not None:
                subscription.last_message, subscription.warned = self._now(), False
                self._subscriptions[sender] = subscription

    def expire(self) -> list[Endpoint]:
        """End subscriptions that have been silent too long. Returns the endpoints to warn: 15 s are left to them."""
        now, to_warn = self._now(), []
        with self._lock:
            for sender, subscription in list(self._subscriptions.items()):
                silent_s = now - subscription.last_message
                if silent_s < WARNING_S or is_loopback(sender):
                    continue
                if silent_s >= EXPIRY_S:
                    del self._subscriptions[sender]
                elif not subscription.warned:
                    subscription.warned = True
                    to_warn.append(subscription.endpoint)
        return to_warn

    def includes(self, sender: Endpoint) -> bool:
        """Whether the outputs reach `sender`."""
        with self._lock:
            return sender in self._subscriptions or sender in self._targets

    def reply_endpoint(self, sender: Endpoint) -> Endpoint:
        """Where `sender` listens: many programs send from one port and listen on another, which they name in `notify`."""
        with self._lock:
            subscription = self._subscriptions.get(sender)
            return sender if subscription is None else subscription.endpoint

    def _remove(self, endpoint: Endpoint) -> None:
        for sender, subscription in list(self._subscriptions.items()):
            if endpoint in (sender, subscription.endpoint):
                del self._subscriptions[sender]
