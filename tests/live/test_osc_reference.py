"""docs/osc.md and the examples match the tables."""

import json
import re
from pathlib import Path

import pytest

from live.osc.messages import OUT, PREFIX
from live.osc.reference import FILE, up_to_date
from shared import controls
from shared.audio.descriptors import DESCRIPTORS
from shared.controls import ACTIONS, CONTROLS, OUTPUTS, STREAMS

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = [EXAMPLES / name for name in ("supercollider.scd", "flucoma.scd", "puredata.pd", "max.maxpat")]


def test_committed_file_is_up_to_date():
    text = FILE.read_text("utf-8")
    assert up_to_date(text) == text, "write it anew: python -m live.osc.reference"
    assert up_to_date(text.replace("| a number", "| numbers")) == text
    rows = [line for line in text.splitlines() if line.startswith(f"| `{PREFIX}")]
    assert len(rows) == len(CONTROLS) + len(STREAMS) + len(ACTIONS) + len(OUTPUTS)
    assert len({line.count(" | ") for line in rows}) == 3  # tables of 3, 4 and 5 columns: no stray bars


@pytest.mark.parametrize("file", PROGRAMS, ids=lambda file: file.name)
def test_examples_use_existing_addresses(file):
    known = {PREFIX + name for name in (*controls.incoming_names(DESCRIPTORS), "weight", "offset")} | {
        OUT + name for name in OUTPUTS
    }
    used = set(re.findall(r"/ponticello/[\w/]+", file.read_text("utf-8")))
    assert used
    assert used <= known


def test_max_patch_is_connected():
    patcher = json.loads((EXAMPLES / "max.maxpat").read_text("utf-8"))["patcher"]
    boxes = {box["box"]["id"]: box["box"] for box in patcher["boxes"]}
    assert len(boxes) == len(patcher["boxes"])
    joined = set()
    for line in patcher["lines"]:
        (source, outlet), (destination, inlet) = line["patchline"]["source"], line["patchline"]["destination"]
        assert outlet < boxes[source]["numoutlets"]
        assert inlet < boxes[destination]["numinlets"]
        joined |= {source, destination}
    assert all(name in joined for name, box in boxes.items() if box["maxclass"] != "comment")
