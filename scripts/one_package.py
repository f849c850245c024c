"""Build hook: a wheel contains the checkout's folders in one package, `ponticello`, so that they cannot collide with other packages.

    checkout                  wheel
    ponticello.py             ponticello/__init__.py, with ponticello/__main__.py and ponticello/py.typed beside it
    live/ offline/ ...        ponticello/live/ ponticello/offline/ ...
    from shared.x import y    from ponticello.shared.x import y

Hatchling moves the files (`sources` in pyproject.toml). This hook rewrites the modules at the places that the syntax tree
names: imports, strings that are exactly a module's name ("live.command"), modules named in docstrings. Any other string
that may hold a module's name stops the build: derive such a name from `__package__` instead. An editable installation is
the checkout itself and stays as it is.
"""

import ast
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "ponticello"
PREFIX = f"{PACKAGE}.".encode()
FRONT_DOOR = f"{PACKAGE}.py"
MAIN = f'"""`python -m {PACKAGE}`."""\n\nfrom {PACKAGE} import main\n\nmain()\n'


class OnePackage(BuildHookInterface[Any]):
    """Puts the rewritten modules into a wheel, instead of the checkout's."""

    _folder: str | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the modules to a temporary folder and have them included; NotUnderstood for a string that is unclear."""
        if version == "editable":
            return
        root = Path(self.root)
        selected = (Path(file.relative_path) for file in self.build_config.builder.recurse_selected_project_files())
        files = [path.as_posix() for path in selected if path.suffix == ".py"]
        modules = Modules(files)
        contents = {f"{PACKAGE}/{file}": modules.rewritten((root / file).read_bytes(), file) for file in files}
        contents[f"{PACKAGE}/__init__.py"] = modules.rewritten((root / FRONT_DOOR).read_bytes(), FRONT_DOOR)
        contents[f"{PACKAGE}/__main__.py"] = MAIN.encode()
        contents[f"{PACKAGE}/py.typed"] = b""
        self._folder = tempfile.mkdtemp()
        for number, (place, content) in enumerate(contents.items()):
            temporary = Path(self._folder, str(number))
            temporary.write_bytes(content)
            build_data["force_include"][str(temporary)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if self._folder:
            shutil.rmtree(self._folder)


class NotUnderstood(ValueError):
    """A module of the program is named at a place that cannot be rewritten safely."""


class Edit(NamedTuple):
    """Bytes `start` to `end` of a source are replaced."""

    start: int
    end: int
    replacement: bytes


class Modules:
    """The modules that move into the package, from the paths of their files ("shared/audio/pitch.py")."""

    def __init__(self, files: list[str]) -> None:
        names = {file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files}
        self.tops = frozenset(name.partition(".")[0] for name in names)
        self.inner = frozenset(name for name in names if "." in name)
        longest_first = sorted(self.inner, key=lambda name: (-len(name), name))
        alone = r"(?<![\w./-])(?:{})"
        self._named = re.compile(alone.format("|".join(map(re.escape, longest_first))) + r"(?!\w)")
        self._begun = re.compile(alone.format("|".join(sorted(self.tops))) + r"\.(?:\w+\.)*$")

    def rewritten(self, source: bytes, file: str) -> bytes:
        """A module's source rewritten for the package; `file` is for messages. Raises NotUnderstood."""
        tree = ast.parse(source)
        text = _Text(source, {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        edits: list[Edit] = []
        for node, role in _with_roles(tree):
            try:
                edits += self._import_edits(node, text) if role == "statement" else self._string_edits(node, role, text)
            except NotUnderstood as error:
                raise NotUnderstood(f"{file}:{getattr(node, 'lineno', '?')}: {error}") from None
        for edit in sorted(edits, reverse=True):
            source = source[: edit.start] + edit.replacement + source[edit.end :]
        return source

    def _import_edits(self, node: ast.AST, text: "_Text") -> Iterator[Edit]:
        match node:
            case ast.ImportFrom(level=0, module=str(module)) if self._is_ours(module):
                start, end = text.span(node)
                found = re.compile(rb"from[ \t]+").match(text.source, start, end)
                if found is None or not text.source.startswith(module.encode(), found.end()):
                    raise NotUnderstood(f"write `from {module} import` on one line")
                yield Edit(found.end(), found.end(), PREFIX)
            case ast.Import(names=[ast.alias(name=module, asname=str())]) if self._is_ours(module):
                start, _ = text.span(node.names[0])
                yield Edit(start, start, PREFIX)
            case ast.Import(names=[ast.alias(name=module)]) if module in self.inner and not self._is_used(module, text):
                start, _ = text.span(node.names[0])  # for what the import does
                yield Edit(start, start, PREFIX)
            case ast.Import(names=[ast.alias(name=module)]) if module in self.tops:
                yield Edit(*text.span(node), f"from {PACKAGE} import {module}".encode())
            case ast.Import(names=aliases) if any(self._is_ours(alias.name) for alias in aliases):
                raise NotUnderstood("write `from package import module`, one statement for each package")

    def _string_edits(self, node: ast.AST, role: str, text: "_Text") -> Iterator[Edit]:
        assert isinstance(node, ast.Constant)
        assert isinstance(node.value, str)
        value = node.value
        if role == "docstring":
            start, end = text.span(node)
            yield Edit(start, end, self._named.sub(rf"{PACKAGE}.\g<0>", text.source[start:end].decode()).encode())
        elif role == "string" and value in self.inner:
            start, end = text.span(node)
            if text.source[start + 1 : end - 1] != value.encode():
                raise NotUnderstood(f"write the module's name {value} as one plain string")
            yield Edit(start + 1, start + 1, PREFIX)
        elif found := self._named.search(value):
            raise NotUnderstood(f"a string holds the name of the module {found[0]}; derive it from __package__")
        elif role == "beginning" and (found := self._begun.search(value)):
            raise NotUnderstood(f"a string begins the name of a module, {found[0]}; derive it from __package__")

    def _is_used(self, module: str, text: "_Text") -> bool:
        return module.partition(".")[0] in text.names

    def _is_ours(self, module: str) -> bool:
        return module.partition(".")[0] in self.tops


class _Text:
    """A source, the names that it uses, and where its nodes are in it, in bytes."""

    def __init__(self, source: bytes, names: set[str]) -> None:
        self.source, self.names = source, names
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt | ast.alias) -> tuple[int, int]:
        """First byte of a node, and the one behind its last."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._lines[node.lineno - 1] + node.col_offset,
            self._lines[node.end_lineno - 1] + node.end_col_offset,
        )


def _with_roles(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every import as a "statement", and every string: a "docstring" (a bare string is one, too), the "beginning" of a
    longer string that the program puts together, a "part" of one, or a "string" of its own.
    """
    roles: dict[int, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as only):
                roles[id(only)] = "docstring"
            case ast.JoinedStr(values=parts):
                roles |= {id(part): "part" for part in parts}
                roles |= {id(part): "beginning" for part in parts[:-1]}
            case ast.BinOp(left=ast.Constant() as left):
                roles[id(left)] = "beginning"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, "statement"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node, roles.get(id(node), "string")
