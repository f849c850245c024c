"""OSC packets: the examples of the specification, and arbitrary bytes."""

import random
import struct
import time

import numpy as np
import pytest

from live.osc.packets import BadPacket, build, parse, types_of
from tests.live.osc_client import bundle, message

# OSC 1.0, "OSC Message Examples" (opensoundcontrol.org/spec-1_0-examples)
FREQUENCY = bytes.fromhex("2f6f7363 696c6c61 746f722f 342f6672 65717565 6e637900 2c660000 43dc0000")
FOO = bytes.fromhex("2f666f6f 00000000 2c696973 66660000 000003e8 ffffffff 68656c6c 6f000000 3f9df3b6 40b5b22d")
HANGING = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", -4)


def arguments(packet):
    return [(m.address, *m.arguments) for m in parse(packet)]


def test_examples_of_the_specification():
    assert arguments(FREQUENCY) == [("/oscillator/4/frequency", 440.0)]
    [(address, *values)] = arguments(FOO)
    assert (address, values[:3]) == ("/foo", [1000, -1, "hello"])
    assert values[3:] == pytest.approx([1.234, 5.678])
    assert build("/oscillator/4/frequency", "f", [440]) == FREQUENCY
    assert build("/foo", "iisff", [1000, -1, "hello", 1.234, 5.678]) == FOO


def test_all_types_that_are_taken():
    packet = message("/a", 1, ("h", 2**40), 0.5, ("d", 0.1), "é", b"abc", True, False, None, [1, "x"])
    assert arguments(packet) == [("/a", 1, 2**40, 0.5, 0.1, "é", b"abc", True, False, None, [1, "x"])]
    assert arguments(b"/a\0\0,IiN\0\0\0\0" + struct.pack(">i", 5)) == [("/a", None, 5, None)]
    in_a_bundle = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", 8) + b"/I\0\0,I\0\0"
    assert arguments(in_a_bundle) == [("/I", None)]
    assert arguments(b"/a\0\0") == [("/a",)]  # without type tags, as old programs send it
    assert arguments(b"/a\0\0,\0\0\0") == [("/a",)]


def test_bundles_in_the_order_of_their_time_tags():
    now = time.time()
    inner = bundle(now + 0.2, message("/late", 1), message("/late", 2))
    early = bundle(now + 0.1, message("/early"))
    both = b"#bundle\0" + bytes(7) + b"\1" + b"".join(struct.pack(">i", len(b)) + b for b in (inner, early, FREQUENCY))
    messages = parse(both)
    assert [(m.address, *m.arguments) for m in messages] == [
        ("/oscillator/4/frequency", 440.0),
        ("/early",),
        ("/late", 1),
        ("/late", 2),
    ]
    assert [m.due - now for m in messages] == pytest.approx([0, 0.1, 0.2, 0.2], abs=0.05)
    assert parse(b"#bundle\0" + bytes(8)) == []


def in_bundle(size, content=b""):
    return b"#bundle\0" + bytes(8) + struct.pack(">i", size) + content


@pytest.mark.parametrize(
    "packet",
    [
        HANGING,
        in_bundle(0),
        in_bundle(8, FREQUENCY[:4]),
        in_bundle(2**31 - 1, FREQUENCY),
        in_bundle(6, b"/a\0\0\0\0\0\0"),
        in_bundle(4, b"abcd"),
        b"#bundle\0" + bytes(4),
        b"#bundle\0",
        b"",
        b"/",
        b"/abc",
        b"hello\0\0\0",
        b"/a\0\0abc\0",
        b"/a\0\0,i\0\0",
        b"/a\0\0,i\0\0" + bytes(8),
        b"/a\0\0,s\0\0abcd",
        b"/a\0\0,b\0\0" + struct.pack(">i", -4),
        b"/a\0\0,b\0\0" + struct.pack(">i", 2**31 - 4) + bytes(8),
        b"/a\0\0,b\0\0",
        b"/a\0\0,c\0\0" + bytes(4),
        b"/a\0\0,[\0\0",
        b"/a\0\0,]\0\0",
        b"/a\0\0,[[]]\0\0\0",
        b"/\xff\0\0,\0\0\0",
        b"/a\0\0,s\0\0\xc3\0\0\0",
        b"/" + b"a" * 60_000 + bytes(3),
        b"/a\0\0," + b"T" * 60_000 + bytes(3),
    ],
    ids=lambda packet: str(packet[:24]),
)
def test_malformed(packet):
    with pytest.raises(BadPacket):
        parse(packet)


def test_a_bad_message_is_named_by_its_address():
    for packet in (b"/abc\0\0\0\0" + bytes(4), b"/abc\0\0\0\0,c\0\0" + bytes(4), b"/abc\0\0\0\0,i\0\0"):
        with pytest.raises(BadPacket) as bad:
            parse(packet)
        assert bad.value.address == "/abc"


def test_bundles_nested_for_ever():
    packet = FREQUENCY
    for depth in range(1, 1500):
        packet = b"#bundle\0" + bytes(8) + struct.pack(">i", len(packet)) + packet
        if depth <= 8:
            assert len(parse(packet)) == 1
    with pytest.raises(BadPacket, match="nested"):
        parse(packet)


@pytest.mark.slow
def test_20_000_mutated_packets_give_bad_packets_only():
    rng = random.Random(1)
    rich = message("/ponticello/x", 1, 0.5, "text", b"blob", True, [1, 2.0])
    seeds = [FREQUENCY, FOO, rich, HANGING, bundle(time.time() + 1, rich, FOO), bundle(None, rich, FREQUENCY)]
    parsed = refused = 0
    for _ in range(20_000):
        packet = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(packet)) if packet else 0
            match rng.randrange(5):
                case 0 if packet:
                    packet[at] = rng.randrange(256)
                case 1:
                    packet[at : at + 4] = struct.pack(">i", rng.choice([-1, -4, 0, 1, 4, 2**31 - 1, -(2**31)]))
                case 2:
                    del packet[at : at + rng.choice([1, 4, 8])]
                case 3:
                    packet[at:at] = packet[: rng.choice([4, 8, 16])]
                case _ if packet:
                    packet[at] ^= 1 << rng.randrange(8)
        try:
            parse(bytes(packet))
            parsed += 1
        except BadPacket:
            refused += 1
    assert parsed > 1000
    assert refused > 1000


def test_numbers_that_receivers_would_choke_on():
    [(_, *values)] = arguments(build("/a", "fffiis", [1e300, -np.inf, np.nan, 2**40, np.int64(-3), "a\0b"]))
    assert values == [pytest.approx(3.4028235e38), 0.0, 0.0, 2**31 - 1, -3, "a\\x00b"]


@pytest.mark.parametrize("values", [[], [1], [1, 2, 3], ["a", 1.0], [None, 1.0]])
def test_values_that_do_not_fit_their_types(values):
    with pytest.raises(ValueError):  # noqa: PT011  # zip's own, or ours
        build("/a", "if", values)


def test_types_of_values():
    assert types_of([1.5, 2, True, "a", np.float32(1), np.int64(2)]) == "fiisfi"
