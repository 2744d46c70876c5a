"""What a migration file may say about descriptions: templates, rules, and what happens when a limit is exceeded."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from vod_migrate.migration.base import SettingsModel
from vod_migrate.migration.patterns import KeyPattern
from vod_migrate.migration.prefixes import check_expression, check_prefix
from vod_migrate.migration.templates import check_template
from vod_migrate.migration.vod_limits import MOST_TAGS, TAG_BYTES, check_path

TEMPLATE_FACTS = (
    "key", "bucket", "name", "stem", "extension", "folder", "folders", "size", "last_modified", "match", "row",
    "derived_id",
)  # fmt: skip
"""What a template may use about an object."""

DERIVED = "{{ derived_id }}"
_WORDINGS = ("title", "description", "tags", "cover_url", "category", "cate_id", "reference_id")


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_reference(value: Any) -> Any:
    if isinstance(value, dict):
        if value != {"derive": True}:
            raise ValueError("must be a template, or `{derive: true}` for an ID derived from bucket and key")
        return DERIVED
    return value


_Number = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "integer"]})]
_Reference = Annotated[
    str,
    BeforeValidator(_as_reference),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": {"derive": {"const": True}}, "required": ["derive"]},
            ]
        }
    ),
]


def _constant(template: str) -> bool:
    return "{{" not in template and "{%" not in template


class DescriptionFields(SettingsModel):
    """The fields of RegisterMetadata, each a Jinja2 template; tags are a list of templates."""

    title: Annotated[str | None, Field(min_length=1)] = None
    """Title, at most 128 bytes."""
    description: str | None = None
    """Jinja2 template of the Description, at most 1,024 bytes; if empty, none is sent."""
    tags: Annotated[tuple[str, ...] | None, Field(max_length=MOST_TAGS)] = None
    """List of Jinja2 templates of tags, at most 16 of 32 bytes. A comma separates tags; empty and repeated ones are removed."""
    cover_url: str | None = None
    """Jinja2 template of the CoverURL, at most 1,024 bytes: a URL, or the key of a picture in the same bucket."""
    category: str | None = None
    """Jinja2 template of the category's path, `Shows/{{ folder }}`: at most 3 names of 64 bytes."""
    cate_id: _Number | None = None
    """Instead of category: the CateId, a number or a Jinja2 template of one."""
    reference_id: _Reference | None = None
    """Jinja2 template of the ReferenceId (6 to 64 of A-Z a-z 0-9 _ -, unique for the account), or `{derive: true}`:
    `vm-` and a hash of bucket and key, which templates can use as `derived_id`."""

    @field_validator(*_WORDINGS)
    @classmethod
    def _readable(cls, value: Any, info: ValidationInfo) -> Any:
        for template in (value,) if isinstance(value, str) else value or ():
            check_template(template, TEMPLATE_FACTS)
            if _constant(template) and template.strip():
                _check_constant(str(info.field_name), template.strip())
        return value

    @model_validator(mode="after")
    def _one_category(self) -> DescriptionFields:
        if self.category and self.cate_id:
            raise ValueError(f"both category ({self.category}) and cate_id ({self.cate_id}) are given: keep one")
        return self

    def templates(self) -> dict[str, tuple[str, ...]]:
        """The templates that are set here, by field; an empty one turns the field off."""
        given = {name: getattr(self, name) for name in _WORDINGS}
        return {
            name: value if isinstance(value, tuple) else (value,) for name, value in given.items() if value is not None
        }


def _check_constant(field: str, text: str) -> None:
    if field == "tags":
        for tag in text.split(","):
            if len(tag.strip().encode()) > TAG_BYTES:
                raise ValueError(
                    f"the tag {tag.strip()!r} has {len(tag.strip().encode())} bytes; VOD allows {TAG_BYTES}: shorten it"
                )
    elif field == "category":
        problem = check_path(tuple(part.strip() for part in text.strip("/").split("/")))
        if problem:
            raise ValueError(problem.message)
    elif field == "cate_id" and not re.fullmatch(r"[1-9][0-9]{0,18}", text):
        raise ValueError("is not a CateId: it must be a whole number, as the console and GetCategories show it")
    elif field == "reference_id":
        raise ValueError(
            "is the same for every object, but a ReferenceId is unique: use a variable such as {{ stem }}, or {derive: true}"
        )


