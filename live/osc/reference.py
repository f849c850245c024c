"""Generates the tables of docs/osc.md from `shared.controls`: `python -m live.osc.reference` updates the file."""

from collections.abc import Iterable
from pathlib import Path

from live.osc.messages import OUT, PREFIX
from shared.controls import ACTIONS, CONTROLS, OUTPUTS, STREAMS, Control, ControlStream, OscAction, OscOutput, Value

FILE = Path(__file__).parents[2] / "docs" / "osc.md"
KEPT_IN = {"preset": "preset", "hall": "hall file", "show": "the running show only"}


def up_to_date(text: str) -> str:
    """`text` with current tables, each between `<!-- NAME -->` and `<!-- end -->`."""
    tables = {
        "controls": _table(("address", "takes", "default", "stored in", ""), map(_control, CONTROLS.values())),
        "streams": _table(("address", "takes", ""), map(_stream, STREAMS.values())),
        "actions": _table(("address", "takes", "", "answer to `?`"), map(_action, ACTIONS.values())),
        "outputs": _table(("address", "types", "arguments", "sent", ""), map(_output, OUTPUTS.values())),
    }
    for name, table in tables.items():
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        text = before + mark + table + end + after
    return text


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _control(row: Control) -> tuple[str, ...]:
    name = f"{row.name}/DESCRIPTOR" if row.per_input else row.name
    return f"`{PREFIX}{name}`", row.allowed, _shown(row.default), KEPT_IN[row.home], row.help


def _stream(row: ControlStream) -> tuple[str, ...]:
    count = "numbers" if row.numbers is None else "a number" if row.numbers == 1 else f"{row.numbers} numbers"
    return f"`{PREFIX}{row.name}`", count, row.help


def _action(row: OscAction) -> tuple[str, ...]:
    takes = row.takes if row.takes == "nothing" else row.argument + (", or nothing" if row.optional else "")
    return f"`{PREFIX}{row.name}`", takes, row.help, row.answer


def _output(row: OscOutput) -> tuple[str, ...]:
    types = f"{len(row.types)} × {row.types[0]}" if len(row.types) > 6 else row.types.replace("*", " ...")
    return f"`{OUT}{row.name}`", types, row.arguments, row.when, row.help


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return value
    return " ".join(f"{number:g}" for number in (value if isinstance(value, tuple) else (value,)))


if __name__ == "__main__":
    FILE.write_text(up_to_date(FILE.read_text("utf-8")), "utf-8")
