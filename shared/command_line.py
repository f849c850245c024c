"""Command lines: how a command's help looks, options that several commands share, and options as frozen values."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

MACHINE = "Computing"  # a panel of --help


class _Command(TyperCommand):
    """Switches are shown without a type in the help: `--force`, not `--force <bool>`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """All parameters, as click asks for them."""
        parameters: list[Any] = super().get_params(ctx)
        for parameter in parameters:
            if getattr(parameter, "is_flag", False) and parameter.metavar is None:
                parameter.metavar = ""
        return parameters


class _App(typer.Typer):
    def command(self, *args: Any, **settings: Any) -> Callable[[Any], Any]:
        """As typer's, with our class of commands."""
        return super().command(*args, cls=_Command, **settings)


def new_app() -> typer.Typer:
    """An empty typer application; the front door prints its errors."""
    return _App(add_completion=False, rich_markup_mode="rich")


def example(*lines: str) -> str:
    """The end of a command's help: one or more command lines to try."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n\n".join([title, *(f"  [bold]{line}[/bold]" for line in lines)])


def option(*names: str, panel: str, **settings: Any) -> Any:
    """An option in a panel of the help; settings: those of `typer.Option`."""
    return typer.Option(*names, rich_help_panel=panel, **settings)


DeviceOption = Annotated[
    str | None,
    option(
        "--device",
        metavar="cpu|cuda|mps",
        panel=MACHINE,
        help="Processor that computes the pictures; cuda:1 is the second card.",
        show_default="the fastest available",
    ),
]
PrecisionOption = Annotated[
    str,
    option(
        "--precision",
        metavar="auto|full|half",
        panel=MACHINE,
        help="Number format of the generator: full is float32; auto is half where it is faster and agrees with full.",
    ),
]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters may be frozen dataclasses of options: each of their fields becomes an option."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    flat: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            flat += _parameters(groups[parameter.name])
        else:
            flat.append(parameter.replace(annotation=hints[parameter.name]))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group) if field.init})
        command(**given)

    signature = inspect.Signature([parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in flat])
    run.__signature__ = signature  # type: ignore[attr-defined]  # where typer looks
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in flat} | {"return": None}
    return run


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default if field.default is not MISSING else inspect.Parameter.empty,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
