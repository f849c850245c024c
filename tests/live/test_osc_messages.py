"""The meaning of messages: the different forms that programs send, and those that are refused."""

import math

import pytest

from live.osc.messages import Change, MessageReader, Query, Request, UnknownAddressError
from shared.audio.descriptors import DESCRIPTORS
from shared.controls import ACTIONS, CONTROLS, STREAMS
from shared.errors import SettingError

ME, OTHER = ("127.0.0.1", 4000), ("127.0.0.1", 4001)


@pytest.fixture
def read():
    reader = MessageReader(DESCRIPTORS)
    return lambda name, *given, sender=ME: reader.read("/ponticello/" + name, given, sender, 1.5)


@pytest.mark.parametrize(
    ("name", "given", "changed", "value"),
    [
        ("smoothing", [0.5], "smoothing", 0.5),
        ("smoothing", [0], "smoothing", 0.0),
        ("gain", ["-6.5"], "gain", -6.5),
        ("gain", [[3]], "gain", 3.0),  # brackets around the arguments
        ("fade", [True], "fade", 1.0),
        ("translate", [1, "0.5"], "translate", (1.0, 0.5)),
        ("translate", [[0.25, -1]], "translate", (0.25, -1.0)),
        *(("freeze", [on], "freeze", True) for on in (1, 1.0, "1", True)),
        *(("freeze", [off], "freeze", False) for off in (0, 0.0, "0", False, "0.0")),
        ("range", ["hold"], "range", "hold"),
        ("range", [1.0], "range", "hold"),
        ("range", ["0"], "range", "free"),
        ("sync", ["natural"], "sync", "natural"),
        ("sync", [1], "sync", 1.0),  # where numbers have a meaning of their own, words have no numbers
        ("sync", ["-20"], "sync", -20.0),
        ("weight/pitch", [2], "weight/pitch", 2.0),
        ("weight", ["pitch", 2.0], "weight/pitch", 2.0),
        ("offset", ["mfcc13", "-1"], "offset/mfcc13", -1.0),
        ("in/time", [12], "in/time", (12.0,)),
        ("in/latent", [], "in/latent", ()),
        ("in/latent", [1, 0.5, "2"], "in/latent", (1.0, 0.5, 2.0)),
        ("in/descriptors", [0.5] * 23, "in/descriptors", (0.5,) * 23),
    ],
)
def test_changes(read, name, given, changed, value):
    change = read(name, *given)
    assert change == Change(changed, value, 1.5)
    assert type(change.value) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "argument"),
    [
        ("preset", ["glass"], "glass"),
        ("preset", [2], 2.0),
        ("preset", [2.0], 2.0),
        ("preset", ["2"], "2"),  # a folder may be called so
        ("save", [], None),
        ("hall/save", [], None),
        ("hall/save", ["hall.toml"], "hall.toml"),
        ("show", ["image 3"], "image 3"),
        ("show", [17.0], "17"),
        ("show", [""], None),
        ("pair", [], None),
        ("seek", [12], 12.0),
        ("seek", ["1.5"], 1.5),
        ("notify", [57121.0], 57121.0),
        *(("record", [on], True) for on in (1, 1.0, "1")),
        *(("record", [off], False) for off in (0, 0.0, "0")),
    ],
)
def test_requests(read, name, given, argument):
    request = read(name, *given)
    assert request == Request(name, argument, ME, 1.5)
    assert type(request.argument) is type(argument)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(
            (name, [wrong])
            for name in ("smoothing", "freeze", "seek", "in/time")
            for wrong in (math.nan, math.inf, "loud")
        ),
        *((name, [None]) for name in ("smoothing", "range", "preset", "seek", "in/latent")),
        *((name, [b"12345678"]) for name in ("in/latent", "gain", "show")),
        *(
            (name, [])
            for name in ("smoothing", "freeze", "range", "preset", "seek", "in/time", "in/descriptors", "weight")
        ),
        *((name, [0.5, 0.5]) for name in ("smoothing", "freeze", "preset", "train", "in/time")),
        ("smoothing", [1]),
        ("smoothing", ["0.5x"]),
        ("freeze", [0.5]),
        ("freeze", [2]),
        ("translate", [0.5]),
        ("translate", [0.5, math.nan]),
        ("range", ["far"]),
        ("range", [2]),
        ("sync", [2000]),
        ("weight", [0.5]),
        ("weight", ["pitch"]),
        ("weight", ["lowness", 0.5]),
        ("weight/pitch", ["pitch", 0.5]),
        ("preset", [0]),
        ("preset", [1.5]),
        ("preset", [""]),
        ("show", [1.5]),
        ("seek", [-1]),
        ("notify", [65536]),
        ("train", ["now"]),
        ("in/latent", [0.5, math.nan]),
        ("in/descriptors", [0.5] * 22),
        ("in/descriptors", [0.5] * 22 + [math.inf]),
        ("in/time", ["?"]),
        ("train", ["?"]),
        ("pair", ["?"]),
    ],
)
def test_refused(read, name, given):
    with pytest.raises(SettingError) as refused:
        read(name, *given)
    assert len(str(refused.value)) > 10
    assert "\n" not in str(refused.value)


