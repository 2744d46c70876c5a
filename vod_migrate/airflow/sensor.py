"""`VodMediaReadySensor`: waits in a DAG of your own until VOD can play media, without holding a slot."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException

from vod_migrate.errors import BadOption

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

MOST_MEDIA_IDS = 10_000
"""They are kept in Airflow's database while the sensor waits; a run may have any number."""

_MEDIA_ID = re.compile(r"[0-9a-f]{32}")
_BETWEEN = re.compile(r"[\s,\[\]()\"']+")


class VodMediaReadySensor(BaseSensorOperator):
    """Waits until VOD can play media, i.e. until their status is Normal. It waits in the triggerer without holding a slot.

    Fails as soon as media have failed permanently: their processing failed, or they were deleted. `timeout` and `soft_fail` work as in
    every sensor; it looks for the first time after one `poke_interval`. Its XCom is what `vod-migrate verify --json` prints.

    Args:
        media_ids: MediaIds (templated): a list, an XCom that is one, or text with commas; at most 10,000.
        run: Instead of media_ids: the ID of a run, or the summary of a `migration_group` (templated), for all objects that the run registered.
        conn_id: An Airflow connection; by default that of the run's migration, or `vod_default`.
        share: The share of the media without failures that must be playable, 0 to 1.
        tolerate: The share of media that may fail permanently, 0 to 1.
        processed: Whether VOD transcodes the media in media_ids. If not, files that it only stores also count as ready.
    """

    template_fields: Sequence[str] = ("media_ids", "run")
    ui_color = "#e3f4f4"

    def __init__(
        self,
        *,
        media_ids: Sequence[str] | str | XComArg | None = None,
        run: str | Mapping[str, Any] | XComArg | None = None,
        conn_id: str | None = None,
        share: float = 1.0,
        tolerate: float = 0.0,
        processed: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (media_ids is None) == (run is None):
            raise BadOption(f"{self.task_id}: give either media_ids or run")
        for name, part in (("share", share), ("tolerate", tolerate)):
            if not 0 <= part <= 1:
                raise BadOption(f"{self.task_id}: {name} is {part!r}: write a number from 0 to 1, e.g. 0.95")
        self.media_ids = media_ids
        self.run = run
        self.conn_id = conn_id
        self.share = share
        self.tolerate = tolerate
        self.processed = processed

    def execute(self, context: Context) -> NoReturn:  # noqa: ARG002 - Airflow's signature
        """Leaves the waiting to the triggerer."""
        from vod_migrate.airflow.media_trigger import MediaReadyTrigger  # noqa: PLC0415 - not while parsing

        try:
            run_id = None if self.run is None else _run_id(self.run)
            media_ids = () if self.media_ids is None else _media_ids(self.media_ids)
        except BadOption as error:
            raise AirflowFailException(str(error)) from None
        trigger = MediaReadyTrigger(
            media_ids=media_ids,
            run_id=run_id,
            connection_id=self.conn_id,
            processed=self.processed,
            share=self.share,
            tolerate=self.tolerate,
            every=self.poke_interval,
        )
        self.defer(
            trigger=trigger, method_name=self.execute_complete.__name__, timeout=dt.timedelta(seconds=self.timeout)
        )

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Says what was found, and fails if it never will be what was waited for."""
        from vod_migrate.report.playback_lines import found_lines  # noqa: PLC0415 - not while parsing
        from vod_migrate.report.terminal import rendered  # noqa: PLC0415 - not while parsing
        from vod_migrate.results.verifications import Verification  # noqa: PLC0415 - not while parsing

        if "error" in event:
            raise AirflowFailException(event["error"])
        found = Verification.from_json(event["found"])
        self.log.info("%s", rendered(found_lines(found), colour=False))
        if not event["ready"]:
            raise AirflowFailException(
                f"{found.wrong:,} of {found.objects:,} media cannot be played and never will be, more than the {self.tolerate:.3g} that "
                "`tolerate` allows; the log above shows examples"
            )
        return found.as_json()


def _run_id(run: Any) -> str:
    named = run.get("run_id") if isinstance(run, Mapping) else run
    if not isinstance(named, str) or not named.strip():
        raise BadOption(f"run is {run!r:.200}: give the ID of a run, or the summary of a migration_group")
    return named.strip()


def _media_ids(given: Any) -> list[str]:
    listed = [one for one in _BETWEEN.split(given) if one] if isinstance(given, str) else given
    if not isinstance(listed, Sequence):
        raise BadOption(f"media_ids is {given!r:.200}: give a list of MediaIds")
    for one in listed:
        if not isinstance(one, str) or not _MEDIA_ID.fullmatch(one):
            raise BadOption(
                f"media_ids holds {one!r:.200}, which is not a MediaId: a MediaId has 32 hexadecimal digits"
            )
    if len(listed) > MOST_MEDIA_IDS:
        raise BadOption(f"media_ids holds {len(listed):,} MediaIds, more than {MOST_MEDIA_IDS:,}: name the run instead")
    return list(dict.fromkeys(listed))
