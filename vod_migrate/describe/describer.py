"""Object → description and FileURL, by the migration's templates and rules, within the documented limits.

A sketch is what follows from the object alone; a description also holds what had to be looked up (the number of a category,
whether a cover exists). What cannot be described is a refusal with a code: a result of its own, and no call.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote

from vod_migrate.media import Description, Entry, MediaObject
from vod_migrate.migration.description import Rule
from vod_migrate.migration.model import Migration
from vod_migrate.migration.patterns import KeyPattern
from vod_migrate.migration.templates import Template, TemplateError
from vod_migrate.migration.vod_limits import (
    DESCRIPTION_BYTES,
    TITLE_BYTES,
    URL_BYTES,
    Note,
    Unfit,
    check_cate_id,
    check_path,
    check_reference,
    check_url,
    cut_to_bytes,
    fit_tags,
    fit_text,
    plain,
)

CODES = frozenset(
    [
        "url_too_long",
        "title_template",
        "title_empty",
        "title_too_long",
        "title_emoji",
        "description_template",
        "description_too_long",
        "description_emoji",
        "tags_template",
        "tag_too_long",
        "tag_emoji",
        "too_many_tags",
        "cover_url_template",
        "bad_cover_url",
        "cover_url_too_long",
        "category_template",
        "bad_category",
        "category_too_deep",
        "category_name_too_long",
        "category_missing",
        "category_refused",
        "cate_id_template",
        "bad_cate_id",
        "reference_id_template",
        "bad_reference_id",
    ]
)
"""Every code that a refusal may have; each is explained in diagnose.py."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """An object that cannot be sent as it is."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What follows from an object alone. category: names from the top; cover_key: the object that the cover is, if in the bucket."""

    file_url: str
    description: Description
    category: tuple[str, ...] = ()
    cover_key: str | None = None
    rule: str | None = None
    notes: tuple[Note, ...] = ()


class Lookups(Protocol):
    """What has to be asked for. Every method may wait for the network, and be called by several threads."""

    def category(self, path: tuple[str, ...]) -> int | Rejected:
        """The CateId of a path, or why there is none."""
        ...

    def exists(self, key: str) -> bool:
        """Whether the migration's bucket holds an object."""
        ...


class Describer:
    """The description rules of one migration, for one storage address."""

    def __init__(self, migration: Migration, *, storage_address: str, lookups: Lookups | None = None) -> None:
        """lookups: needed where the rules name categories by path, or covers only if they exist."""
        self.storage_address = storage_address
        self._encoding = migration.register_.url_encoding
        self._rules = migration.describe
        self._policies = self._rules.policies
        self._lookups = lookups
        self._pattern = KeyPattern(self._rules.pattern) if self._rules.pattern else None
        top = self._rules.templates()
        self._top = _wordings(top)
        self._cases = [_RuleTemplates(rule, top) for rule in self._rules.rules]
        texts = "".join(
            text for part in (self._rules, *self._rules.rules) for given in part.templates().values() for text in given
        )
        self._derives = "derived_id" in texts
        manifest = migration.source.manifest
        self._mapped = frozenset() if manifest is None else frozenset(manifest.columns.named())
        self.waits = self._rules.cover_if_exists
        """Whether each object costs a request, so that many should be described at once."""

    def describe(
        self,
        found: MediaObject,
        *,
        attempts: int = 0,
        no_answers: int = 0,
        row: Mapping[str, Any] | None = None,
    ) -> Entry | Rejected:
        """An entry ready to send, or why there is none. row: columns of a manifest instead of the object's own.

        Raises:
            What the lookups raise; the object is as it was.
        """
        sketch = self.sketch(found, row=row)
        if isinstance(sketch, Rejected):
            return sketch
        described = self._looked_up(sketch)
        if isinstance(described, Rejected):
            return described
        return Entry(
            bucket=found.bucket,
            key=found.key,
            file_url=sketch.file_url,
            description=described,
            attempts=attempts,
            no_answers=no_answers,
        )

    def sketch(self, found: MediaObject, *, row: Mapping[str, Any] | None = None) -> Draft | Rejected:
        """What can be said about an object without asking anybody."""
        url = file_url(self.storage_address, found.key, encoding=self._encoding)
        length = len(url.encode())
        if length > URL_BYTES:
            return Rejected(
                code="url_too_long",
                message=f"the FileURL has {length} bytes, RegisterMedia takes {URL_BYTES}: rename the object to a shorter key",
            )
        known = facts(found)
        known["row"] = found.row if row is None else row
        known["match"] = (self._pattern.groups(found.key) or {}) if self._pattern else {}
        if self._derives:
            known["derived_id"] = derived_id(found)
        wordings, rule = self._top, None
        for case in self._cases:
            groups = case.groups(found.key)
            if groups is not None:
                wordings, rule = case.wordings, case.rule.called
                known["match"] = {**known["match"], **groups}
                break
        try:
            return _Rendering(self, wordings, known).sketch(url, rule)
        except Unfit as unfit:
            return Rejected(code=unfit.code, message=str(unfit))

    def _looked_up(self, sketch: Draft) -> Description | Rejected:
        described = sketch.description
        changes: dict[str, Any] = {}
        if sketch.category:
            cate_id = self._lookup().category(sketch.category)
            if isinstance(cate_id, int):
                changes["cate_id"] = cate_id
            elif self._policies.category == "fail":
                return cate_id
        if sketch.cover_key is not None and not self._lookup().exists(sketch.cover_key):
            changes["cover_url"] = None
        if not changes:
            return described
        fields = {name: getattr(described, name) for name in Description.__dataclass_fields__}
        return Description(**{**fields, **changes})

    def _lookup(self) -> Lookups:
        if self._lookups is None:
            raise AssertionError("categories by path and covers that may be missing need lookups")
        return self._lookups


