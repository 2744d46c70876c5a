"""`vod-migrate sandbox`: start a sandbox, and talk to a running one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from vod_migrate.sandbox import control_client, process
from vod_migrate.sandbox.environment import URL_VARIABLE
from vod_migrate.sandbox.server import LOOPBACK

sandbox_app = typer.Typer(
    help="A local OSS and VOD for rehearsals: real protocols, no cloud account.", invoke_without_command=True
)

Host = Annotated[
    str,
    typer.Option(
        help="Address to listen on. The keys are public, so use another address than loopback only in a closed network."
    ),
]
Port = Annotated[int, typer.Option(help="Port; 0 picks a free one.", min=0, max=65_535)]
Config = Annotated[Path | None, typer.Option(help="YAML file with accounts, buckets, settings and faults.")]
Faults = Annotated[Path | None, typer.Option(help="YAML file with a fault plan; it replaces the faults of the config.")]
Objects = Annotated[int | None, typer.Option(help="Generate this many objects in the bucket.", min=0)]
BucketName = Annotated[str | None, typer.Option(help="The bucket for the generated objects; default: the first.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the generated objects.")]
ReadyFile = Annotated[
    Path | None, typer.Option(help="Write the endpoints to this file as JSON once the sandbox answers.")
]
State = Annotated[
    Path | None,
    typer.Option(help="Keep a journal of the media library in this file, and start from it, even after a kill."),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Url = Annotated[str, typer.Option(envvar=URL_VARIABLE, help="The running sandbox: http://127.0.0.1:PORT.")]
Pairs = Annotated[list[str] | None, typer.Argument(help="NAME=VALUE; a value that is JSON is read as JSON.")]
AccountUid = Annotated[str | None, typer.Option("--account", help="The uid of the account; default: the first.")]


@sandbox_app.callback()
def start(
    context: typer.Context,
    host: Host = LOOPBACK,
    port: Port = 0,
    config: Config = None,
    faults: Faults = None,
    objects: Objects = None,
    bucket: BucketName = None,
    seed: Seed = None,
    ready_file: ReadyFile = None,
    state: State = None,
    as_json: Json = False,
) -> None:
    """A local OSS and VOD for rehearsals. Without a command, serve."""
    if context.invoked_subcommand is None:
        serve(host, port, config, faults, objects, bucket, seed, ready_file, state, as_json)
        return
    given = {
        name: value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) is not None and source.name != "DEFAULT"
    }
    if context.invoked_subcommand == "serve":
        # Before the command or behind it: they are the same options.
        context.default_map = {"serve": given}
    elif given:
        option = next(one for one in context.command.params if one.name in given)
        raise typer.BadParameter(
            f"{option.opts[0]} is an option of serve, and {context.invoked_subcommand} serves nothing"
        )


@sandbox_app.command()
def serve(
    host: Host = LOOPBACK,
    port: Port = 0,
    config: Config = None,
    faults: Faults = None,
    objects: Objects = None,
    bucket: BucketName = None,
    seed: Seed = None,
    ready_file: ReadyFile = None,
    state: State = None,
    as_json: Json = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, and print how to point a client at the sandbox."""
    with _plain_errors():
        chosen = process.with_objects(
            process.with_faults(process.read_config(config), faults), bucket=bucket, objects=objects, seed=seed
        )
        process.serve(chosen, host=host, port=port, ready_file=ready_file, as_json=as_json, state=state)


@sandbox_app.command()
def settings(url: Url, changes: Pairs = None) -> None:
    """Show the settings, or change some: settings latency_ms=50 quotas='{"RegisterMedia": 20}'."""
    with _plain_errors():
        given = _pairs(changes)
        _show(
            control_client.ask(url, "PATCH", "settings", given) if given else control_client.ask(url, "GET", "settings")
        )


