"""Pickles with the structure of official checkpoints, and arbitrary content."""

import os
import pickle
import subprocess
import sys
import types
import warnings
from collections import OrderedDict
from contextlib import contextmanager
from struct import pack

import numpy as np
import torch

SOURCE = 'raise SystemExit("source text inside a checkpoint was executed")\n'


class Call:
    """Pickles as a call of `function` with `arguments`; its result gets `state`."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


@contextmanager
def official_modules():
    """The names that official checkpoints name, importable while we pickle."""
    names = {"torch_utils.persistence": "_reconstruct_persistent_obj", "dnnlib.tflib.network": "_build"}
    made = {}
    for module, name in names.items():
        parts = module.split(".")
        for i in range(1, len(parts) + 1):
            parent = ".".join(parts[:i])
            made.setdefault(parent, types.ModuleType(parent))

        def function(*_):
            raise AssertionError("was called")

        function.__module__, function.__name__, function.__qualname__ = module, name, name
        setattr(made[module], name, function)
    sys.modules.update(made)
    try:
        yield made
    finally:
        for name in made:
            del sys.modules[name]


def network(modules, class_name="Generator", parameters=(), buffers=(), children=(), kwargs=(), **others):
    state = {
        "_parameters": {k: torch.nn.Parameter(torch.as_tensor(v)) for k, v in dict(parameters).items()},
        "_buffers": {k: torch.as_tensor(v) for k, v in dict(buffers).items()},
        "_modules": OrderedDict(children),
        "_init_args": (),
        "_init_kwargs": dict(kwargs),
        **others,
    }
    meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": class_name, "state": state}
    return Call(modules["torch_utils.persistence"]._reconstruct_persistent_obj, meta)


def dump(content, protocol=4):
    return pickle.dumps(content, protocol=protocol)


def hostile_pickles(marker):
    """Hostile files by name, with the message that refuses each. `marker` would exist if code ran."""
    touch = f"touch {marker}"
    write = f"open({str(marker)!r}, 'w')"
    load = torch.storage._load_from_bytes
    stored = stored_numbers(torch.ones(4))
    first = stored[: stored.index(b".") + 1]
    place = stored.rindex(b"q\x01a.") - 1  # of the last digit of the key in the fifth
    scalar = np.float32(1).__reduce__()[0]
    return {
        "os.system": (dump({"G_ema": Call(os.system, touch)}), "names (posix|nt).system"),
        "os.system by another opcode": (b"\x80\x02cos\nsystem\n(V" + touch.encode() + b"\ntR.", "names os.system"),
        "builtins.eval": (dump({"G_ema": Call(eval, write)}), "names builtins.eval"),
        "builtins.exec": (dump(Call(exec, write)), "names builtins.exec"),
        "getattr": (dump(Call(getattr, 1, "real")), "names builtins.getattr"),
        "torch.hub.load": (dump(Call(torch.hub.load, str(marker), "x")), "names torch.hub.load"),
        "torch.load": (dump(Call(torch.load, "x")), r"names torch\.\w+\.load"),
        "subprocess": (dump(Call(subprocess.Popen, ["touch", str(marker)])), "names subprocess.Popen"),
        "numpy.load": (dump(Call(np.load, "x")), "names numpy"),
        "in the storage": (dump(Call(load, dump(Call(os.system, touch), 2))), "names (posix|nt).system"),
        "in a real storage's place of the magic": (dump(Call(load, dump(Call(os.system, touch), 2) + stored)), "system"),
        "after a real storage's magic": (dump(Call(load, first + dump(Call(os.system, touch), 2))), "system"),
        "a storage of an unknown class": (dump(Call(load, stored.replace(b"FloatStorage", b"hub"))), "names torch.hub"),
        "a storage of another key": (dump(Call(load, stored[:place] + b"x" + stored[place + 1 :])), "storage is damaged"),
        "a storage cut off": (dump(Call(load, stored[:-3])), "storage is damaged"),
        "a storage too long": (dump(Call(load, stored + b"1234")), "storage is damaged"),
        "a tensor outside its storage": (dump(stored_tensor(1, (4,), (1,))), "reaches outside its storage"),
        "a tensor of negative size": (dump(stored_tensor(0, (-1,), (1,))), "impossible sizes"),
        "a tensor from before its storage": (dump(stored_tensor(-2, (2,), (1,))), "impossible sizes"),
        "a tensor of huge steps": (dump(stored_tensor(0, (2,), (1 << 61,))), "impossible sizes"),
        "a tensor of one number a million times": (dump(stored_tensor(0, (4, 4), (0, 0))), "reaches outside"),
        "a tensor of many dimensions": (dump(stored_tensor(0, (1,) * 200, (1,) * 200)), "damaged|dimensions|unknown form"),
        "a tensor of texts": (dump(stored_tensor(0, ("a",), ("b",))), "impossible sizes"),
        "a dotted name": (b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.", "names collections.OrderedDict.fromkeys"),
        "a dotted global": (b"\x80\x04ccollections\nOrderedDict.__init__\n.", "names collections.OrderedDict.__init__"),
        "a name that is no text": (b"\x80\x04K\x01K\x02\x93.", r"names \?\.\?"),
        "an extension code": (b"\x80\x04\x82\x01.", "instruction EXT1"),
        "a long extension code": (b"\x80\x04\x84\x01\x00\x00\x00.", "instruction EXT4"),
        "INST": (b"\x80\x04(V" + touch.encode() + b"\nios\nsystem\n.", "instruction INST"),
        "OBJ": (b"\x80\x04(cos\nsystem\nV" + touch.encode() + b"\no.", "names os.system"),
        "NEWOBJ_EX": (b"\x80\x04ccollections\nOrderedDict\n)}\x92.", "instruction NEWOBJ_EX"),
        "a persistent id": (b"\x80\x04Psomething\n.", "instruction PERSID"),
        "a binary persistent id": (b"\x80\x04K\x01Q.", "instruction BINPERSID"),
        "an outside buffer": (b"\x80\x05\x97.", "instruction NEXT_BUFFER"),
        "state for a class": (b"\x80\x04ccollections\nOrderedDict\nN}V__init__\nK\x01s\x86b.", "change a GlobalName"),
        "state for a dictionary": (b"\x80\x04ccollections\nOrderedDict\n)R}V__class__\nK\x01sb.", "change a dict"),
        "items for a class": (b"\x80\x04ccollections\nOrderedDict\nK\x01K\x02s.", "change a GlobalName as if it were a dict"),
        "a call of no name": (b"\x80\x04K\x01)R.", "calls int"),
        "a call of a name to be handed on": (b"\x80\x04cnumpy\nndarray\n)R.", "calls numpy.ndarray"),
        "a call without a tuple": (b"\x80\x04ccollections\nOrderedDict\n]R.", "calls collections.OrderedDict"),
        "a dictionary from numbers": (b"\x80\x04ccollections\nOrderedDict\n]K\x01a\x85R.", "a dictionary in an unusual way"),
        "a numpy dtype of objects": (dump(np.dtype("O")), "not a plain number"),
        "a numpy array of objects": (dump(np.array([Call(os.system, touch)], object)), "not a plain number"),
        "numbers of the other order": (dump(np.dtype(">f4")), "unknown byte order"),
        "a number of another size": (dump(Call(scalar, np.dtype("f8"), b"1234")), "number in an unknown form"),
        "a tuple for a key": (b"\x80\x04})K\x01s.", "a tuple as a key"),
        "deep tuples for a key": (b"\x80\x04})" + b"\x85" * 30_000 + b"K\x01s.", "a tuple as a key"),
        "a set of lists": (b"\x80\x04\x8f(]\x90.", "a list as a key"),
        "a text of 4 EiB": (b"\x80\x04\x8d" + pack("<Q", 1 << 62) + b"a.", "damaged or truncated"),
        "bytes of 8 EiB": (b"\x80\x04\x8e" + pack("<Q", (1 << 63) - 1) + b"a.", "damaged or truncated"),
        "bytes of 16 EiB": (b"\x80\x04\x8e" + pack("<Q", (1 << 64) - 1) + b"a.", "damaged or truncated"),
        "an integer of 2 GiB": (b"\x80\x04\x8b" + pack("<i", (1 << 31) - 1) + b"a.", "damaged or truncated"),
        "an integer of less than none": (b"\x80\x04\x8b" + pack("<i", -1) + b".", "damaged or truncated"),
        "a memo that isn't there": (b"\x80\x04j\xff\xff\xff\xff.", "damaged or truncated"),
        "an empty stack": (b"\x80\x04\x85.", "damaged or truncated"),
        "nothing but marks": (b"\x80\x04((((.", "does not end with exactly one value"),
        "two values": (b"\x80\x04NN.", "does not end with exactly one value"),
        "no mark": (b"\x80\x04Nt.", "damaged or truncated"),
        "half an item": (b"\x80\x04}(K\x01u.", "damaged or truncated"),
    }  # fmt: skip


def stored_numbers(tensor):
    """A storage as torch writes it: five pickles, then the numbers."""
    with warnings.catch_warnings(action="ignore"):  # torch's, about its own storages
        return tensor.storage().__reduce__()[1][0]


def stored_tensor(offset, size, stride):
    storage = torch.ones(4)._typed_storage()
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, OrderedDict())
