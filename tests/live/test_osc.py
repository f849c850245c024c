"""The OSC port over real sockets: messages, their order, answers, and robustness."""

import random
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from live.osc import udp
from live.osc.endpoints import parse_endpoint
from live.osc.inbox import Inbox
from live.osc.messages import Change, MessageReader, Query, Request
from live.osc.port import ERRORS_PER_S, OscPort
from live.osc.subscribers import MAX_SUBSCRIPTIONS, Subscribers
from shared.audio.descriptors import DESCRIPTORS
from shared.controls import ACTIONS, CONTROLS, OUTPUTS, STREAMS
from shared.errors import UserError
from tests.live.osc_client import Client, bundle, events, message, until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HANGING = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", -4)


@pytest.fixture
def port():
    with OscPort(DESCRIPTORS, port=0, targets=()) as opened:
        yield opened


@pytest.fixture
def client(port):
    with Client(port.port) as made:
        yield made


def settle(client):
    """Wait until all that was sent has been read, as the port reads in order; whatever else was answered meanwhile."""
    client.send("ping")
    answers = []
    while (answer := client.hear(20)) != ["pong"]:
        assert answer is not None, "the port does not answer"
        answers.append(answer)
    return answers


def names(taken):
    return [(e.name, e.value if isinstance(e, Change) else getattr(e, "argument", "?")) for e in taken]


def test_messages_arrive_in_order_and_once(port, client):
    before = time.monotonic()
    for name, *given in (
        ("smoothing", 0.9),
        ("fade", 0.5),
        ("smoothing", 0.5),  # the latest counts
        ("save",),
        ("smoothing", 0.25),  # but not for what was asked before
        ("preset", "glass"),
        ("preset", 2),
        ("smoothing", "?"),
        ("fade", 1),
    ):
        client.send(name, *given)
    settle(client)
    taken = port.take()
    assert names(taken) == [
        ("fade", 0.5),
        ("smoothing", 0.5),
        ("save", None),
        ("smoothing", 0.25),
        ("preset", "glass"),
        ("preset", 2.0),
        ("smoothing", "?"),
        ("fade", 1.0),
    ]
    assert [type(e) for e in taken[-2:]] == [Query, Change]
    assert all(before <= e.arrived <= time.monotonic() for e in taken)
    assert taken[2].sender == client.address
    assert port.take() == []
    assert port.counters.received == 10


def test_answers_go_to_the_sender_of_the_question(port, client):
    with Client(port.port) as other:
        client.send("smoothing", "?")
        other.send("weight/pitch", "?")
        other.send("translate", "?")
        other.send("preset", "?")
        other.send("freeze", "?")
        values = {"smoothing": 0.5, "weight/pitch": 2.0, "translate": (0.5, -0.25), "preset": "glass", "freeze": True}
        for question in events(port, 5):
            port.answer(question, values[question.name])
        assert client.hear() == ["value", "/ponticello/smoothing", 0.5]
        assert other.hear() == ["value", "/ponticello/weight/pitch", 2.0]
        assert other.hear() == ["value", "/ponticello/translate", 0.5, -0.25]
        assert other.hear() == ["value", "/ponticello/preset", "glass"]
        assert other.hear() == ["value", "/ponticello/freeze", 1]
        other.send("ping")
        assert other.hear() == ["pong"]
        assert client.hear(0.05) is None


def test_outputs_go_to_targets_and_to_who_asks():
    with (
        Client(1) as target,
        OscPort(DESCRIPTORS, port=0, targets=(target.address,)) as port,
        Client(port.port) as asker,
        Client(port.port) as receiver,
    ):
        port.send("tick", 1, 0.5, 2.0, 0.25, "image 3")
        assert target.hear() == ["tick", 1, 0.5, 2.0, 0.25, "image 3"]
        asker.send("notify", 1)
        asker.send("notify", 1)
        asker.send("notify", "?")
        assert asker.hear() == ["value", "/ponticello/notify", 1]
        port.send("status", 30, 12.5, 1, 0, 0)
        assert asker.hear() == target.hear() == ["status", 30.0, 12.5, 1, 0, 0]
        asker.send("notify", receiver.address[1])  # Max sends from one port and reads on another
        asker.send("fade", 7)
        assert receiver.hear()[:2] == ["error", "/ponticello/fade"]
        port.send("descriptors", *range(23))
        assert receiver.hear() == ["descriptors", *map(float, range(23))]
        assert port.counters.subscribers == 2
        asker.send("notify", 0)
        assert until(lambda: port.counters.subscribers == 1)
        port.send("status", 30, 12.5, 1, 0, 0)
        assert asker.hear(0.05) is None
        assert [target.hear()[0] for _ in range(2)] == ["descriptors", "status"]


