"""For all tests: calls of the program's functions are checked against their annotations, including shapes of arrays."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from beartype import BeartypeConf, beartype
from hypothesis import HealthCheck, settings
from jaxtyping import config, install_import_hook

import shared  # noqa: F401  # first of all, as it sets how OpenMP's threads wait

ROOT = Path(__file__).parent.parent
SLOW_MODULE = re.compile(r"^pytestmark = \[?pytest\.mark\.slow\b", re.MULTILINE)
USES_COMPILER = re.compile(r"^\s*(from|import) numba\b", re.MULTILINE)


def modules_to_check() -> list[str]:
    """All modules of the program except those that use numba directly, which cannot compile a checked function."""
    modules = []
    for package in ("shared", "live", "offline", "benchmarks"):
        for file in sorted((ROOT / package).rglob("*.py")):
            # a name includes everything below it, so packages are left out
            if file.name != "__init__.py" and not USES_COMPILER.search(file.read_text(encoding="utf-8")):
                modules.append(".".join(file.relative_to(ROOT).with_suffix("").parts))
    return modules


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its arguments and result checked. An int is accepted as float (PEP 484); `Self` is not checked."""
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if hint is not Self}
    return beartype(conf=BeartypeConf(is_pep484_tower=True))(function)


settings.register_profile("ponticello", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ponticello")  # no test asserts a time

install_import_hook(modules_to_check(), f"{__name__}.{checked.__name__}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `scripts/test --fast`, modules of slow tests are not imported."""
    if config.getoption("markexpr") != "not slow" or collection_path.suffix != ".py":
        return None
    return bool(SLOW_MODULE.search(collection_path.read_text("utf-8"))) or None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `pytest -n 2`, tests in real time come last, in one process."""
    from tests.scheduling import RealTimeLast

    return RealTimeLast(config, log)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """For tests that pass arguments that the annotations forbid, to see the error that a user would see."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


# A background job of a shell ignores Ctrl-C, and so would the programs that tests start and stop by it.
signal.signal(signal.SIGINT, signal.default_int_handler)
