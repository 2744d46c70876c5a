"""The command `quota`."""

from __future__ import annotations

from typing import Annotated

import typer

from vod_migrate.cli.console import open_store, user
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.spoken import confirm
from vod_migrate.cli.streams import print_json
from vod_migrate.errors import BadOption
from vod_migrate.run.control import set_account_rate


def quota(
    account: Annotated[str | None, typer.Argument(help="The account's name; all accounts by default.")] = None,
    calls_per_second: Annotated[
        float | None, typer.Option(min=0.01, max=1000, help="The account's new rate; every worker follows at once.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show or change the rate that all workers of an account share."""
    if calls_per_second is not None and account is None:
        raise BadOption(
            "name the account whose rate you want to change: vod-migrate quota ACCOUNT --calls-per-second N"
        )
    with open_store() as store:
        if account is not None and calls_per_second is not None:
            set_account_rate(store, account, calls_per_second, by=user())
        rows = [row for row in store.quotas() if account in (None, row[0])]
    for name, api, scope, rate, share in rows:
        if as_json:
            fields = {"account": name, "api": api, "scope": scope, "calls_per_second": rate, "share": round(share, 3)}
            print_json(fields)
        else:
            slowed = "" if share > 0.999 else f", slowed to {rate * share:.1f} after throttling"  # noqa: PLR2004 - rounding
            confirm(f"{name}  {api}  {scope or 'the whole account'}: {rate:g} calls/s{slowed}")