def test_outputs_fit_their_table(port, client):
    client.send("notify", 1)
    assert until(lambda: port.counters.subscribers == 1)
    sample = {"i": 1, "f": 0.5, "s": "a"}
    for row in OUTPUTS.values():
        values = [sample[letter] for letter in row.types.removesuffix("*")]
        port.send(row.name, *values)
        assert client.hear() == [row.name, *values]
        if row.types != "":
            port.send(row.name, *values[1:])  # one too few: counted, not raised
    port.send("tick", "a", None, 1, 2, 3)
    assert client.hear(0.05) is None
    assert port.counters.unsent == sum(row.types != "" for row in OUTPUTS.values()) + 1
    assert "/ponticello/out/tick was not sent" in port.last_error


def test_wrong_messages_are_answered_and_change_nothing(port, client):
    client.send("smoothing", 0.5)
    for wrong, text in (
        (message("/ponticello/smoothing", 2.0), "smoothing = 2.0 given; allowed is a number from 0 to 0.999"),
        (message("/ponticello/smoothing", float("nan")), "nan"),
        (message("/ponticello/smoothin", 0.1), "similar: /ponticello/smoothing"),
        (message("/ponticello/in/descriptors", 0.1), "takes 23 numbers; 1 given"),
        (message("/status", 1), "start with /ponticello/"),
    ):
        client.send_bytes(wrong)
        heard = client.hear()
        assert heard[:2] == ["error", wrong[: wrong.index(b"\0")].decode()]
        assert text in heard[2]
        assert heard[2] in port.last_error
    client.send_bytes(b"nonsense")
    assert client.hear()[:2] == ["error", ""]
    settle(client)
    assert names(port.take()) == [("smoothing", 0.5)]
    assert port.counters.bad == 6


def test_the_bundle_that_hangs_parsers(port, client):
    client.send_bytes(HANGING)
    assert "bundle element of -4 bytes" in client.hear()[2]
    client.send("ping")
    assert client.hear() == ["pong"]


def test_echoes_are_not_answered(port, client):
    client.send_bytes(message("/ponticello/out/error", "/a", "no such address"))
    client.send_bytes(message("/ponticello/out/tick", 1))
    client.send("ping")
    assert client.hear() == ["pong"]
    assert port.counters.bad == 0


def test_errors_to_one_sender_are_limited(port, client):
    for _ in range(200):
        client.send("nonsense")
    answers = settle(client)
    assert port.counters.bad == 200
    assert ERRORS_PER_S <= len(answers) < 200 / 2  # one or two seconds have begun meanwhile
    with Client(port.port) as other:
        other.send("nonsense")
        assert other.hear()[0] == "error"


def test_time_tags(port, client):
    now, start = time.time(), time.monotonic()
    client.send_bytes(bundle(now + 0.7, message("/ponticello/preset", 3), message("/ponticello/preset", 4)))
    client.send_bytes(bundle(now + 0.4, message("/ponticello/preset", 2)))
    client.send_bytes(bundle(now + 60.0, message("/ponticello/preset", 1)))  # a wrong clock: at once
    client.send_bytes(bundle(now + 5.0, message("/ponticello/preset", 5)))
    client.send_bytes(bundle(now - 60.0, message("/ponticello/seek", 1)))
    client.send_bytes(bundle(None, message("/ponticello/seek", 2)))
    settle(client)  # while something waits for its time, all else goes on
    assert names(port.take()) == [("preset", 1.0), ("preset", 5.0), ("seek", 1.0), ("seek", 2.0)]
    later = events(port, 3)
    assert names(later) == [("preset", 2.0), ("preset", 3.0), ("preset", 4.0)]
    assert [e.arrived - start for e in later] == pytest.approx([0.4, 0.7, 0.7], abs=0.05)
    assert all(e.arrived <= time.monotonic() for e in later)


