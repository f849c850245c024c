"""All links, paths, commands and options in the documents exist. Paragraphs are short."""

import functools
import importlib
import importlib.util
import re
import shlex
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import typer

import ponticello
from offline.pairing.window import keys

ROOT = Path(__file__).parents[2]
ROOMS = ("benchmarks", "docs", "examples", "live", "offline", "presets", "scripts", "shared", "tests")
WIDTH, LONGEST_PARAGRAPH = 120, 5  # columns, lines
NOT_OURS = {"--help", "--version", "--debug"}  # all commands have these


def tracked() -> list[Path]:
    """The files of the checkout, including uncommitted ones."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no git checkout: which files belong to it is unknown")
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


@functools.cache
def pages() -> tuple[Path, ...]:
    """All documents of the checkout."""
    return tuple(path for path in tracked() if path.suffix == ".md" and "reference" not in path.parts)


def plain(text: str) -> str:
    """The text without the tables that programs write."""
    return re.sub(r"<!-- \w+ -->\n.*?<!-- end -->", "", text, flags=re.DOTALL)


def code(text: str) -> list[str]:
    """Code blocks line by line, without their comments, and the code between backticks."""
    text = plain(text)
    lines = re.findall(r"^    (.*)$", text, re.MULTILINE)
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        lines += block.splitlines()
    spans = re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [re.sub(r"\s+#.*", "", line) for line in lines] + [" ".join(span.split()) for span in spans]


def slug(heading: str) -> str:
    """The anchor that a heading gets on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """The anchors of all headings of a page."""
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)}


@functools.cache
def command(name: str) -> Any:
    """A command of `ponticello`, as click has it; a group has `commands`."""
    module = importlib.import_module(ponticello.COMMANDS[ponticello.ALIASES.get(name, name)].module)
    return typer.main.get_command(module.app)


def options(found: Any) -> set[str]:
    """All spellings of a command's own options."""
    return {spelling for option in found.params for spelling in (*option.opts, *option.secondary_opts)} | {"--help"}


@functools.cache
def all_options() -> frozenset[str]:
    """The options of all commands and of their subcommands."""
    known = set(NOT_OURS)
    for name in ponticello.COMMANDS:
        found = command(name)
        parts = [found, *getattr(found, "commands", {}).values()]
        known |= {option for part in parts for option in options(part)}
    return frozenset(known)


def complaint(line: str) -> str:
    """The fault in a `ponticello` command line; empty if there is none."""
    words = shlex.split(line)
    if len(words) < 2 or words[1] == "COMMAND" or words[1].startswith("-"):
        return ""
    name = words[1]
    if name not in (*ponticello.COMMANDS, *ponticello.ALIASES):
        return f"no command {name}"
    found, rest = command(name), words[2:]
    if (subcommands := getattr(found, "commands", {})) and rest and not rest[0].startswith("-"):
        if rest[0] not in subcommands:
            return f"no subcommand {name} {rest[0]}"
        found, rest = subcommands[rest[0]], rest[1:]
    given = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    unknown = given - options(found) - NOT_OURS
    return f"{name} has no option {', '.join(sorted(unknown))}" if unknown else ""


@pytest.fixture(params=pages(), ids=lambda page: str(page.relative_to(ROOT)))
def page(request):
    return request.param


def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def test_files_and_modules_exist(page):
    files = [path.relative_to(ROOT).as_posix() for path in tracked()]
    folders = {parent.as_posix() for file in files for parent in Path(file).parents}
    missing = []
    for line in code(page.read_text("utf-8")):
        for path in re.findall(rf"(?<![\w/.-])((?:{'|'.join(ROOMS)})/[\w./-]*\w)(?![\w*])", line):
            if not re.search(r"[A-Z]{2}", path) and path not in files and path not in folders:
                missing.append(path)
        for name in re.findall(r"(?<![\w./-])([a-z_]\w*(?:/\w+)*\.py)\b", line):
            if not any(f"/{file}".endswith(f"/{name}") for file in files):
                missing.append(name)
        for module in re.findall(rf"(?<![\w/.])((?:{'|'.join(ROOMS)})\.[a-z_]\w*(?:\.[a-z_]\w*)*)(?![\w/])", line):
            if not re.search(r"\.(py|md|toml|png|wav)$", module) and importlib.util.find_spec(module) is None:
                missing.append(module)
        for module, names in re.findall(r"from ([a-z_.]+) import ([\w, ]+)", line):
            imported = importlib.import_module(module)
            missing += [f"{module}.{name}" for name in names.split(", ") if not hasattr(imported, name)]
    assert not missing


def test_commands_and_options_exist(page):
    wrong = []
    for line in code(page.read_text("utf-8")):
        if found := re.search(r"(?<![\w/.-])ponticello (?!import )[\w-].*", line):
            if message := complaint(found.group()):
                wrong.append(f"{line}: {message}")
        elif line.startswith("--") and line.split()[0].split("=")[0] not in all_options():
            wrong.append(line)
    assert not wrong


def test_keys_of_the_studio_are_those_of_its_table():
    text = (ROOT / "docs" / "studio.md").read_text("utf-8")
    assert f"<!-- keys -->\n{keys.table()}\n<!-- end -->" in text


def test_paragraphs_are_short(page):
    long = []
    text = re.sub(r"^```.*?^```", "", plain(page.read_text("utf-8")), flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", text):
        if re.match(r"\s*(\||#|<|!\[|    )", block):
            continue
        assert max(map(len, block.splitlines()), default=0) <= WIDTH
        if len(textwrap.wrap(" ".join(block.split()), WIDTH)) > LONGEST_PARAGRAPH:
            long.append(block)
    assert not long


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ponticello render glass SOUND -o FILM.mp4 --fps 25", ""),
        ("ponticello render glass SOUND -o FILM.mp4 --rate 25", "render has no option --rate"),
        ("ponticello paint glass", "no command paint"),
        ("ponticello pair stick mine 17", "no subcommand pair stick"),
        ("ponticello pair auto mine kmeans --count 5", ""),
        ("ponticello --help", ""),
    ],
)
def test_a_wrong_command_line_is_noticed(line, message):
    assert complaint(line) == message
