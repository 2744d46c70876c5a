"""Settings of a migration file that only VOD can judge: workflow and categories. Light to import."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vod_migrate.doctor.checklist import Check, failed, not_checked, ok
from vod_migrate.errors import AccountStopped, BadSetting, Denied, RegisterError, RequestRefused
from vod_migrate.migration.description import Describe

NO_TRANSCODE = "VOD_NO_TRANSCODE"
ROOT = -1
PAGE_SIZE = 100
_WORKFLOW = re.compile(r"[0-9a-f]{32}")
_WORKFLOW_PLACE = "VOD console → Configuration Management → Media Processing → Workflows"
_NOT_FOUND = 404

Ask = Callable[..., Mapping[str, Any]]


def workflow_check(workflow: str | None) -> Check:
    """Whether a WorkflowId has the form of one: VOD has no call that looks one up."""
    if workflow is None:
        return ok("workflow", "nothing", "none is named")
    tried = "its form; VOD has no call that looks a workflow up"
    if not _WORKFLOW.fullmatch(workflow):
        error = BadSetting(
            f"register.workflow_id is {workflow!r}, which is no WorkflowId: one has 32 digits and letters a to f, as in the "
            "RegisterMedia page"
        )
        return failed("workflow", tried, error, f"copy the ID from the {_WORKFLOW_PLACE}")
    return ok("workflow", tried, f"{workflow} looks like one; whether it exists shows with the first call")


def named_categories(describe: Describe) -> tuple[list[tuple[str, ...]], list[int]]:
    """The categories that are sure to be asked for: paths as far as they are constant, and constant CateIds."""
    paths: dict[tuple[str, ...], None] = {}
    numbers: dict[int, None] = {}
    for part in (describe, *describe.rules):
        if part.category and (path := tuple(_constant_parts(part.category))):
            paths[path] = None
        if part.cate_id and part.cate_id.strip().isdecimal():
            numbers[int(part.cate_id)] = None
    return list(paths), list(numbers)


def category_check(ask: Ask, describe: Describe) -> Check:  # noqa: PLR0911 - one line a case
    """Whether the categories that a file names exist; none is made.

    Raises:
        AccountStopped: other than for want of permission.
    """
    paths, numbers = named_categories(describe)
    by_path = any(part.category for part in (describe, *describe.rules))
    if not by_path and not numbers:
        return ok("categories", "nothing", "none is named")
    tried = f"GetCategories of {', '.join(['/'.join(path) for path in paths] + [str(number) for number in numbers]) or 'the top'}"
    try:
        missing = list(_missing(ask, paths, numbers))
    except Denied as error:
        if not by_path:
            return not_checked("categories", str(error), "allow vod:GetCategories, for this check alone", tried=tried)
        fix = "allow vod:GetCategories: describe.category needs it for every run"
        return failed("categories", tried, error, fix)
    except AccountStopped:
        raise
    except RegisterError as error:
        return not_checked("categories", str(error), tried=tried)
    if not missing:
        more = "; VOD was not asked whether it may make more" if describe.categories == "create" and by_path else ""
        return ok("categories", tried, "all that are named without a template exist" + more)
    gone_paths = [name for name in missing if not name.isdecimal()]
    if describe.categories == "create" and len(gone_paths) == len(missing):
        return ok(
            "categories", tried, f"will be made: {', '.join(missing)} (needs vod:AddCategory, which was not tried)"
        )
    unknown = BadSetting(f"there is no category {', '.join(repr(name) for name in missing)}, and describe names it")
    return failed(
        "categories", tried, unknown, "make it in the VOD console, correct describe, or set describe.categories: create"
    )


def _constant_parts(template: str) -> Iterator[str]:
    for part in template.strip("/").split("/"):
        if "{{" in part or "{%" in part or not part.strip():
            return
        yield part.strip()


def _missing(ask: Ask, paths: list[tuple[str, ...]], numbers: list[int]) -> Iterator[str]:
    known: dict[int, dict[str, int]] = {}
    for path in paths:
        parent = ROOT
        for depth, name in enumerate(path, start=1):
            if parent not in known:
                known[parent] = _children(ask, parent)
            if name not in known[parent]:
                yield "/".join(path[:depth])
                break
            parent = known[parent][name]
    if not paths and not numbers:
        # A path that is a template from its beginning: all that can be known is whether categories may be read.
        _children(ask, ROOT)
    for number in numbers:
        try:
            ask("GetCategories", cate_id=number, page_no=1, page_size=1)
        except RequestRefused as error:
            if error.http_status != _NOT_FOUND:
                raise
            yield str(number)


def _children(ask: Ask, parent: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for page in range(1, 11):
        body = ask(
            "GetCategories",
            cate_id=parent,
            page_no=page,
            page_size=PAGE_SIZE,
            sort_by="CreationTime:Asc",
            type="default",
        )
        listed = ((body.get("SubCategories") or {}).get("Category")) or []
        for item in listed:
            found.setdefault(str(item.get("CateName")), int(item.get("CateId") or 0))
        if len(listed) < PAGE_SIZE:
            break
    return found