class _RuleTemplates:
    """A rule, with the wordings that it has and those that it inherits."""

    def __init__(self, rule: Rule, top: Mapping[str, tuple[str, ...]]) -> None:
        self.rule = rule
        own = rule.templates()
        if "category" in own or "cate_id" in own:
            top = {name: texts for name, texts in top.items() if name not in ("category", "cate_id")}
        self.wordings = _wordings({**top, **own})
        self._pattern = KeyPattern(rule.match) if rule.match is not None else None

    def groups(self, key: str) -> dict[str, str] | None:
        """The named groups of the rule's match; None where the rule is not for this key."""
        if self._pattern is None:
            return {} if key.startswith(self.rule.prefix or "") else None
        return self._pattern.groups(key)


class _Rendering:
    """Fills in all wordings for one object."""

    def __init__(self, describer: Describer, wordings: Mapping[str, list[Template]], known: Mapping[str, Any]) -> None:
        self._describer = describer
        self._wordings = wordings
        self._known = known
        self._policies = describer._policies  # noqa: SLF001 - one class in two parts
        self._notes: list[Note] = []

    def sketch(self, url: str, rule: str | None) -> Draft:
        """The sketch; raises Unfit."""
        description = self._one("description", self._policies.description)
        described = None
        if description:
            described = fit_text(
                "description", description, DESCRIPTION_BYTES, self._policies.description, self._notes, keep="\n"
            )
        cover_url, cover_key = self._cover()
        path, cate_id = self._category()
        return Draft(
            file_url=url,
            description=Description(
                title=self._title(),
                description=described,
                tags=self._tags(),
                cover_url=cover_url,
                cate_id=cate_id,
                reference_id=self._checked("reference_id", self._policies.reference_id, check_reference),
            ),
            category=path,
            cover_key=cover_key,
            rule=rule,
            notes=tuple(self._notes),
        )

    def _title(self) -> str:
        policy = self._policies.title
        rendered = self._one("title", policy)
        title = fit_text("title", rendered, TITLE_BYTES, policy, self._notes)
        if title:
            return title
        # A template may come out empty, as `{{ folder }}` does for an object at the top of its bucket.
        if policy == "fail":
            raise Unfit("title_empty", f"the title is empty for the key {self._known['key']!r}")
        self._notes.append(Note(field="title", text="empty, so the file name stands for it"))
        name = self._known["name"] or self._known["key"]
        # A name of emoji only still needs a title: its code points are one that a person can look up.
        points = " ".join(f"U+{ord(character):04X}" for character in name)
        return (
            fit_text("title", self._known["stem"], TITLE_BYTES, "cut", self._notes)
            or cut_to_bytes(points, TITLE_BYTES).strip()
        )

    def _tags(self) -> tuple[str, ...]:
        texts = self._texts("tags", self._policies.tags)
        return fit_tags(texts, self._policies.tags, self._notes) if texts else ()

    def _cover(self) -> tuple[str | None, str | None]:
        text = self._one("cover_url", self._policies.cover_url).strip()
        if not text:
            return None, None
        address = self._describer.storage_address
        key = None
        if "://" not in text:
            key = plain(text).lstrip("/")
            text = file_url(address, key)
        elif text.startswith((f"https://{address}/", f"http://{address}/")):
            key = unquote(text.partition("://")[2].partition("/")[2])
        problem = check_url(text)
        looks = self._describer.waits
        if problem is None and looks and not key:
            problem = (
                "bad_cover_url",
                f"cover_if_exists looks in the migration's bucket only, and this is elsewhere: {text!r}",
            )
        if problem is not None:
            self._left_out("cover_url", self._policies.cover_url, problem)
            return None, None
        return text, key if looks else None

    def _category(self) -> tuple[tuple[str, ...], int | None]:
        policy = self._policies.category
        # A category that the manifest names wins over a number of the file.
        number = None if self._told("category") else self._checked("cate_id", policy, check_cate_id)
        text = plain(self._one("category", policy)).strip()
        if number is not None or not text.strip("/"):
            return (), None if number is None else int(number)
        path = tuple(part.strip() for part in text.strip("/").split("/"))
        problem = check_path(path)
        if problem is not None:
            self._left_out("category", policy, problem)
            return (), None
        return path, None

    def _checked(self, field: str, policy: str, check: Callable[[str], tuple[str, str] | None]) -> str | None:
        text = self._one(field, policy).strip()
        if not text:
            return None
        problem = check(text)
        if problem is not None:
            self._left_out(field, policy, problem)
            return None
        return text

    def _left_out(self, field: str, policy: str, problem: tuple[str, str]) -> None:
        if policy == "fail":
            raise Unfit(*problem)
        self._notes.append(Note(field=field, text=f"dropped: {problem[1]}"))

    def _one(self, field: str, policy: str) -> str:
        return "".join(self._texts(field, policy))

    def _told(self, field: str) -> list[str]:
        """What the manifest's column for a field says; nothing where there is none, or an empty one."""
        if field not in self._describer._mapped:  # noqa: SLF001 - one class in two parts
            return []
        # A column that is named for a field stands in the row under the field's own name.
        value = self._known["row"].get(field)
        texts = [str(one) for one in (value if isinstance(value, list | tuple) else [value]) if one is not None]
        return [text for text in texts if text.strip()]

    def _texts(self, field: str, policy: str) -> list[str]:
        if told := self._told(field):
            return told
        wordings = self._wordings.get(field)
        if not wordings:
            return []
        try:
            return [wording.fill(self._known) for wording in wordings]
        except TemplateError as error:
            hint = ""
            if "not among" in str(error) and not self._known["match"]:
                hint = "; the key does not match describe.pattern"
            problem = (f"{field}_template", f"describe.{field} fails for this key: {error}{hint}")
            if policy != "drop":
                raise Unfit(*problem) from error
            self._left_out(field, policy, problem)
            return []


