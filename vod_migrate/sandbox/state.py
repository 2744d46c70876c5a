"""The state of a sandbox: settings, accounts, buckets, faults, counters. One event loop owns it."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

from vod_migrate.sandbox.accounts import Account, Accounts
from vod_migrate.sandbox.counters import Counters
from vod_migrate.sandbox.errors import BadRequest
from vod_migrate.sandbox.faults.plan import FaultPlan
from vod_migrate.sandbox.journal import Journal
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.settings import BucketConfig, SandboxConfig, Settings


class World:
    """The state behind both services."""

    def __init__(self, config: SandboxConfig, journal: Journal | None = None) -> None:
        """Raises `BadRequest` if the configuration contradicts itself or does not fit the journal."""
        self.settings = config.settings
        self.accounts = Accounts(config.accounts)
        self.buckets: dict[str, Bucket] = {}
        self.faults = FaultPlan(config.faults)
        self.counters = Counters()
        self.random = random.Random(config.settings.seed)  # noqa: S311 - repeatable on purpose
        self.journal = journal
        for bucket in config.buckets:
            self.set_bucket(bucket)
        if journal is not None:
            journal.replay(self.accounts, config.settings.seed)

    def now(self) -> float:
        """The sandbox's wall clock, in seconds since 1970."""
        return time.time() + self.settings.clock_offset_s

    def process_time(self) -> float:
        """The clock of background work. It can be moved ahead without making signatures look old."""
        return self.now() + self.settings.fast_forward_s

    def timestamp(self, form: str = "%Y-%m-%dT%H:%M:%S.000Z") -> str:
        """The sandbox's time in UTC; by default in the form of OSS."""
        return datetime.fromtimestamp(self.now(), UTC).strftime(form)

    def change_settings(self, changes: dict[str, object]) -> Settings:
        """Change some settings; quotas and restore times are merged."""
        current = self.settings.model_dump()
        for name in ("quotas", "restore_s"):
            table = changes.get(name)
            if isinstance(table, dict):
                changes = {**changes, name: {**current[name], **table}}
        self.settings = Settings.model_validate({**current, **changes})
        if "seed" in changes:
            self.random.seed(self.settings.seed)
        return self.settings

    def account(self, uid: str | None) -> Account:
        """The account with this uid; the first one without a uid."""
        found = self.accounts.first if uid is None else self.accounts.get(uid)
        if found is None:
            raise BadRequest(f"There is no account {uid!r}; create it with POST /_sandbox/accounts.", status=404)
        return found

    def bucket(self, name: str) -> Bucket:
        """The bucket with this name."""
        try:
            return self.buckets[name]
        except KeyError:
            raise BadRequest(
                f"There is no bucket {name!r}; create it with POST /_sandbox/buckets.", status=404
            ) from None

    def set_bucket(self, config: BucketConfig) -> Bucket:
        """Make a bucket, or change whether it is in VOD and what is generated in it."""
        bucket = self.buckets.get(config.name)
        if bucket is None:
            account = self.account(config.account)
            bucket = self.buckets[config.name] = Bucket(
                name=config.name,
                uid=account.uid,
                region=config.region or account.config.regions[0],
                in_vod=config.in_vod,
                storage_class=config.storage_class,
                created=self.timestamp(),
            )
        bucket.in_vod = config.in_vod
        if config.generate is not None:
            bucket.generate(config.generate)
        return bucket
