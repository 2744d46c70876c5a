"""The whole story of one object: its listing, the rule that described it, every call, and its state now in OSS and in VOD.

Rule and description are computed again from the file that is stored with the run that settled the object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

from vod_migrate.audit.media_states import MediaState
from vod_migrate.cloud.location import NotAnAddress, located, other_form
from vod_migrate.describe.preview import Preview, preview
from vod_migrate.errors import BadOption, RegisterError, SourceError
from vod_migrate.media import MediaObject
from vod_migrate.report.browse.history import ObjectHistory, object_history
from vod_migrate.report.browse.objects import find_objects
from vod_migrate.report.browse.search import MEDIA_ID, Search
from vod_migrate.results.facts import Alike
from vod_migrate.results.run import Run
from vod_migrate.results.scan import Scan, ScanKind
from vod_migrate.results.store import Store

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import ObjectFacts

AskOss: TypeAlias = "Callable[[str, str], ObjectFacts | None]"
"""What OSS says about (bucket, key) now."""
AskVod: TypeAlias = Callable[[str], MediaState | None]
"""What VOD says about a MediaId now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectName:
    """What was asked about: an object, or a MediaId whose object is still to be found."""

    bucket: str = ""
    key: str = ""
    media_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What one migration makes of the key: the run whose file is used, its listings of the key, and what would be sent, or why nothing.

    under: whether the key is under a prefix of the run.
    """

    run: Run
    scans: tuple[Scan, ...]
    under: bool
    preview: Preview


@dataclass(frozen=True, kw_only=True, slots=True)
class NotAsked:
    """A service that could not be asked, or was not to be."""

    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """Everything that is known.

    histories: of each account that knows it; alike: a registered key with the same size and ETag, where nobody has settled this one, gone
    if OSS no longer has it; oss, vod: None where there is no such object or media; form: the normalization in which the bucket has the key
    instead, NFC or NFD, else ''.
    """

    name: ObjectName
    histories: tuple[ObjectHistory, ...]
    taken: tuple[Taken, ...]
    alike: Alike | None
    oss: ObjectFacts | NotAsked | None
    form: str
    vod: MediaState | NotAsked | None


def read_name(text: str, *, domains: frozenset[str] = frozenset()) -> ObjectName:
    """Reads BUCKET/KEY, an address of OSS, oss://BUCKET/KEY or a MediaId.

    Raises:
        BadOption: it is none of these.
    """
    if MEDIA_ID.fullmatch(text):
        return ObjectName(media_id=text)
    try:
        found = located(text, domains=domains)
    except NotAnAddress as error:
        raise BadOption(f"{text!r} {error}") from None
    if found is not None:
        key = found.path if text.lower().startswith("oss:") else unquote(found.path, errors="surrogateescape")
        bucket = found.bucket
    else:
        bucket, _, key = text.partition("/")
    if not bucket or not key:
        raise BadOption(f"{text!r} does not name an object: write BUCKET/KEY, its address, or a MediaId")
    return ObjectName(bucket=bucket, key=key)


def explain(store: Store, name: ObjectName, *, region: str, ask_oss: AskOss | None, ask_vod: AskVod | None) -> Story:
    """The story of an object, whatever its state. ask_oss, ask_vod: None to ask nobody.

    Raises:
        BadOption: nobody knows the MediaId. StoreUnreachable.
    """

    def in_vod(media_id: str) -> MediaState | NotAsked | None:
        return NotAsked(why="not asked") if ask_vod is None else _asked(ask_vod, media_id)

    def in_oss(key: str) -> ObjectFacts | NotAsked | None:
        return NotAsked(why="not asked") if ask_oss is None else _asked(partial(ask_oss, name.bucket), key)

    media = in_vod(name.media_id) if name.media_id else None
    if name.media_id:
        lines = find_objects(store, Search(media_id=name.media_id), readable=None).lines
        known = next((line for line in lines if line.media_id == name.media_id), media)
        if known is None or isinstance(known, NotAsked):
            why = f" (VOD: {known.why})" if known is not None else ", and VOD has no such media"
            raise BadOption(f"no object in the results has the MediaId {name.media_id}{why}")
        name = replace(name, bucket=known.bucket, key=known.key)
    runs = [store.run(run_id) for run_id in store.latest_runs_of_bucket(name.bucket)]
    found = [
        history
        for account in sorted({run.account for run in runs})
        if (history := object_history(store, account, name.bucket, name.key, readable=None)) is not None
    ]
    media_id = name.media_id or next((history.line.media_id for history in found if history.line.media_id), "")
    if media_id and not name.media_id:
        media = in_vod(media_id)
    now = in_oss(name.key)
    return Story(
        name=replace(name, media_id=media_id),
        histories=tuple(found),
        taken=tuple(_taken(store, run, name.key, found, region=region) for run in runs),
        alike=None if found else _alike(store, runs, name, now, in_oss),
        oss=now,
        form=other_form(name.key, lambda key: not isinstance(in_oss(key), NotAsked | None)) if now is None else "",
        vod=media,
    )


def _alike(store: Store, runs: list[Run], name: ObjectName, now: Any, in_oss: Callable[[str], object]) -> Alike | None:
    if not runs or now is None or isinstance(now, NotAsked):
        return None
    seen = MediaObject(bucket=name.bucket, key=name.key, size=now.size, etag=now.etag, last_modified=now.last_modified)
    other = store.alike_among(runs[0].source_id, [seen]).get(name.key)
    return other if other is None or other.gone else replace(other, gone=in_oss(other.key) is None)


def _asked(ask: Callable[[str], Any], about: str) -> Any:
    try:
        return ask(about)
    except (SourceError, RegisterError) as error:
        return NotAsked(why=str(error))


def _taken(store: Store, run: Run, key: str, histories: list[ObjectHistory], *, region: str) -> Taken:
    """What the migration of a run makes of the key: of the run that settled it, where it did."""
    own = next(
        (one for one in histories if (one.line.account, one.line.migration) == (run.account, run.migration)), None
    )
    if own is not None and own.run_id is not None:
        run = store.run(own.run_id)
    prefixes = {scan.prefix for scan in store.scans(run) if scan.kind is ScanKind.PREFIX}
    scans = tuple(
        scan
        for scan in store.scans(run)
        if scan.kind is ScanKind.ROWS or (scan.kind is ScanKind.PREFIX and key.startswith(scan.prefix))
    )
    attributes = {} if own is None else {name: str(value) for name, value in own.attributes.items()}
    made = preview(run.spec, key, region=region, size=None if own is None else own.line.size, row=attributes)
    return Taken(run=run, scans=scans, under=not prefixes or key.startswith(tuple(prefixes)), preview=made)
