"""The options of a run on the command line, made from `RunOptions`: a new one is declared there, and nowhere else."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, TypeAlias, cast, get_args, get_type_hints

import typer

from vod_migrate.errors import BadOption
from vod_migrate.migration.options import RunOptions, options_of, parse_options
from vod_migrate.migration.units import ALL_PARTS

FileArgument: TypeAlias = Annotated[Path, typer.Argument(metavar="FILE", help="The migration file (YAML).")]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one line of JSON for machines.")]
ReportOption: TypeAlias = Annotated[
    Path | None, typer.Option("--report-dir", help="Write the report here: HTML, failures CSV, mapping CSV.")
]

_Command = Callable[..., None]
_METAVARS = {dt.date: "YYYY-MM-DD", dt.datetime: "TIME"}


def takes_run_options(name: str) -> Callable[[_Command], _Command]:
    """Replaces a command's parameter `options` by one command-line option for each run option that the command takes."""
    names = options_of(name)

    def decorated(command: _Command) -> _Command:
        @functools.wraps(command)
        def called(**given: Any) -> None:
            options = parse_options({name: given.pop(name) for name in names})
            command(options=options, **given)

        hints = get_type_hints(command, include_extras=True)
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            own = [parameter.replace(annotation=hints[parameter.name], kind=parameter.KEYWORD_ONLY)]
            parameters += _parameters(names) if parameter.name == "options" else own
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return called

    return decorated


def _parameters(names: Sequence[str]) -> Iterator[inspect.Parameter]:
    for name in names:
        field = RunOptions.model_fields[name]
        extra = cast("dict[str, Any]", field.json_schema_extra)
        kind: Any = next((kind for kind in get_args(field.annotation) if kind is not NoneType), field.annotation)
        # Of Annotated and of tuple what they are made from.
        kind = getattr(kind, "__origin__", kind)
        listed = kind is tuple
        option = typer.Option(
            extra.get("flag", f"--{name.replace('_', '-')}"),
            help=f"{field.description} May be repeated." if listed else field.description,
            metavar=extra.get("metavar", _METAVARS.get(kind)),
        )
        kind = list[str] if listed else str if kind in _METAVARS else kind
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[kind if field.default is not None else kind | None, option],
        )


def places(options: RunOptions) -> list[str]:
    """The options that say where to look, as they are typed."""
    words = [word for prefix in options.prefixes or () for word in ("--prefix", prefix)]
    if options.date is not None:
        words += ["--date", options.date.isoformat()]
    if options.modified_since is not None:
        words += ["--modified-since", options.modified_since.isoformat()]
    return words


def drawn_part(sample: float | None, seed: int | None) -> tuple[int, int]:
    """How much is looked at, in millionths, and the seed by which it is drawn. sample: in per cent, None for everything.

    Raises:
        BadOption: there is a seed and no sample.
    """
    if seed is not None and sample is None:
        raise BadOption("--seed needs --sample")
    drawn = seed if seed is not None else random.randrange(2**31)  # noqa: S311 - a draw, not secrecy
    return ALL_PARTS if sample is None else max(1, round(sample / 100 * ALL_PARTS)), drawn
