"""Small faults to plant in a module's source, to see whether a test notices: another operator or constant, swapped arguments, ...

Not changed are parts that tests need not check: annotations, decorators, docstrings, the wording of messages (strings,
f-strings, what `raise` gets), assertions, and loops that numba compiles, whose machine code is kept on disk.
"""

import ast
import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "is not": "is", "is": "is not"}
COMPARISONS |= {"not in": "in", "in": "not in"}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "*", "**": "*", "<<": ">>", ">>": "<<", "@": "*"}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
COMMUTATIVE = ("min", "max", "minimum", "maximum", "gcd", "array_equal")  # order of the arguments: no fault
UNWRAPPED = ("abs", "list", "tuple", "dict", "set", "sorted", "float", "int", "round")
COMPILED = ("kernel", "njit", "jit")
UNREAD = ("isinstance", "cast", "TypeVar", "Literal", "NamedTuple")


class Mutant(NamedTuple):
    """Replaces bytes `start` to `end` of a file, `before`, by `after`; `line` counts from 1."""

    file: str
    line: int
    start: int
    end: int
    before: str
    after: str
    code: str
    """The line as it stands, without its indentation."""
    function: bool
    """Whether it lies in the body of a function, and so acts when that runs; else when the module is imported."""

    @property
    def change(self) -> str:
        """The change as one line."""
        return f"{' '.join(self.before.split())} → {' '.join(self.after.split()) or '(nothing)'}"

    @property
    def key(self) -> tuple[str, str, str]:
        """A name that stays valid while its line does not change: file, line without indentation, change."""
        return self.file, self.code, self.change

    def applied(self, source: bytes) -> bytes:
        """The source with the fault, with unchanged line numbers."""
        lost = self.before.count("\n") - self.after.count("\n")
        return source[: self.start] + self.after.encode() + b"\n" * lost + source[self.end :]


def mutants_of(source: bytes, file: str) -> list[Mutant]:
    """All faults that can be planted in a source, in order."""
    lines = [line.decode() for line in source.splitlines(keepends=True)]
    starts = [0, *accumulate(len(line.encode()) for line in lines)]
    tree = ast.parse(source)
    bodies = [
        range(starts[first.lineno - 1] + first.col_offset, starts[last.end_lineno or 0])
        for first, last in _bodies(tree)
    ]
    found: dict[_Fault, Mutant] = {}
    for fault in _Faults(source, starts).visit(tree):
        number = next(n for n, start in enumerate(starts) if start > fault.start)
        before = source[fault.start : fault.end].decode()
        code, in_function = lines[number - 1].strip(), any(fault.start in body for body in bodies)
        mutant = Mutant(file, number, fault.start, fault.end, before, fault.text, code, in_function)
        if before != fault.text and (
            fault.text or _parses(mutant.applied(source))
        ):  # left-out text may break the syntax
            found[fault] = mutant
    return [found[place] for place in sorted(found)]


