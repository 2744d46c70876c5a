"""Settings of a migration file that only VOD can judge: template group, workflow and categories."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vod_migrate.describe.categories import GET_CATEGORIES, ROOT, children_of
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok
from vod_migrate.errors import AccountStopped, BadSetting, Denied, RegisterError, RequestRefused
from vod_migrate.migration.description import Describe
from vod_migrate.migration.model import Migration

NO_TRANSCODE = "VOD_NO_TRANSCODE"
_WORKFLOW = re.compile(r"[0-9a-f]{32}")
_CONSOLE = "VOD console → Configuration Management → Media Processing"
_NOT_FOUND = 404

Ask = Callable[..., Mapping[str, Any]]
"""Calls an API of VOD by its name, with the SDK's fields. Raises RegisterError."""


def workflow_check(migration: Migration | None) -> Check:
    """Whether a WorkflowId has the form of one: VOD has no call that looks one up."""
    if migration is None:
        return not_checked("workflow", "no usable migration file")
    workflow = migration.register_.workflow_id
    if workflow is None:
        return ok("workflow", "nothing", "the file does not name any")
    tried = "checking its form; VOD has no call that looks up a workflow"
    if not _WORKFLOW.fullmatch(workflow):
        error = BadSetting(
            f"register.workflow_id is {workflow!r}, which is not a WorkflowId: a WorkflowId has 32 hexadecimal digits, as on the "
            "RegisterMedia page"
        )
        return failed("workflow", tried, error, f"copy the ID from the {_CONSOLE} → Workflows")
    return ok("workflow", tried, f"{workflow} has the right form; the first call shows whether it exists")


def template_check(ask: Ask, group: str | None) -> Check:
    """Whether a transcoding template group exists; VOD_NO_TRANSCODE always does.

    Raises:
        AccountStopped: other than for want of permission.
    """
    name = "template_group"
    if group in (None, NO_TRANSCODE):
        return ok(
            name, "nothing", f"{NO_TRANSCODE} needs no template group" if group else "the file names a workflow instead"
        )
    tried = f"GetTranscodeTemplateGroup of {group}"
    try:
        body = ask("GetTranscodeTemplateGroup", transcode_template_group_id=group)
    except Denied as error:
        return not_checked(name, str(error), "allow vod:GetTranscodeTemplateGroup, for this check alone", tried=tried)
    except AccountStopped:
        raise
    except RegisterError as error:
        if not isinstance(error, RequestRefused) or (error.http_status != _NOT_FOUND and ".NotFound" not in error.code):
            return not_checked(name, str(error), tried=tried)
        unknown = BadSetting(
            f"register.template_group_id is {group!r}, and VOD has no such template group in this region ({error.code})"
        )
        fix = f"copy the ID from the {_CONSOLE} → Transcoding Template Groups, or write {NO_TRANSCODE}"
        return failed(name, tried, unknown, fix)
    called = (body.get("TranscodeTemplateGroup") or {}).get("Name")
    return ok(name, tried, f"{group} exists" + (f" ({called})" if called else ""))


def category_check(ask: Ask, describe: Describe) -> Check:  # noqa: PLR0911 - one line a case
    """Whether the categories that a file names exist; none is made.

    Raises:
        AccountStopped: other than for want of permission.
    """
    paths, numbers = _named_categories(describe)
    by_path = any(part.category for part in (describe, *describe.rules))
    if not by_path and not numbers:
        return ok("categories", "nothing", "the file does not name any")
    tried = f"GetCategories of {', '.join(['/'.join(path) for path in paths] + [str(number) for number in numbers]) or 'the top'}"
    try:
        missing = list(_missing(ask, paths, numbers))
    except Denied as error:
        if not by_path:
            return not_checked("categories", str(error), "allow vod:GetCategories, for this check alone", tried=tried)
        return failed("categories", tried, error, "allow vod:GetCategories: describe.category needs it for every run")
    except AccountStopped:
        raise
    except RegisterError as error:
        return not_checked("categories", str(error), tried=tried)
    creates = describe.categories == "create"
    if not missing:
        more = "; the permission to create more was not checked" if creates and by_path else ""
        return ok("categories", tried, "all categories that are named without a template exist" + more)
    if creates and not any(name.isdecimal() for name in missing):
        return ok(
            "categories", tried, f"a run creates {', '.join(missing)} (needs vod:AddCategory, which was not checked)"
        )
    unknown = BadSetting(f"describe names a category that does not exist: {', '.join(repr(name) for name in missing)}")
    return failed(
        "categories",
        tried,
        unknown,
        "create it in the VOD console, correct describe, or set describe.categories: create",
    )


def _named_categories(describe: Describe) -> tuple[list[tuple[str, ...]], list[int]]:
    """The categories that are sure to be asked for: paths as far as they are constant, and constant CateIds."""
    parts = (describe, *describe.rules)
    paths = [tuple(_constant_parts(part.category)) for part in parts if part.category]
    numbers = [int(part.cate_id) for part in parts if part.cate_id and part.cate_id.strip().isdecimal()]
    return list(dict.fromkeys(path for path in paths if path)), list(dict.fromkeys(numbers))


def _constant_parts(template: str) -> Iterator[str]:
    for part in template.strip("/").split("/"):
        if "{{" in part or "{%" in part or not part.strip():
            return
        yield part.strip()


def _missing(ask: Ask, paths: list[tuple[str, ...]], numbers: list[int]) -> Iterator[str]:
    known = {}
    # Also where every path is a template from its beginning: it shows whether categories may be read.
    if paths or not numbers:
        known[ROOT] = children_of(ask, ROOT)
    for path in paths:
        parent = ROOT
        for depth, name in enumerate(path, start=1):
            if parent not in known:
                known[parent] = children_of(ask, parent)
            if name not in known[parent]:
                yield "/".join(path[:depth])
                break
            parent = known[parent][name]
    for number in numbers:
        try:
            ask(GET_CATEGORIES, cate_id=number, page_no=1, page_size=1)
        except RequestRefused as error:
            if error.http_status != _NOT_FOUND:
                raise
            yield str(number)
