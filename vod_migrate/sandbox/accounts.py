"""Accounts, their RAM users, and what each user may do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from vod_migrate.sandbox.errors import BadRequest
from vod_migrate.sandbox.quota import SlidingSecond
from vod_migrate.sandbox.settings import AccountConfig, CredentialConfig
from vod_migrate.sandbox.vod.categories import CategoryTree
from vod_migrate.sandbox.vod.library import Library
from vod_migrate.sandbox.vod.templates import Templates


class Account:
    """One account: its configuration, its quotas and its media library."""

    def __init__(self, config: AccountConfig) -> None:
        self.config = config
        self.uid = config.uid
        self.categories = CategoryTree(config.categories)
        self.templates = Templates(groups=config.template_groups, workflows=config.workflows)
        self.library = Library()
        self._seconds: dict[str, SlidingSecond] = {}

    def accept(self, api: str, now: float, limit: int | None) -> bool:
        """Whether the account's quota of that API has room for a call at `now` (monotonic seconds)."""
        return self._seconds.setdefault(api, SlidingSecond()).accept(now, limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who signed a request."""

    account: Account
    credential: CredentialConfig

    def may(self, action: str) -> bool:
        """Whether neither the account nor the user is denied a RAM action such as `vod:RegisterMedia`."""
        denied = (*self.account.config.deny, *self.credential.deny)
        return not any(fnmatchcase(action, pattern) for pattern in denied)


class Accounts:
    """All accounts, found by uid or by access key."""

    def __init__(self, configs: Iterable[AccountConfig]) -> None:
        self._accounts: dict[str, Account] = {}
        self._callers: dict[str, Caller] = {}
        for config in configs:
            self.add(config)

    def add(self, config: AccountConfig) -> Account:
        """Add an account, or change one, which keeps its media library, categories and templates."""
        for credential in config.credentials:
            owner = self._callers.get(credential.access_key_id)
            if owner is not None and owner.account.uid != config.uid:
                raise BadRequest(
                    f"Access key {credential.access_key_id} belongs to account {owner.account.uid}.", status=409
                )
        account = self._accounts.get(config.uid)
        if account is None:
            account = self._accounts[config.uid] = Account(config)
        account.config = config
        self._callers = {key: caller for key, caller in self._callers.items() if caller.account is not account}
        for credential in config.credentials:
            self._callers[credential.access_key_id] = Caller(account=account, credential=credential)
        return account

    def caller(self, access_key_id: str) -> Caller | None:
        """The owner of an access key."""
        return self._callers.get(access_key_id)

    def get(self, uid: str) -> Account | None:
        """The account of that uid."""
        return self._accounts.get(uid)

    @property
    def first(self) -> Account:
        """The default account."""
        return next(iter(self._accounts.values()))

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())