def test_every_row_of_the_tables_can_be_reached(read):
    given = {"pair": [0, 0], "switch": [1], "choice": [0], "shape": ["16:9"]}
    for row in CONTROLS.values():
        name = f"{row.name}/pitch" if row.per_input else row.name
        assert read(name, *given.get(row.kind, [row.low])).name == name
        assert read(name, "?") == Query(name, ME, 1.5)
    for row in ACTIONS.values():
        arguments = {"nothing": [], "switch": [1], "number": [1], "text": ["a"], "text or number": [1]}[row.takes]
        assert read(row.name, *arguments).name == row.name
        if row.answer:
            assert read(row.name, "?") == Query(row.name, ME, 1.5)
    for row in STREAMS.values():
        assert read(row.name, *[0.5] * (row.numbers or 512)).name == row.name


def test_buttons_fire_when_pressed(read):
    fired = [read("train", value) is not None for value in (1, 1, 0, 0, 1.0, 0.0, True, False, 127)]
    assert fired == [True, False, False, False, True, False, True, False, True]
    assert read("train") is not None  # without an argument every time
    assert read("train") is not None
    assert read("train", 1) is None  # and the button is still held
    assert read("save", 1) is not None  # each button of its own
    assert read("train", 1, sender=OTHER) is not None  # and each sender's


def test_nil_and_impulses_are_no_argument_of_an_action(read):
    for _ in range(2):  # no button is held
        assert read("train", None) == Request("train", None, ME, 1.5)
    assert read("show", None) == Request("show", None, ME, 1.5)
    assert read("record", None) == Request("record", True, ME, 1.5)
    assert read("ping", None, b"x", "y") == Request("ping", None, ME, 1.5)


def test_a_query_in_two_arguments(read):
    assert read("weight", "pitch", "?") == Query("weight/pitch", ME, 1.5)


def test_latent_of_the_generators_size():
    reader = MessageReader(DESCRIPTORS, 16)
    with pytest.raises(SettingError, match="takes 16 numbers; 15 given"):
        reader.read("/ponticello/in/latent", (0.0,) * 15, ME, 0)
    assert len(reader.read("/ponticello/in/latent", (0.0,) * 16, ME, 0).value) == 16
    assert reader.read("/ponticello/in/latent", (), ME, 0).value == ()


def test_inputs_of_another_preset():
    reader = MessageReader(("pitch", "loudness"))
    assert reader.read("/ponticello/weight/pitch", (2,), ME, 0) == Change("weight/pitch", 2.0, 0)
    with pytest.raises(UnknownAddressError):
        reader.read("/ponticello/weight/mfcc1", (2,), ME, 0)
    reader.expect(("mfcc1",), None)
    assert reader.read("/ponticello/weight/mfcc1", (2,), ME, 0) == Change("weight/mfcc1", 2.0, 0)
    with pytest.raises(SettingError, match=r"mfcc1$"):
        reader.read("/ponticello/weight", ("pitch", 2), ME, 0)


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("/ponticello/smoothin", "/ponticello/smoothing"),
        ("/ponticello/Freeze", "/ponticello/freeze"),
        ("/ponticelo/preset", "/ponticello/preset"),
        ("/smoothing", "/ponticello/smoothing"),
        ("/ponticello/weight/picth", "/ponticello/weight/pitch"),
        ("/ponticello", "/ponticello/"),
        ("/", "/ponticello/"),
        ("/qqq", "/ponticello/"),
    ],
)
def test_unknown_addresses_get_suggestions(address, near):
    reader = MessageReader(DESCRIPTORS)
    with pytest.raises(UnknownAddressError):
        reader.read(address, (0.5,), ME, 0)
    assert near in reader.suggestion(address)