def _wordings(texts: Mapping[str, tuple[str, ...]]) -> dict[str, list[Template]]:
    return {field: [Template(text) for text in given if text] for field, given in texts.items()}


def facts(found: MediaObject) -> dict[str, Any]:
    """What a template may use about an object."""
    folder, _, name = found.key.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    return {
        "key": found.key,
        "bucket": found.bucket,
        "name": name,
        "stem": stem if dot and stem else name,
        "extension": extension if dot and stem else "",
        "folder": folder.rpartition("/")[2],
        "folders": folder.split("/") if folder else [],
        "size": found.size,
        "last_modified": None if found.last_modified is None else found.last_modified.astimezone(dt.UTC),
    }


def derived_id(found: MediaObject) -> str:
    """A ReferenceId that follows from bucket and key: `vm-` and their SHA-256 in base 32, 55 characters."""
    digest = hashlib.sha256(f"{found.bucket}/{found.key}".encode()).digest()
    return "vm-" + base64.b32encode(digest).decode().rstrip("=").lower()


def file_url(storage_address: str, key: str, *, encoding: str = "percent") -> str:
    """The public URL of an object. encoding: 'percent' encodes all but unreserved characters and '/', 'raw' nothing."""
    path = quote(key, safe="/~") if encoding == "percent" else key
    return f"https://{storage_address}/{path}"
