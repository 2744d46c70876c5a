"""A search among the objects, as it stands in a page's address."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from vod_migrate.errors import BadOption
from vod_migrate.report.browse.access import storable_text

STATES = ("pending", "registered", "failed", "gone")

MEDIA_ID = re.compile(r"[0-9a-f]{32}")
_LONGEST = 2_048  # a key has 1,023 bytes at most; its URL, percent-encoded, can be longer
_HIGHEST = "\U0010ffff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Objects whose key begins with `prefix`, or that have a MediaId; of one migration, bucket, state or code, where these are given.

    media_id: looked for first; the key's beginning is what counts where no object has it. backwards: from the last key to the first.
    """

    prefix: str = ""
    media_id: str | None = None
    bucket: str | None = None
    account: str | None = None
    migration: str | None = None
    state: str | None = None
    code: str | None = None
    backwards: bool = False

    @property
    def states(self) -> tuple[str, ...]:
        """The states that the search lets through; a code is a failed object's."""
        if self.code is not None:
            return ("failed",)
        return STATES if self.state is None else (self.state,)

    @property
    def counted(self) -> bool:
        """Whether the tallies know how many there are: no key takes part in the search."""
        return not self.prefix and self.media_id is None and self.bucket is None


def read_search(
    text: str = "",
    *,
    account: str | None = None,
    migration: str | None = None,
    state: str | None = None,
    code: str | None = None,
    backwards: bool = False,
) -> Search:
    """A search from what was typed or pasted, and what was chosen. Empty choices are none.

    text: the beginning of a key, a MediaId, `oss://bucket/key`, or the object's http(s) address, percent-encoded as addresses are.
    """
    account, migration, state, code = account or None, migration or None, state or None, code or None
    for name, value in (("q", text), ("account", account), ("migration", migration), ("code", code)):
        if value is not None and (len(value) > _LONGEST or not storable_text(value)):
            raise BadOption(f"{name}: longer than {_LONGEST:,} characters, or with characters that no key can contain")
    if state is not None and state not in STATES:
        raise BadOption(f"state: {state!r} is not one of {', '.join(STATES)}")
    if code is not None and state not in (None, "failed"):
        raise BadOption(f"code: only failed objects have a code; choose the state failed or all instead of {state}")
    chosen = Search(account=account, migration=migration, state=state, code=code, backwards=backwards)
    wanted = text.strip()
    if wanted.startswith("oss://"):
        bucket, _, key = wanted.removeprefix("oss://").partition("/")
        return replace(chosen, bucket=bucket or None, prefix=key)
    if wanted.lower().startswith(("http://", "https://")):
        return _from_address(wanted, chosen)
    return replace(chosen, prefix=wanted, media_id=wanted if MEDIA_ID.fullmatch(wanted) else None)


def _from_address(address: str, chosen: Search) -> Search:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError as error:
        raise BadOption(f"q: {address[:200]!r} is not a URL: {error}") from None
    key = unquote(parts.path.removeprefix("/"), errors="replace")
    # A CDN's domain says nothing about the bucket.
    bucket, dot, rest = host.partition(".")
    return replace(chosen, bucket=bucket if dot and rest.startswith("oss-") else None, prefix=key)


@dataclass(frozen=True, kw_only=True, slots=True)
class PageCursor:
    """Where a page ends: the object that comes last, in the order of migration, account, bucket and key."""

    migration: str
    account: str
    bucket: str
    key: str

    @property
    def order(self) -> tuple[str, str, str]:
        """What comes before the key in the order of pages."""
        return self.migration, self.account, self.bucket

    def token(self) -> str:
        """As it stands in an address: opaque, and nothing that anybody could gain by changing it."""
        packed = json.dumps([*self.order, self.key], ensure_ascii=False)
        return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")

    @classmethod
    def from_token(cls, token: str) -> PageCursor:
        """From an address; raises BadOption where it was changed or cut off."""
        try:
            migration, account, bucket, key = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        except (ValueError, TypeError, RecursionError):
            raise _damaged() from None
        if not all(type(text) is str and storable_text(text) for text in (migration, account, bucket, key)):
            raise _damaged()
        return cls(migration=migration, account=account, bucket=bucket, key=key)


def _damaged() -> BadOption:
    return BadOption("the page's address is damaged: start again at the first page")


def prefix_end(prefix: str) -> str | None:
    """The first text after all that begin with `prefix`, in the order of code points, which is that of UTF-8; None: there is none."""
    kept = prefix.rstrip(_HIGHEST)
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    if following == 0xD800:  # noqa: PLR2004 - surrogates are no characters
        following = 0xE000
    return kept[:-1] + chr(following)
