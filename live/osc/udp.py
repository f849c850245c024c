"""A UDP socket with a receiving thread. It never blocks a sender, and is opened again when it is lost."""

import errno
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from live.osc.endpoints import Endpoint, resolve
from shared.errors import UserError

BUFFER = 4 << 20  # bytes that the system buffers while the thread is busy; its default holds about 250 messages
POLL_S = 0.1  # longest sleep of the thread before it checks whether to end
BACK_OFF_S = (0.1, 2.0)  # first and longest pause between attempts to reopen a lost socket
AT_ONCE = 256  # datagrams received before the thread checks again whether to end


class UdpSocket:
    """Calls `received` with each datagram and its sender, and `due` before each datagram and at the time it asked for.

    `due` returns the seconds until it wants to be called again; `failed` is called with a line for each error. All three
    run in the receiving thread. With port 0 the system chooses one, which `port` then gives.
    """

    def __init__(
        self,
        host: str,
        port: int,
        received: Callable[[bytes, Endpoint], None],
        due: Callable[[], float],
        failed: Callable[[str], None],
    ) -> None:
        self.host = host
        self.port = port
        self.reopened = 0
        """Times that the socket was lost and opened again."""
        self.failures = 0
        """Times that `received` or `due` raised; only that datagram is lost."""
        self._received = received
        self._due = due
        self._failed = failed
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.close()  # until `start`, sends fail

    def start(self) -> None:
        """Open the port and receive. Raises UserError if it is in use or the host is not an address of this machine."""
        address = resolve(self.host, "--osc-host")
        try:
            self._open(address)
        except OSError as error:
            raise UserError(self._reason(error)) from error
        self._closing.clear()
        self._thread = threading.Thread(target=self._run, args=(address,), name="osc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop receiving and free the port; `start` opens it again."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._socket.close()

    def send(self, datagram: bytes, endpoint: Endpoint) -> bool:
        """Hand a datagram to the system. False if it refuses: no network, no such host, a full buffer."""
        try:
            self._socket.sendto(datagram, endpoint)
        except OSError:
            return False
        return True

    def _open(self, address: str) -> None:
        self._socket.close()
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        with suppress(OSError):  # some systems refuse, others grant less
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        try:
            opened.bind((address, self.port))
        except (OSError, OverflowError):
            opened.close()
            raise
        self._socket = opened
        self.port = opened.getsockname()[1]

    def _run(self, address: str) -> None:
        while not self._closing.is_set():
            try:
                self._receive()
            except OSError as error:
                self._failed(f"OSC port {self.port} was lost: {error.strerror}; reopening it")
                self._reopen(address)
            except Exception as error:  # the show goes on with the next datagram
                self.failures += 1
                self._failed(f"OSC: {type(error).__name__}: {error}")

    def _reopen(self, address: str) -> None:
        pause, longest = BACK_OFF_S
        while not self._closing.wait(pause):
            try:
                self._open(address)
            except OSError as error:
                self._failed(self._reason(error))
                pause = min(2 * pause, longest)
            else:
                self.reopened += 1
                return

    def _receive(self) -> None:
        """Receive until the port is closed. Raises OSError when the socket is lost."""
        opened = self._socket
        with selectors.DefaultSelector() as selector:
            if opened.fileno() < 0:
                raise OSError(errno.EBADF, "the socket was closed")
            selector.register(opened, selectors.EVENT_READ)
            while not self._closing.is_set() and opened.fileno() >= 0:
                selector.select(min(self._due(), POLL_S))
                for _ in range(AT_ONCE):
                    self._due()
                    try:
                        datagram, sender = opened.recvfrom(65536)
                    except BlockingIOError:
                        break
                    except ConnectionError:  # how Windows reports that a receiver is gone
                        continue
                    self._received(datagram, sender)

    def _reason(self, error: OSError) -> str:
        """Why the port cannot be opened, and what to do about it."""
        if error.errno == errno.EADDRINUSE:
            return (
                f"OSC port {self.port} of {self.host} is in use by another program (another Ponticello?); "
                "end that program, or choose another port with --osc-port"
            )
        if error.errno == errno.EADDRNOTAVAIL:
            return f"--osc-host {self.host} is not an address of this machine; 0.0.0.0 listens on all of its addresses"
        return f"OSC port {self.port} of {self.host} cannot be opened: {error.strerror}; choose another with --osc-port and --osc-host"