class Policies(SettingsModel):
    """What to do with a value that exceeds a limit: `cut` it (to whole characters, without emoji), `drop` the field, `fail` the object."""

    title: Literal["cut", "fail"] = "cut"
    """A title is required, so it cannot be dropped."""
    description: Literal["cut", "drop", "fail"] = "cut"
    """Over 1,024 bytes, or with emoji."""
    tags: Literal["cut", "drop", "fail"] = "drop"
    """A tag over 32 bytes or with emoji (drop leaves out that tag); tags after the sixteenth."""
    cover_url: Literal["drop", "fail"] = "drop"
    """Not a URL, or over 1,024 bytes."""
    category: Literal["drop", "fail"] = "fail"
    """More than 3 levels, a name over 64 bytes, a CateId that is not a number, or a category that does not exist."""
    reference_id: Literal["drop", "fail"] = "fail"
    """Not 6 to 64 of the allowed characters; a cut ID might be that of another object."""


def _check_match(pattern: str) -> str:
    # From the beginning of the key, as if it began with ^.
    check_expression("^" + pattern.removeprefix("^"))
    KeyPattern(pattern)
    return pattern


class Rule(DescriptionFields):
    """Other templates for some keys. A rule inherits all settings that it does not set; `''` or `[]` turns a field off."""

    prefix: Annotated[str, Field(min_length=1), AfterValidator(check_prefix)] | None = None
    """The rule applies to keys that begin with this."""
    match: Annotated[str, Field(min_length=1), AfterValidator(_check_match)] | None = None
    """The rule applies to keys that this regular expression matches from their beginning; its named groups are
    `match.<group>`."""

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if (self.prefix is None) == (self.match is None):
            raise ValueError("needs exactly one of prefix and match, which say which keys it applies to")
        if not self.templates():
            raise ValueError(f"sets nothing for its keys: give it one of {', '.join(_WORDINGS)}")
        return self

    @property
    def called(self) -> str:
        """The rule as the file writes it."""
        return f"prefix {self.prefix!r}" if self.prefix is not None else f"match {self.match!r}"


def _check_pattern(pattern: str) -> str:
    if not KeyPattern(pattern).names:
        raise ValueError("has no named group that a template could use: write (?P<show>…) around a part")
    return pattern


class Describe(DescriptionFields):
    """The RegisterMetadata of an object, made from its key."""

    title: Annotated[str, Field(min_length=1)] = "{{ stem }}"
    """Jinja2 template of the Title, at most 128 bytes. Every template may use `key`, `name` (last part), `stem`
    (without extension), `extension`, `folder`, `folders`, `bucket`, `size`, `last_modified`, `derived_id`,
    `match.<group>` of the pattern and `row.<column>` of a manifest."""
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_check_pattern)] | None = None
    """Regular expression with named groups, matched from the beginning of the key, for `match.<group>` in templates."""
    rules: tuple[Rule, ...] = ()
    """Other templates for some keys; the first rule that applies is used."""
    categories: Literal["require", "create"] = "require"
    """If a category does not exist: `require` refuses the object, `create` creates the category."""
    cover_if_exists: Annotated[bool, Field(strict=True)] = False
    """Send a cover only if that object exists in the bucket (one HEAD request each)."""
    policies: Policies = Policies()

    @model_validator(mode="after")
    def _groups_exist(self) -> Describe:
        own = set(KeyPattern(self.pattern).names) if self.pattern else set()
        _check_groups(self, own, "")
        for place, rule in enumerate(self.rules):
            theirs = set(KeyPattern(rule.match).names) if rule.match else set()
            _check_groups(rule, own | theirs, f"rules.{place}.")
        return self

    @model_validator(mode="after")
    def _every_rule_is_reached(self) -> Describe:
        before: dict[str, int] = {}
        for place, rule in enumerate(self.rules):
            if rule.prefix is None:
                continue
            for earlier, at in before.items():
                if rule.prefix.startswith(earlier):
                    raise ValueError(
                        f"rules.{place} (prefix {rule.prefix!r}) never applies, because rules.{at} (prefix {earlier!r}) takes all "
                        "its keys: put the longer prefix first"
                    )
            before[rule.prefix] = place
        return self

    @model_validator(mode="after")
    def _cover_to_look_for(self) -> Describe:
        if self.cover_if_exists and not any(part.cover_url for part in (self, *self.rules)):
            raise ValueError("cover_if_exists is true, but no cover_url is set")
        return self


def _check_groups(part: DescriptionFields, groups: set[str], where: str) -> None:
    for field, templates in part.templates().items():
        for template in templates:
            try:
                check_template(template, TEMPLATE_FACTS, groups=sorted(groups))
            except ValueError as error:
                raise ValueError(f"{where}{field} {error}") from None