@sandbox_app.command()
def fault(
    url: Url,
    kind: Annotated[str | None, typer.Argument(help="The kind of fault, such as http_503.")] = None,
    details: Pairs = None,
    plan: Annotated[Path | None, typer.Option(help="YAML file with faults that replace all others.")] = None,
    remove: Annotated[int | None, typer.Option(help="Disarm the fault with this number.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Disarm every fault.")] = False,
) -> None:
    """Show the faults, or arm one: fault http_503 api=RegisterMedia rate=0.1."""
    with _plain_errors():
        if plan is not None:
            faults = [
                found.model_dump(mode="json", by_alias=True, exclude_unset=True) for found in process.read_plan(plan)
            ]
            _show(control_client.ask(url, "PUT", "faults", {"faults": faults}))
        elif clear or remove is not None:
            _show(control_client.ask(url, "DELETE", "faults", number=None if remove is None else str(remove)))
        elif kind is None:
            _show(control_client.ask(url, "GET", "faults"))
        else:
            _show(control_client.ask(url, "POST", "faults", {"kind": kind, **_pairs(details)}))


@sandbox_app.command()
def counters(
    url: Url,
    account: AccountUid = None,
    reset: Annotated[bool, typer.Option("--reset", help="Reset the counters.")] = False,
) -> None:
    """Show the calls that arrived and their outcomes, by API."""
    with _plain_errors():
        _show(
            control_client.ask(url, "DELETE", "counters")
            if reset
            else control_client.ask(url, "GET", "counters", account=account)
        )


@sandbox_app.command()
def truth(
    url: Url,
    bucket: Annotated[str | None, typer.Option(help="Only media from this bucket.")] = None,
    account: AccountUid = None,
    expected: Annotated[
        bool, typer.Option("--expected", help="Print what the bucket holds, registered or not.")
    ] = False,
    prefix: Annotated[str | None, typer.Option(help="With --expected: only keys with this prefix.")] = None,
) -> None:
    """Print what is registered, one JSON object per line."""
    with _plain_errors():
        rows = (
            control_client.lines(url, "expected", bucket=bucket, prefix=prefix)
            if expected
            else control_client.lines(url, "truth", bucket=bucket, account=account)
        )
        for row in rows:
            typer.echo(row)


@sandbox_app.command()
def media(
    url: Url,
    bucket: Annotated[str, typer.Argument(help="The bucket of the source file.")],
    key: Annotated[str, typer.Argument(help="The key of the source file.")],
    changes: Pairs = None,
    account: AccountUid = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the media, not its source file.")] = False,
) -> None:
    """Show one media, or change it as in the VOD console: media media-archive a.mp4 status=Blocked."""
    with _plain_errors():
        name = {"bucket": bucket, "key": key, "account": account}
        if delete:
            _show(control_client.ask(url, "DELETE", "media", **name))
        elif changes:
            given = {label: value for label, value in name.items() if value is not None}
            _show(control_client.ask(url, "PATCH", "media", {**given, **_pairs(changes)}))
        else:
            _show(control_client.ask(url, "GET", "media", **name))


@sandbox_app.command()
def bucket(
    url: Url,
    name: Annotated[str | None, typer.Argument(help="The bucket; without a name, all are shown.")] = None,
    details: Pairs = None,
) -> None:
    """Show the buckets, or make one: bucket raw-footage in_vod=true generate='{"count": 5000}'."""
    with _plain_errors():
        if name is None:
            _show(control_client.ask(url, "GET", "buckets"))
        else:
            _show(control_client.ask(url, "POST", "buckets", {"name": name, **_pairs(details)}))


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (control_client.ControlError, process.ConfigError) as error:
        process.fail(str(error))
        raise typer.Exit(2) from None


def _pairs(texts: list[str] | None) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise control_client.ControlError(f"{text!r} must have the form NAME=VALUE.")
        try:
            pairs[name] = json.loads(value)
        except ValueError:
            pairs[name] = value
    return pairs


def _show(answer: Any) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
