"""A UDP socket with a thread that receives: it never blocks whoever sends, and is opened again when it is lost."""

import errno
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from live.osc.listeners import Endpoint, resolve
from shared.errors import UserError

BUFFER = 4 << 20  # bytes that the system keeps while the thread is busy; its default holds some 250 messages
POLL_S = 0.1  # how long the thread may sleep without looking whether it is to end
BACK_OFF_S = (0.1, 2.0)  # first and longest pause between attempts to open a lost socket again
AT_ONCE = 256  # datagrams received before the thread looks again whether it is to end


class UdpSocket:
    """Calls `received` with each datagram and who sent it, and `due` before each and whenever its time has come.

    `due` does what is due and gives the seconds until it wants to be called again; `failed` is told what went wrong. All
    of them run in the receiving thread. Port 0 lets the system choose; `port` then tells.
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
        """Times that `received` or `due` raised: that datagram is lost, the next one is received."""
        self._received = received
        self._due = due
        self._failed = failed
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.close()  # until `start`: whatever is sent is not

    def start(self) -> None:
        """Open the port and receive; UserError where it is taken, or the host is none of this machine's."""
        address = resolve(self.host, "--osc-host")
        try:
            self._open(address)
        except OSError as error:
            raise UserError(self._why_not(error)) from error
        self._closing.clear()
        self._thread = threading.Thread(target=self._run, args=(address,), name="osc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End receiving and free the port; `start` opens it again."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._socket.close()

    def send(self, datagram: bytes, endpoint: Endpoint) -> bool:
        """Hand it to the system; False where that fails: no network, nobody there, a full buffer."""
        try:
            self._socket.sendto(datagram, endpoint)
        except OSError:
            return False
        return True

    def _open(self, address: str) -> None:
        self._socket.close()
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        with suppress(OSError):  # some systems refuse what they do not grant, others give less
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
                self._failed(f"OSC port {self.port} was lost: {error.strerror}; it is opened again")
                self._reopen(address)
            except Exception as error:  # the show goes on: what comes next is received
                self.failures += 1
                self._failed(f"OSC: {type(error).__name__}: {error}")

    def _reopen(self, address: str) -> None:
        pause, longest = BACK_OFF_S
        while not self._closing.wait(pause):
            try:
                self._open(address)
            except OSError as error:
                self._failed(self._why_not(error))
                pause = min(2 * pause, longest)
            else:
                self.reopened += 1
                return

    def _receive(self) -> None:
        """Until the port is closed; OSError when the socket is lost."""
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
                    except ConnectionError:  # Windows tells here that a listener is gone
                        continue
                    self._received(datagram, sender)

    def _why_not(self, error: OSError) -> str:
        """Why the port cannot be opened, and what to do."""
        if error.errno == errno.EADDRINUSE:
            return (
                f"OSC port {self.port} of {self.host} is taken by another program (another Ponticello?); "
                "end it, or choose another port with --osc-port"
            )
        if error.errno == errno.EADDRNOTAVAIL:
            return f"--osc-host {self.host} is no address of this machine; 0.0.0.0 listens on all that it has"
        return f"OSC port {self.port} of {self.host} cannot be opened: {error.strerror}; choose with --osc-port and --osc-host"
