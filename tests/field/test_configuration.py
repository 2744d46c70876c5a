"""Mistakes of this machine's configuration: named at once, with exit code 2, and never with a secret."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from shell import BUCKET, Shell

from vod_migrate.cloud import local_fault
from vod_migrate.sandbox.pytest_plugin import Sandbox

ENVIRONMENTS: list[tuple[str, dict[str, str], str]] = [
    # what is wrong, variables, and words of the answer
    ("a key with a zero-width space", {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI-sandbox\u200b"}, "U+200B (ZERO WIDTH SPACE) as character 13 of 13"),
    ("a secret with a no-break space inside", {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary\u00a0x"}, "ALIBABA_CLOUD_ACCESS_KEY_SECRET in the environment holds U+00A0"),
    ("a token in full-width letters", {"ALIBABA_CLOUD_SECURITY_TOKEN": "\uff54oken"}, "ALIBABA_CLOUD_SECURITY_TOKEN in the environment holds U+FF54"),
    ("a line feed in a secret", {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary\nx"}, "holds U+000A (a control character)"),
    ("a soft hyphen in a role", {"ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/a\u00adb"}, "U+00AD"),
    ("a bucket in the endpoint", {"VOD_MIGRATE_OSS_ENDPOINT": "https://media-archive.oss-cn-shanghai.aliyuncs.com"}, "write https://oss-cn-shanghai.aliyuncs.com"),
    ("a bucket in a dual-stack endpoint", {"VOD_MIGRATE_OSS_ENDPOINT": "https://media-archive.cn-shanghai.oss.aliyuncs.com"}, "names the bucket 'media-archive'"),
    ("a CA bundle that is not there", {"VOD_MIGRATE_OSS_ENDPOINT": "https://127.0.0.1:9", "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}, "names a file that does not exist"),
    ("a SOCKS proxy without PySocks", {"HTTP_PROXY": "socks5://127.0.0.1:9", "http_proxy": "socks5://127.0.0.1:9"}, "pip install pysocks"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "says"), [case[1:] for case in ENVIRONMENTS], ids=[case[0] for case in ENVIRONMENTS]
)
def test_a_mistake_of_the_environment_ends_a_run_at_once(
    shell: Shell, environment: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_fault, "ANSWERED", set())
    shell.environment |= environment
    began = time.monotonic()
    done = shell.run("plan", str(shell.file()))
    assert (done.returncode, says in done.stderr) == (2, True), done
    assert time.monotonic() - began < 10
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize("entry", ["machine 127.0.0.1", "default"])
def test_a_password_for_the_host_in_netrc_does_not_take_the_place_of_the_signature(
    shell: Shell, sandbox: Sandbox, entry: str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    netrc = Path(shell.folder, "netrc")
    netrc.write_text(f"{entry} login somebody password canary\n", encoding="utf-8")
    netrc.chmod(0o600)
    shell.environment["NETRC"] = str(netrc)
    done = shell.run("run", str(shell.file()))
    assert done.returncode == 0, done
    assert list(sandbox.truth(BUCKET)) == ["a.mp4"]


def resolver(number: int, text: str) -> Any:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(number, text)

    return getaddrinfo


def test_a_host_that_does_not_exist_ends_a_run_before_the_first_answer(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.environment["VOD_MIGRATE_OSS_ENDPOINT"] = "http://oss-cn-shangai.aliyuncs.com"
    monkeypatch.setattr(socket, "getaddrinfo", resolver(socket.EAI_NONAME, "Name or service not known"))
    done = shell.run("plan", str(shell.file()))
    assert (done.returncode, "correct the connection's oss_endpoint" in done.stderr) == (2, True), done


@pytest.mark.parametrize(
    "fault", [(socket.EAI_AGAIN, "Temporary failure in name resolution"), (socket.EAI_NONAME, "x")]
)
def test_a_name_that_does_not_resolve_for_now_or_after_an_answer_is_an_outage(
    fault: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number, text = fault
    told = f"Failed to resolve 'oss' ([Errno {number}] {text})"
    monkeypatch.setattr(local_fault, "ANSWERED", {"oss"} if number == socket.EAI_NONAME else set())
    assert local_fault.local_fault(told, endpoint="oss", setting="oss_endpoint") is None


PROFILES = [
    # the file, its content, words of the reason, and what must never be shown
    ("config.json", '\ufeff{"current": "default"}', "config.json", ()),
    ("config.json", '{"current": "other", "profiles": []}', "unable to get profile with 'other'", ()),
    ("config.json", '{"current": "d", "profiles": [{"name": "d", "mode": "Strange"}]}', "unsupported profile mode 'Strange'", ()),
    ("credentials.ini", "[default]\ntype = access_key\naccess_key_id LTAI-canary\n", "parsing errors", ("canary",)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "says", "hidden"), PROFILES)
def test_the_reason_why_a_credential_file_cannot_be_used_is_shown(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, content: str, says: str, hidden: tuple[str, ...]
) -> None:
    for variable in ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        shell.environment.pop(variable)
    shell.environment |= {"VOD_MIGRATE_CREDENTIALS": "default", "HOME": str(shell.folder)}
    folder = Path(shell.folder, ".aliyun" if name == "config.json" else ".alibabacloud")
    folder.mkdir()
    (folder / name).write_text(content, encoding="utf-8")
    for module in ("profile", "cli_profile"):
        monkeypatch.setattr(f"alibabacloud_credentials.provider.{module}.ac.HOME", str(shell.folder), raising=False)
    done = shell.run_process("plan", str(shell.file()))
    assert (done.returncode, says in done.stderr) == (2, True), done
    assert not [text for text in hidden if text in done.stderr]


def test_a_bucket_that_is_only_served_at_its_own_domain_is_final_and_named(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.plan([{"kind": "error", "api": "ListObjects", "code": "PublicEndpointForbidden", "status": 400}])
    began = time.monotonic()
    done = shell.run("plan", str(shell.file()))
    assert (done.returncode, "custom domain of the bucket" in done.stderr) == (2, True), done
    assert time.monotonic() - began < 10
