"""The documentation of a DAG (`doc_md`): what its migration takes, where it goes, when, and how to use it."""

from __future__ import annotations

from vod_migrate.airflow.assets import asset_uri
from vod_migrate.migration.checks import StagedStart
from vod_migrate.migration.export import Export
from vod_migrate.migration.model import Migration
from vod_migrate.migration.source import MEDIA_EXTENSIONS


def migration_page(migration: Migration, origin: str) -> str:
    """The page in Markdown. origin: the migration's file."""
    limits, schedule = migration.pause_after.in_words(), migration.schedule
    rows = [
        ("Source", _code(f"oss://{migration.source.bucket}/") + " " + _origin(migration)),
        ("Taken", _taken(migration)),
        ("Title", _code(migration.describe.title)),
        ("Processing", _processing(migration)),
        ("Connection", _code(migration.connection)),
        ("Rate", _rate(migration)),
        ("Window", _window(migration)),
        ("Pauses", f"after {' or '.join(limits)}" if limits else "only on request"),
        ("Stops", _stops(migration)),
        ("Verified", _verified(migration)),
        ("Schedule", f"{_code(schedule)} in {migration.timezone}" if schedule else "only when triggered"),
    ]
    if migration.first is not None:
        rows.insert(-1, ("First", _first(migration.first)))
    if migration.require_approval:
        rows.append(("Approval", _approval(migration)))
    if migration.reconcile is not None:
        rows.append(
            (
                "Compared",
                f"{_code(migration.reconcile.schedule)}, by the DAG {_code(f'vod_reconcile__{migration.name}')}",
            )
        )
    if migration.export is not None:
        rows.append(("Export", _export(migration.export)))
    told = [f"{_code(one.channel or one.notifier or '')} of {', '.join(one.events)}" for one in migration.notify]
    if told:
        rows.append(("Notified", "; ".join(told)))
    table = "\n".join(f"| **{name}** | {value} |" for name, value in rows)
    return f"""### Migration {migration.name}

Registers the media files of an OSS bucket in ApsaraVideo VOD. Defined in `{origin}`.

| | |
|---|---|
{table}

`prepare` stores the run, `discover` lists the bucket while `register_*` registers what it finds, and `report` writes the report.
To see what a run would do, use **Trigger → Plan only**. To rerun failed objects, use **Trigger → What to send: Failed objects only**. To run past days, use **Trigger → Backfill**.
Each successful run is an event of the asset `{asset_uri(migration.connection, migration.name)}`, which can start other DAGs.
You may clear any task or mark it failed at any time: nothing is lost, and nothing is registered twice.
"""


def _origin(migration: Migration) -> str:
    source = migration.source
    if source.manifest is not None:
        return f"from the manifest {_code(source.location)}"
    if source.inventory is not None:
        return f"from the inventory {_code(source.location)} {_listed(source.prefixes)}"
    return _listed(source.prefixes)


def _listed(prefixes: tuple[str, ...]) -> str:
    if prefixes == ("",):
        return "(the whole bucket)"
    return ", ".join(_code(prefix) for prefix in prefixes)


def _taken(migration: Migration) -> str:
    select = migration.select
    extensions = (
        "every format that VOD accepts" if select.extensions == MEDIA_EXTENSIONS else ", ".join(select.extensions)
    )
    sizes = f"from {select.min_size:,} bytes" + (f" to {select.max_size:,}" if select.max_size else "")
    patterns = [
        f"{word} {', '.join(_code(pattern) for pattern in given)}"
        for word, given in (("only", select.include), ("without", select.exclude))
        if given
    ]
    classes = ", ".join(select.storage_classes) + (" and archived" if select.archived == "register" else "")
    return "; ".join([extensions, sizes, classes, *patterns])


def _processing(migration: Migration) -> str:
    register = migration.register_
    if register.workflow_id:
        return f"workflow {_code(register.workflow_id)}"
    group = register.template_group_id or ""
    return "none (`VOD_NO_TRANSCODE`)" if group == "VOD_NO_TRANSCODE" else f"template group {_code(group)}"


def _rate(migration: Migration) -> str:
    cap = migration.register_.calls_per_second
    own = "the account's rate" if cap is None else f"at most {cap:g} calls a second, within the account's rate"
    return f"{own}; priority {migration.priority} of 10"


def _stops(migration: Migration) -> str:
    stop = migration.stop_after
    count = "" if stop.failures is None else f", or when more than {stop.failures:,} files fail"
    return f"when more than {stop.failure_rate:.0%} of at least {stop.min_outcomes:,} outcomes are failures{count}"


def _window(migration: Migration) -> str:
    opening = migration.opening
    if opening is None:
        return "sends at any time"
    return f"sends only {opening}; outside this window a run pauses, and the next one continues"


def _first(first: StagedStart) -> str:
    looked = f", checks them for up to {first.timeout}" if first.verify else ""
    then = {
        "continue": "then sends the rest",
        "ask": "then waits until somebody resumes it",
        "stop": "and the next run sends the rest",
    }
    return f"the first run sends {first.objects:,} objects{looked}, {then[first.then]}"


def _verified(migration: Migration) -> str:
    verify = migration.verify
    if verify is None:
        return "only with `vod-migrate verify`"
    return f"{verify.after} after each run, {verify.sample} of its registered media are checked in VOD"


def _export(export: Export) -> str:
    what = "the changes" if export.only_changes else "the complete table"
    return f"{what} after each run to {_code(export.to)}, as {export.format}"


def _approval(migration: Migration) -> str:
    hours = migration.approval_hours
    end = "" if hours is None else f"; without a decision within {hours:g} hours, it ends"
    return f"each run shows its plan and waits for approval before it sends anything{end}"


def _code(text: str) -> str:
    # A | or ` in a template would end the cell or the code.
    safe = text.replace("|", "\\|").replace("`", "'")
    return f"`{safe}`"
