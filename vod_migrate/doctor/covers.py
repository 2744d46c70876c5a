"""Whether covers may be looked for in the bucket."""

from __future__ import annotations

import oss2

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss import open_bucket
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok
from vod_migrate.doctor.timeout import CONNECT_SECONDS, READ_SECONDS
from vod_migrate.errors import SourceDenied
from vod_migrate.migration.model import Migration

_NOT_FOUND = 404
_FORBIDDEN = 403


def cover_check(connection: Connection, migration: Migration) -> Check:
    """Whether covers may be looked for, where they are."""
    describe = migration.describe
    if not describe.cover_if_exists:
        return ok("covers", "nothing", "covers are not looked for")
    template = next(part.cover_url for part in (describe, *describe.rules) if part.cover_url)
    folder = template.partition("{")[0].rpartition("/")[0]
    key = f"{folder}/vod-migrate-doctor.jpg" if folder and "://" not in folder else "vod-migrate-doctor.jpg"
    tried = f"HeadObject of {key}, which need not exist"
    client = open_bucket(connection, migration.source.bucket)
    client.timeout = (CONNECT_SECONDS, READ_SECONDS)
    try:
        client.head_object(key)
    except oss2.exceptions.OssError as error:
        if error.status == _FORBIDDEN:
            denied = SourceDenied(
                f"OSS does not let us look for covers in bucket {migration.source.bucket} ({error.code})"
            )
            fix = "allow oss:GetObject on the covers, or turn describe.cover_if_exists off"
            return failed("covers", tried, denied, fix)
        if error.status != _NOT_FOUND:
            return not_checked("covers", f"OSS answered with HTTP {error.status}", tried=tried)
    return ok("covers", tried, "covers may be looked for")
