"""Before a run: a setting that every file would fail on ends it before anything is stored or sent; nothing else does."""

from __future__ import annotations

import time
from typing import Any

import pytest

from vod_migrate.cloud.connection import Connection
from vod_migrate.doctor.preflight import PREFLIGHT_SECONDS, preflight
from vod_migrate.errors import AccountStopped, BadSetting, Denied, InvalidCredentials, Suspended
from vod_migrate.migration.loader import parse_migration
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP


def migration(register: dict[str, Any] | None = None, **describe: Any) -> Any:
    content = {
        "name": "nightly",
        "source": {"bucket": "media-archive"},
        "register": register or {"template_group_id": DEFAULT_GROUP},
        "describe": describe,
    }
    return parse_migration(content, origin="test")


def test_a_sound_file_passes_and_one_that_names_nothing_asks_nothing(connection: Connection, sandbox: Sandbox) -> None:
    sandbox.add_category("Shows")
    preflight(connection, migration({"template_group_id": "VOD_NO_TRANSCODE"}))
    assert sandbox.counters() == {}
    preflight(connection, migration(category="Shows/{{ folder }}"))
    assert set(sandbox.counters()) == {"GetTranscodeTemplateGroup", "GetCategories"}


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (migration({"template_group_id": "0" * 32}), "no such template group"),
        (migration({"workflow_id": "a" * 31}), "not a WorkflowId"),
        (migration(category="Films"), "does not exist: 'Films'"),
        (migration(category="Shows/Old/{{ folder }}"), "does not exist: 'Shows/Old'"),
        (migration(rules=[{"prefix": "a/", "cate_id": 42}]), "does not exist: '42'"),
    ],
)
def test_what_no_file_could_pass_ends_the_run_with_the_fix(
    connection: Connection, sandbox: Sandbox, file: Any, says: str
) -> None:
    sandbox.add_category("Shows")
    with pytest.raises(BadSetting, match=says) as ended:
        preflight(connection, file)
    assert ": copy the ID" in str(ended.value) or ": create it in the VOD console" in str(ended.value)


@pytest.mark.parametrize(
    ("account", "error"),
    [
        ({"deny": ["vod:GetCategories"]}, Denied),
        ({"suspended": True}, Suspended),
        ({"activated": False}, Suspended),
        ({"credentials": [{"access_key_id": "LTAI-sandbox", "access_key_secret": "changed"}]}, InvalidCredentials),
    ],
)
def test_an_account_that_cannot_be_used_ends_the_run(
    connection: Connection, sandbox: Sandbox, account: dict[str, Any], error: type[AccountStopped]
) -> None:
    sandbox.add_category("Shows")
    sandbox.account(**account)
    with pytest.raises(error):
        preflight(connection, migration(category="Shows"))


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "http_503"},
        {"kind": "html_502"},
        {"kind": "reset"},
        {"kind": "throttle"},
        {"kind": "timeout", "seconds": 60},
    ],
    ids=lambda trouble: str(trouble["kind"]),
)
def test_trouble_that_may_pass_ends_no_run_and_holds_none_up(
    connection: Connection, sandbox: Sandbox, trouble: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fault(**trouble)
    caplog.set_level("INFO", "vod_migrate")
    began = time.monotonic()
    preflight(connection, migration(category="Shows"))
    assert time.monotonic() - began < PREFLIGHT_SECONDS + 3
    assert "template_group was not checked" in caplog.text


def test_a_permission_that_only_the_check_needs_ends_no_run(connection: Connection, sandbox: Sandbox) -> None:
    sandbox.account(deny=["vod:GetTranscodeTemplateGroup", "vod:GetCategories"])
    preflight(connection, migration(cate_id=42))


def test_categories_that_will_be_made_are_no_reason_to_stop(connection: Connection, sandbox: Sandbox) -> None:
    preflight(connection, migration(category="Films/{{ folder }}", categories="create"))
    assert "AddCategory" not in sandbox.counters()