def test_a_program_that_forgets_its_port_ends_all_the_same():
    code = "from live.osc.port import OscPort; OscPort(('pitch',), port=0, targets=()).start()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True)


FLOOD = """
import socket, struct, sys, time
port, count, rate = map(int, sys.argv[1:])
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
start = time.monotonic()
for i in range(count):
    sender.sendto(b"/ponticello/smoothing\\0\\0\\0,f\\0\\0" + struct.pack(">f", i / count / 2), ("127.0.0.1", port))
    if i % 100 == 99:
        sender.sendto(b"/ponticello/preset\\0\\0,i\\0\\0" + struct.pack(">i", (i + 1) // 100), ("127.0.0.1", port))
        time.sleep(max(0, start + i / rate - time.monotonic()))
"""


def test_flood_of_10_000_messages_a_second(port, client, unchecked):
    flood = subprocess.Popen([sys.executable, "-c", FLOOD, str(port.port), "15000", "10000"])
    taken = []
    while flood.poll() is None:
        time.sleep(1 / 30)
        taken += port.take()
    time.sleep(0.5)  # on a busy machine the system's buffer may still be full: what comes then is lost
    settle(client)
    client.send("smoothing", 0.75)
    settle(client)
    taken += port.take()
    numbers = [e.argument for e in taken if isinstance(e, Request)]
    values = [e.value for e in taken if isinstance(e, Change)]
    assert len(numbers) > 10
    assert numbers == sorted(set(numbers))
    assert values == sorted(values)
    assert values[-1] == 0.75
    assert len(values) < port.counters.received / 2
    assert port.counters.bad == port.counters.dropped == 0


