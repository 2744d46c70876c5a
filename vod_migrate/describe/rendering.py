"""The templates of a migration, filled in for one object, within the documented limits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from vod_migrate.describe.file_url import file_url
from vod_migrate.media import Description, MediaObject, Rejected
from vod_migrate.migration.description import Policies, Rule
from vod_migrate.migration.patterns import KeyPattern
from vod_migrate.migration.templates import Template, TemplateError
from vod_migrate.migration.vod_limits import (
    DESCRIPTION_BYTES,
    TITLE_BYTES,
    Note,
    check_cate_id,
    check_path,
    check_reference,
    check_url,
    cut_to_bytes,
    fit_tags,
    fit_text,
    plain,
)

CODES = frozenset((
    "url_too_long", "title_template", "title_empty", "title_too_long", "title_emoji", "description_template",
    "description_too_long", "description_emoji", "tags_template", "tag_too_long", "tag_emoji", "too_many_tags",
    "cover_url_template", "bad_cover_url", "cover_url_too_long", "category_template", "bad_category",
    "category_too_deep", "category_name_too_long", "category_missing", "category_refused", "cate_id_template",
    "bad_cate_id", "reference_id_template", "bad_reference_id",
))  # fmt: skip
"""Every code that a rejected object may have; each is explained in report/diagnosis.py."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What follows from an object alone. category: names from the top; cover_key: the object that the cover is, if in the bucket."""

    file_url: str
    description: Description
    category: tuple[str, ...] = ()
    cover_key: str | None = None
    rule: str | None = None
    notes: tuple[Note, ...] = ()


class RuleTemplates:
    """A rule, with the wordings that it has and those that it inherits."""

    def __init__(self, rule: Rule, top: Mapping[str, tuple[str, ...]]) -> None:
        self.rule = rule
        own = rule.templates()
        if "category" in own or "cate_id" in own:
            top = {name: texts for name, texts in top.items() if name not in ("category", "cate_id")}
        self.wordings = wordings_of({**top, **own})
        self._pattern = KeyPattern(rule.match) if rule.match is not None else None

    def groups(self, key: str) -> dict[str, str] | None:
        """The named groups of the rule's match; None where the rule is not for this key."""
        if self._pattern is None:
            return {} if key.startswith(self.rule.prefix or "") else None
        return self._pattern.groups(key)


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderingRules:
    """What is the same for every object of a migration. mapped: fields that a column of the manifest is named for."""

    policies: Policies
    storage_address: str
    cover_if_exists: bool
    mapped: frozenset[str]


class Rendering:
    """Fills in all wordings for one object."""

    def __init__(self, rules: RenderingRules, wordings: Mapping[str, list[Template]], known: Mapping[str, Any]) -> None:
        self._rules = rules
        self._wordings = wordings
        self._known = known
        self._policies = rules.policies
        self._notes: list[Note] = []

    def sketch(self, url: str, rule: str | None) -> Draft:
        """The draft.

        Raises:
            Rejected: a value that VOD would not take, under the policy `fail`.
        """
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
            raise Rejected("title_empty", f"the title is empty for the key {self._known['key']!r}")
        self._notes.append(Note(field="title", text="empty, so the file name is used"))
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
        address = self._rules.storage_address
        key = None
        if "://" not in text:
            key = plain(text).lstrip("/")
            text = file_url(address, key)
        elif text.startswith((f"https://{address}/", f"http://{address}/")):
            key = unquote(text.partition("://")[2].partition("/")[2])
        problem = check_url(text)
        looks = self._rules.cover_if_exists
        if problem is None and looks and not key:
            problem = Rejected(
                "bad_cover_url",
                f"cover_if_exists checks only the migration's bucket, but this cover is elsewhere: {text!r}",
            )
        if problem is not None:
            self._left_out("cover_url", self._policies.cover_url, problem)
            return None, None
        return text, key if looks else None

    def _category(self) -> tuple[tuple[str, ...], int | None]:
        policy = self._policies.category
        # A category that the manifest names wins over a number of the file.
        number = None if self._told("category") else self._checked("cate_id", policy, check_cate_id)
        # A list in a manifest has one level an element.
        text = plain("/".join(self._texts("category", policy))).strip()
        if number is not None or not text.strip("/"):
            return (), None if number is None else int(number)
        path = tuple(part.strip() for part in text.strip("/").split("/"))
        problem = check_path(path)
        if problem is not None:
            self._left_out("category", policy, problem)
            return (), None
        return path, None

    def _checked(self, field: str, policy: str, check: Callable[[str], Rejected | None]) -> str | None:
        text = self._one(field, policy).strip()
        if not text:
            return None
        problem = check(text)
        if problem is not None:
            self._left_out(field, policy, problem)
            return None
        return text

    def _left_out(self, field: str, policy: str, problem: Rejected) -> None:
        if policy == "fail":
            raise problem
        self._notes.append(Note(field=field, text=f"dropped: {problem.message}"))

    def _one(self, field: str, policy: str) -> str:
        return "".join(self._texts(field, policy))

    def _told(self, field: str) -> list[str]:
        """What the manifest's column for a field says; nothing where there is none, or an empty one."""
        if field not in self._rules.mapped:
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
            problem = Rejected(f"{field}_template", f"describe.{field} fails for this key: {error}{hint}")
            if policy != "drop":
                raise problem from error
            self._left_out(field, policy, problem)
            return []


def wordings_of(texts: Mapping[str, tuple[str, ...]]) -> dict[str, list[Template]]:
    """The templates of each field."""
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
        "row": found.row,
    }
