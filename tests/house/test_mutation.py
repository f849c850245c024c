"""The faults planted by scripts/mutants."""

import ast

import pytest

import mutation_reach
import mutation_run
from mutation import mutants_of


def changes(source):
    return {(mutant.before, mutant.after) for mutant in mutants_of(source.encode(), "x.py")}


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("x = a < b", {("<", "<=")}),
        ("x = a is not b not in c", {("is not", "is"), ("not in", "in")}),
        ("x = (a) // b", {("//", "/")}),
        ("x = a and b or c", {("and", "or"), ("or", "and")}),
        ("x = not a", {("not ", "")}),
        ("x = -a", {("-", "")}),
        ("x = 3", {("3", "4")}),
        ("x = 0.5", {("0.5", "1.0")}),
        ("x: bool = True", {("True", "False")}),
        ("x += y", {("+", "-"), ("x += y", "pass")}),
        ("x.y = z", {("x.y = z", "pass")}),
        ("f()", {("f()", "pass")}),
        ("f(a, b)", {("f(a, b)", "pass"), ("a, b", "b, a")}),
        ("x = f(a, b=c, d=e)", {("b=c, ", ""), (", d=e", "")}),
        ("x = min(a, b)", {("min", "max")}),
        ("x = np.maximum(a, b)", set()),
        ("x = y.copy()", {("y.copy()", "y")}),
        ("x = tuple(y)", {("tuple(y)", "(y)")}),
        ("def f():\n    return x", {("return x", "return None")}),
        ("while x:\n    break", {("x", "(not (x))"), ("break", "continue")}),
        ("if x:\n    raise E(1 + 1)", {("x", "(not (x))"), ("raise E(1 + 1)", "pass")}),
        ("x = [y for y in z if w]", {("w", "(not (w))")}),
    ],
)
def test_faults(source, faults):
    assert changes(source) == faults


@pytest.mark.parametrize(
    "source",
    [
        '"""1 + 1"""',
        "x = f'{a + b}'",
        "x: A[1 + 1]",
        "def f(x: A[1]) -> B[2]: ...",
        "@dataclass(frozen=True)\nclass X(Y[1], frozen=True):\n    z: int",
        "@kernel(1)\ndef f():\n    return 1",
        "assert a == b",
        "import a",
    ],
)
def test_what_is_left_alone(source):
    assert changes(source) == set()


def test_a_fault_keeps_the_lines_where_they_are():
    source = "x = 'ü'; f(\n    a,\n    b,\n)\ny = 1\n".encode()
    for mutant in mutants_of(source, "x.py"):
        changed = mutant.applied(source)
        assert changed != source
        assert ast.parse(changed).body[-1].lineno == 5
    assert [mutant.line for mutant in mutants_of(source, "x.py")] == [1, 2, 5]


def test_a_sample_is_the_same_for_a_seed():
    sample = mutation_run.draw(3, 40, "shared/mapping")
    assert sample == mutation_run.draw(3, 40, "shared/mapping")
    assert sample != mutation_run.draw(4, 40, "shared/mapping")
    assert {mutant.file for mutant in mutation_run.draw(3, 40, "shared/mapping/gate")} == {"shared/mapping/gate.py"}


def test_the_interval_of_a_score():
    low, high = mutation_run.wilson(270, 300)
    assert low == pytest.approx(0.8609, abs=1e-4)  # scipy.stats.binomtest(270, 300).proportion_ci(method="wilson")
    assert high == pytest.approx(0.9291, abs=1e-4)


def test_the_list_of_equivalent_faults_can_be_read():
    for file, line, change in mutation_run.equivalents():
        assert file.endswith(".py")
        assert line
        assert " → " in change


def test_what_acts_at_an_import_is_tried_on_all_tests_that_import_the_module():
    baseline = {
        "seconds": {"tests/audio/t.py::a": 2.0, "tests/audio/t.py::b": 1.0, "tests/live/u.py::c": 0.5, "tests/x.py::d": 0.1},
        "failed": [],
        "lines": {"shared/audio/x.py": {"1": [""], "2": ["", "tests/audio/t.py::a"], "3": ["tests/audio/t.py::a"]}},
        "importers": {"shared/audio/x.py": ["tests/audio/t.py", "tests/live/u.py"]},
    }  # fmt: skip
    reach = mutation_reach.Reach(baseline)
    constant, made_at_import, other = mutants_of(b"x = 1\ndef f(): return 2 < a\ndef g(): return 3 < b\n", "shared/audio/x.py")[::3]  # fmt: skip
    assert [reach.acts_at_import(mutant) for mutant in (constant, made_at_import, other)] == [True, True, False]
    all_tests = [
        "tests/audio/t.py::b",
        "tests/audio/t.py::a",
        "tests/live/u.py::c",
    ]  # its room first, then the quickest
    assert reach.tests(constant) == (all_tests, 3.5)
    assert reach.tests(made_at_import) == (all_tests, 3.5)
    assert reach.tests(other) == (["tests/audio/t.py::a"], 2.0)