def test_bursts_lose_nothing(port, client):
    taken = []
    for burst in range(10):
        for i in range(200):
            client.send("preset" if i % 10 == 0 else "fade", 1 + burst if i % 10 == 0 else i / 200)
        settle(client)
        taken += port.take()
    assert [e.argument for e in taken if isinstance(e, Request)] == [1.0 + n // 20 for n in range(200)]
    assert port.counters.received == 10 * 201


def test_requests_that_nobody_takes_are_refused_in_the_end(port, client, unchecked):
    refused = []
    for i in range(Inbox.MAX_PER_SENDER + 50):
        client.send("preset", i + 1)
        client.send("fade", (i % 10) / 10)
        if i % 100 == 99:
            refused += settle(client)
    refused += settle(client)
    assert port.counters.dropped == port.counters.bad == 50
    assert refused
    assert {(name, address) for name, address, _ in refused} == {("error", "/ponticello/preset")}
    assert "1000 requests are waiting already" in refused[0][2]
    taken = port.take()
    assert [e.argument for e in taken if isinstance(e, Request)] == [float(i + 1) for i in range(Inbox.MAX_PER_SENDER)]
    assert taken[-1].name == "fade"
    client.send("preset", 7)
    assert names(events(port, 1)) == [("preset", 7.0)]


def test_random_packets_and_random_messages(port, client):
    rng = random.Random(2)
    known = [f"/ponticello/{name}" for name in (*CONTROLS, *STREAMS, *ACTIONS, "weight/pitch", "out/tick", "nothing")]
    anything = [
        0,
        1,
        -1,
        2**31 - 1,
        ("h", 2**62),
        0.5,
        float("nan"),
        float("inf"),
        ("d", 1e300),
        "",
        "?",
        "pitch",
        "1e999",
        b"abcd",
    ]
    anything += [True, False, None, [1.0, "x"]]
    for sent in range(2000):
        packet = message(rng.choice(known), *rng.choices(anything, k=rng.choice([0, 1, 1, 2, 3, 23])))
        if rng.random() < 0.3:
            packet = bundle(time.time() + rng.uniform(-1, 2), packet, packet)
        if rng.random() < 0.5:
            broken = bytearray(packet)
            broken[rng.randrange(len(broken))] = rng.randrange(256)
            packet = bytes(broken)
        client.send_bytes(packet)
        if sent % 200 == 0:
            time.sleep(0.005)
            port.take()
    with Client(port.port) as other:
        settle(other)
    assert port.counters.failures == port.counters.reopened == 0
    assert port.counters.bad > 500


def test_port_taken_and_set_free(port):
    with pytest.raises(UserError, match=f"OSC port {port.port} of 127.0.0.1 is in use .* --osc-port"):
        OscPort(DESCRIPTORS, port=port.port).start()
    number = port.port
    port.close()
    port.send("pong")  # closed: nothing is sent, nothing raised
    with Client(number) as client:
        for _ in range(2):
            with OscPort(DESCRIPTORS, port=number, targets=()):
                client.send("ping")
                assert client.hear() == ["pong"]
        port.start()
        client.send("ping")
        assert client.hear() == ["pong"]


@pytest.mark.parametrize(
    ("host", "number", "text"),
    [
        ("192.0.2.1", 0, "--osc-host 192.0.2.1 is not an address of this machine"),  # RFC 5737: nobody has it
        ("no.such.host.invalid", 0, "--osc-host: the host 'no.such.host.invalid'"),
        ("x" * 300, 0, "--osc-host"),
    ],
)
def test_hosts_that_are_not_here(host, number, text):
    with pytest.raises(UserError, match=text):
        OscPort(DESCRIPTORS, host, number).start()


@pytest.fixture
def sockets(monkeypatch):
    """The sockets that ports open, newest last. A system that wakes up may close them."""
    opened = []

    class Recorded(socket.socket):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            opened.append(self)

    monkeypatch.setattr(udp.socket, "socket", Recorded)
    return opened


def test_a_lost_socket_is_reopened(sockets):
    with OscPort(DESCRIPTORS, port=0, targets=()) as port:
        sockets[-1].close()
        assert until(lambda: port.counters.reopened == 1)
        assert "was lost" in port.last_error
        with Client(port.port) as client:
            client.send("ping")
            assert client.hear() == ["pong"]


def test_a_lost_port_that_another_program_took_is_tried_again(sockets):
    with (
        OscPort(DESCRIPTORS, port=0, targets=()) as port,
        Client(port.port) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief,
    ):
        sockets[1].close()
        assert until(lambda: "was lost" in port.last_error)
        thief.bind(("127.0.0.1", port.port))
        assert until(lambda: "is in use by another program" in port.last_error)
        port.send("pong")
        port.take()
        thief.close()
        assert until(lambda: port.counters.reopened == 1)
        client.send("ping")
        assert client.hear() == ["pong"]


def test_an_unexpected_error_does_not_end_the_thread(port, client, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(MessageReader, "read", lambda *_: 1 / 0)
        client.send("ping")
        assert until(lambda: port.counters.failures == 1)
        assert "ZeroDivisionError" in port.last_error
    client.send("ping")
    assert client.hear() == ["pong"]


def test_targets_on_the_command_line():
    assert parse_endpoint("127.0.0.1:57120") == ("127.0.0.1", 57120)
    assert parse_endpoint("localhost:9000") == ("127.0.0.1", 9000)
    for wrong in (
        "",
        "57120",
        ":57120",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "a:b",
        "a:²",
    ):
        with pytest.raises(UserError, match="HOST:PORT"):
            parse_endpoint(wrong)
    with pytest.raises(UserError, match=r"no\.such\.host\.invalid"):
        parse_endpoint("no.such.host.invalid:57120")


def test_the_subscriber_that_was_silent_longest_makes_room():
    subscribers = Subscribers((("10.0.0.1", 1),))
    senders = [("10.0.0.2", 1000 + i) for i in range(MAX_SUBSCRIPTIONS + 1)]
    for sender in senders[:MAX_SUBSCRIPTIONS]:
        subscribers.add(sender, None)
    subscribers.touch(senders[0])
    subscribers.add(senders[MAX_SUBSCRIPTIONS], None)
    assert len(subscribers) == MAX_SUBSCRIPTIONS + 1
    assert senders[0] in subscribers.all()
    assert senders[1] not in subscribers.all()


def test_a_program_started_again_takes_its_own_place():
    subscribers = Subscribers(())
    subscribers.add(("10.0.0.2", 1000), 57121)
    subscribers.add(("10.0.0.2", 1001), 57121)
    assert subscribers.all() == (("10.0.0.2", 57121),)
    assert subscribers.reply_endpoint(("10.0.0.2", 1001)) == ("10.0.0.2", 57121)
    assert subscribers.reply_endpoint(("10.0.0.2", 1000)) == ("10.0.0.2", 1000)
    subscribers.remove(("10.0.0.2", 1001))
    assert subscribers.all() == ()


def test_a_silent_subscription_from_elsewhere_is_warned_and_ends_and_one_from_loopback_stays():
    now = [1000.0]
    subscribers = Subscribers((), lambda: now[0])
    for sender in (elsewhere := ("10.0.0.2", 1000), local := ("127.0.0.1", 1000), talking := ("10.0.0.3", 1000)):
        subscribers.add(sender, 57121 if sender == elsewhere else None)
    for second, warned in ((44.9, []), (45.0, [("10.0.0.2", 57121)]), (46.0, []), (59.9, [])):
        now[0] = 1000 + second
        subscribers.touch(talking)
        assert subscribers.expire() == warned
    assert len(subscribers) == 3
    subscribers.touch(elsewhere)  # a message of any kind: 60 s from here
    now[0] += 50
    subscribers.touch(talking)
    assert subscribers.expire() == [("10.0.0.2", 57121)]
    now[0] += 10
    assert subscribers.expire() == []
    assert set(subscribers.all()) == {local, talking}
    now[0] += 1e6
    subscribers.expire()
    assert subscribers.all() == (local,)


def other_address():
    """An address of this machine that is not a loopback one; skips where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: this only asks for a route
        except OSError:
            pytest.skip("no network interface besides loopback")
        return probe.getsockname()[0]


def test_outputs_to_another_address_end_after_a_minute_of_silence():
    host, offset = other_address(), [0.0]
    with (
        OscPort(DESCRIPTORS, "0.0.0.0", 0, (), lambda: time.monotonic() + offset[0]) as port,
        Client(port.port, host) as remote,
        Client(port.port) as local,
    ):
        for client in (remote, local):
            client.send("notify", 1)
        assert until(lambda: port.counters.subscribers == 2)
        offset[0] = 46
        warning = remote.hear()
        assert warning[:2] == ["error", "/ponticello/notify"]
        assert "outputs stop in 15 s" in warning[2]
        port.send("status", 30, 1, 0, 0, 0)
        assert remote.hear()[0] == local.hear()[0] == "status"
        offset[0] = 62
        assert until(lambda: port.counters.subscribers == 1)
        port.send("status", 30, 1, 0, 0, 0)
        assert local.hear()[0] == "status"
        assert remote.hear(0.1) is None


@pytest.mark.parametrize(
    "tags", [b"", b",\0\0\0", b",I\0\0", b",N\0\0", b",T\0\0", b",F\0\0", b",r\0\0" + bytes(4), b",i\0\0" + bytes(4)]
)
def test_a_ping_is_answered_whatever_its_argument(port, client, tags):
    client.send_bytes(b"/ponticello/ping\0\0\0\0" + tags)
    assert client.hear() == ["pong"]


def test_a_message_without_type_tags_is_refused_by_its_address(port, client):
    client.send_bytes(b"/ponticello/smoothing\0\0\0" + struct.pack(">f", 0.5))
    heard = client.hear()
    assert heard[:2] == ["error", "/ponticello/smoothing"]
    assert "no type tags" in heard[2]
    client.send_bytes(b"/ponticello/smoothing\0\0\0,r\0\0" + bytes(4))
    assert client.hear()[:2] == ["error", "/ponticello/smoothing"]
    assert port.take() == []


def test_control_characters_come_back_escaped(port, client):
    client.send("\x1b]0;title\x07", 1)
    client.send("smoothing", "\x1b[2J\u202e")
    for text in [part for _ in range(2) for part in client.hear()]:
        assert text.isprintable()
    assert "\\x1b]0;title\\x07" in port.last_error or "\\x1b[2J\\u202e" in port.last_error


def test_errors_of_the_show_are_limited_too(port, client):
    sent = [port.error("/ponticello/train", "no", client.address) for _ in range(100)]
    assert sum(sent) in (ERRORS_PER_S, 2 * ERRORS_PER_S)
    assert len(settle(client)) == sum(sent)
