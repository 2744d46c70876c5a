"""What OSS says about the readable copy of an archived object: `RestoreInfo` of a listing, `x-oss-restore` of HeadObject."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime

from vod_migrate.media import RestoredCopy

_ONGOING = re.compile(r'ongoing-request="(true|false)"')
_EXPIRY = re.compile(r'expiry-date="([^"]*)"')


def restored_copy(text: str) -> RestoredCopy | None:
    """`ongoing-request="true"`, or `ongoing-request="false", expiry-date="…"`; None for anything else."""
    ongoing = _ONGOING.search(text)
    if ongoing is None:
        return None
    expiry = _EXPIRY.search(text)
    return RestoredCopy(ready=ongoing[1] == "false", expires=None if expiry is None else _moment(expiry[1]))


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