def _bodies(tree: ast.AST) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """First and last statement of every function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body[0], node.body[-1]


def _parses(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


_Placed = ast.expr | ast.stmt | ast.keyword


class _Fault(NamedTuple):
    start: int
    end: int
    text: str


class _Faults:
    """The faults of a syntax tree."""

    def __init__(self, source: bytes, starts: list[int]) -> None:
        self._source = source
        self._starts = starts

    def visit(self, node: ast.AST) -> Iterator[_Fault]:
        """The faults of a node and of all below it."""
        if _is_left_alone(node):
            return
        yield from self._expression(node) if isinstance(node, ast.expr) else self._statement(node)
        if isinstance(node, ast.Raise):
            return
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "bases") or (
                isinstance(node, ast.ClassDef) and name == "keywords"
            ):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self.visit(child)

    def _expression(self, node: ast.expr) -> Iterator[_Fault]:
        match node:
            case ast.Compare(left=left, comparators=rights):
                for before, after in pairwise([left, *rights]):
                    yield from self._operator(before, after, COMPARISONS)
            case ast.BinOp(left=left, right=right):
                yield from self._operator(left, right, ARITHMETIC)
            case ast.BoolOp(values=values):
                for before, after in pairwise(values):
                    yield from self._operator(before, after, {"and": "or", "or": "and"})
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield _Fault(self._span(node)[0], self._span(operand)[0], "")
            case ast.Constant(value=bool(value)):
                yield self._replaced(node, str(not value))
            case ast.Constant(value=int(value)):
                yield self._replaced(node, str(value + 1))
            case ast.Constant(value=float(value)):
                yield self._replaced(node, str(2 * value or 1.0))
            case ast.IfExp(test=test):
                yield self._negated(test)
            case ast.Call():
                yield from self._call(node)

    def _statement(self, node: ast.AST) -> Iterator[_Fault]:
        match node:
            case ast.AugAssign(target=target, value=value):
                yield from self._operator(target, value, ARITHMETIC)
                yield self._replaced(node, "pass")
            case ast.Return(value=ast.expr() as value) if not _is_none(value):
                yield self._replaced(node, "return None")
            case ast.Break():
                yield self._replaced(node, "continue")
            case ast.Continue():
                yield self._replaced(node, "break")
            case ast.Raise() | ast.Delete() | ast.Expr(value=ast.Call()):
                yield self._replaced(node, "pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield self._replaced(node, "pass")
            case ast.If(test=test) | ast.While(test=test) | ast.comprehension(ifs=[test]):
                yield self._negated(test)

    def _call(self, call: ast.Call) -> Iterator[_Fault]:
        match call:
            case ast.Call(func=ast.Attribute(attr="copy", value=value), args=[], keywords=[]):
                yield self._replaced(call, self._text(value))
            case ast.Call(func=ast.Name(id=name), args=[value], keywords=[]) if name in UNWRAPPED:
                yield self._replaced(call, f"({self._text(value)})")
        if isinstance(call.func, ast.Name) and call.func.id in SWAPPED:
            yield self._replaced(call.func, SWAPPED[call.func.id])
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for one, other in [] if name in COMMUTATIVE else pairwise(call.args):
            yield _Fault(self._span(one)[0], self._span(other)[1], f"{self._text(other)}, {self._text(one)}")
        keywords = [self._span(keyword) for keyword in call.keywords if keyword.arg]
        arguments = sorted([*map(self._span, call.args), *map(self._span, call.keywords)])
        for start, end in keywords:
            before = [other for other in arguments if other[1] < start]
            after = [other for other in arguments if other[0] > end]
            if after:
                yield _Fault(start, after[0][0], "")
            else:
                yield _Fault(before[-1][1] if before else start, end, "")

    def _operator(self, left: ast.expr, right: ast.expr, swaps: dict[str, str]) -> Iterator[_Fault]:
        """The operator between two operands, swapped for another."""
        first, last = self._span(left)[1], self._span(right)[0]
        symbols = "|".join(re.escape(symbol) for symbol in sorted(swaps, key=len, reverse=True))
        found = re.search(symbols, self._source[first:last].decode())
        if found:
            yield _Fault(first + found.start(), first + found.end(), swaps[found[0]])

    def _negated(self, test: ast.expr) -> _Fault:
        return self._replaced(test, f"(not ({self._text(test)}))")

    def _replaced(self, node: _Placed, text: str) -> _Fault:
        return _Fault(*self._span(node), text)

    def _text(self, node: _Placed) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _span(self, node: _Placed) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[node.end_lineno - 1] + node.end_col_offset


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr() | ast.Assert() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef(decorator_list=decorators):
            return any(name in ast.unparse(decorator) for decorator in decorators for name in COMPILED)
        case ast.Call(func=ast.Name(id=name)):
            return name in UNREAD
        case ast.If(test=test):
            return ast.unparse(test) in ("TYPE_CHECKING", "__name__ == '__main__'")
    return False
