from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import oss2
import pytest
import requests
from sdk_clients import BUCKET, Register
from typer.testing import CliRunner

from vod_migrate.sandbox.cli import sandbox_app
from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import DatasetConfig, Settings

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "sandbox.md"


@contextmanager
def serving(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "vod_migrate.sandbox", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def invoke(sandbox: Sandbox, *arguments: str) -> Any:
    result = CliRunner().invoke(sandbox_app, list(arguments), env={"VOD_MIGRATE_SANDBOX_URL": sandbox.endpoint})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.alone
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_when_it_is_ready_and_stops_though_a_client_hangs(
    tmp_path: Path, stop: signal.Signals
) -> None:
    ready_file = tmp_path / "ready.json"
    with serving("--objects", "50", "--seed", "3", "--json", "--ready-file", str(ready_file)) as process:
        ready = first_line(process)
        assert json.loads(ready_file.read_text()) == ready
        assert ready["pid"] == process.pid
        environment = ready["environment"]
        auth = oss2.Auth(environment["ALIBABA_CLOUD_ACCESS_KEY_ID"], environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
        bucket = oss2.Bucket(auth, environment["VOD_MIGRATE_OSS_ENDPOINT"], BUCKET)
        assert len(bucket.list_objects_v2().object_list) == 50
        # A client that hangs in a fault must not keep the process alive.
        requests.post(ready["control"] + "faults", json={"kind": "timeout", "seconds": 60}, timeout=5)
        with socket.create_connection(("127.0.0.1", int(ready["endpoint"].rsplit(":", 1)[1]))) as hanging:
            target = bucket.sign_url("GET", "a.mp4", 60).removeprefix(ready["endpoint"])
            hanging.sendall(f"GET {target} HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode())
            while "GetObject" not in requests.get(ready["control"] + "counters", timeout=5).json():
                time.sleep(0.01)
            process.send_signal(stop)
            # Half as long as the fault.
            assert process.wait(timeout=30) == 0


def test_people_get_export_lines_that_a_shell_understands() -> None:
    with serving("serve") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip() for _ in range(12)]
    exports = [line for line in lines if line.startswith("export ")]
    script = "\n".join([*exports, "env"])
    environment = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    ).stdout
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI-sandbox\n" in environment
    assert re.search(r"^VOD_MIGRATE_VOD_ENDPOINT=http://127\.0\.0\.1:\d+$", environment, re.MULTILINE)


def test_a_file_describes_a_whole_sandbox(tmp_path: Path) -> None:
    config = tmp_path / "sandbox.yaml"
    config.write_text(re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)[0])
    with serving("serve", "--config", str(config), "--json") as process:
        ready = first_line(process)
        assert ready["buckets"] == ["media-archive", "raw-footage"]
        settings = requests.get(ready["control"] + "settings", timeout=5).json()
        assert settings["quotas"]["RegisterMedia"] == 20
        counted = requests.get(ready["control"] + "expected?bucket=media-archive", timeout=20).text.count("\n")
        assert counted == 20_000


def test_options_of_the_server_hold_before_the_command_and_behind_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with serving("--port", port, "--json", "serve") as process:
        assert first_line(process)["endpoint"] == f"http://127.0.0.1:{port}"
    refused = CliRunner().invoke(sandbox_app, ["--port", port, "counters", "--url", "http://127.0.0.1:9"])
    assert (refused.exit_code, "--port is an option of serve" in refused.output) == (2, True), refused.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("settings: {latency: 5}", "settings.latency: Extra inputs are not permitted"),
        ("buckets: [{name: a, generate: {count: -1}}]", "buckets.0.generate.count"),
        ("a: [", "is not YAML"),
        ("buckets: [{name: a_b}]", "buckets.0.name"),
    ],
)
def test_a_bad_file_is_one_message_that_names_the_field(tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "sandbox.yaml"
    config.write_text(text)
    result = CliRunner().invoke(sandbox_app, ["serve", "--config", str(config)])
    assert result.exit_code == 2
    assert words in result.output
    assert str(config) in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("buckets: [{name: abc, account: '9'}]", "There is no account '9'"),
        ("accounts: [{uid: '1'}, {uid: '2'}]", "Access key LTAI-sandbox belongs to account 1"),
        ("accounts: [{uid: '1', categories: [{name: n, parent: 7}]}]", "category 7 does not exist"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "sandbox.yaml"
    config.write_text(text)
    result = CliRunner().invoke(sandbox_app, ["serve", "--config", str(config)])
    assert result.exit_code == 2
    assert words in result.output


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(sandbox_app, ["--port", port])
    assert result.exit_code == 2
    assert f"Port {port} cannot be used" in result.output


def test_the_commands_talk_to_a_running_sandbox(sandbox: Sandbox, register: Register) -> None:
    sandbox.put(BUCKET, "a.mp4")
    register("a.mp4")
    assert json.loads(invoke(sandbox, "settings", "latency_ms=5", "failed_form=json"))["latency_ms"] == 5
    assert sandbox.settings().failed_form == "json"
    assert json.loads(invoke(sandbox, "fault", "http_503", "api=RegisterMedia", "rate=0.1")) == {"number": 1}
    assert json.loads(invoke(sandbox, "fault"))[0]["rate"] == 0.1
    assert json.loads(invoke(sandbox, "fault", "--remove", "1")) == {"removed": 1}
    assert json.loads(invoke(sandbox, "fault", "--clear")) == {"removed": 0}
    assert json.loads(invoke(sandbox, "counters"))["RegisterMedia"]["files"] == 1
    invoke(sandbox, "counters", "--reset")
    assert json.loads(invoke(sandbox, "counters")) == {}
    [row] = [json.loads(line) for line in invoke(sandbox, "truth", "--bucket", BUCKET).splitlines()]
    assert (row["key"], row["registrations"]) == ("a.mp4", 1)
    [row] = [json.loads(line) for line in invoke(sandbox, "truth", "--expected", "--bucket", BUCKET).splitlines()]
    assert row == {"key": "a.mp4", "size": 40, "storage_class": "Standard", "missing": False, "content": "mp4"}
    made = json.loads(invoke(sandbox, "bucket", "raw-footage", "in_vod=false", 'generate={"count": 7}'))
    assert (made["in_vod"], made["generate"]["count"]) == (False, 7)
    assert [found["name"] for found in json.loads(invoke(sandbox, "bucket"))] == [BUCKET, "raw-footage"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["settings", "latency=5"], "latency: Extra inputs are not permitted"),
        (["settings", "latency_ms"], "NAME=VALUE"),
        (["fault", "resett"], "kind: there is no such kind of fault: did you mean 'reset'?"),
        (["fault", "reset", "rate=7"], "rate: Input should be less than or equal to 1 (it is 7)"),
        (["truth", "--bucket", "nothing"], "There is no bucket 'nothing'"),
        (["truth", "--expected"], "?bucket=NAME"),
    ],
)
def test_a_bad_command_is_refused_with_the_reason(sandbox: Sandbox, arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(sandbox_app, arguments, env={"VOD_MIGRATE_SANDBOX_URL": sandbox.endpoint})
    assert result.exit_code == 2
    assert words in result.output


def test_without_a_sandbox_a_command_says_how_to_start_one() -> None:
    result = CliRunner().invoke(sandbox_app, ["counters", "--url", "http://127.0.0.1:9"])
    assert result.exit_code == 2
    assert "vod-migrate sandbox serve" in result.output


def test_the_control_api_makes_accounts_and_categories_and_knows_its_routes(sandbox: Sandbox) -> None:
    url = f"{sandbox.endpoint}/_sandbox"
    assert requests.get(f"{url}/health", timeout=5).json() == {"status": "ok", "buckets": [BUCKET]}
    account = {"uid": "2", "credentials": [{"access_key_id": "new", "access_key_secret": "s"}]}
    assert requests.post(f"{url}/accounts", json=account, timeout=5).status_code == 200
    shown = requests.get(f"{url}/accounts", timeout=5).text
    assert '"uid": "2"' in shown
    assert "sandbox-secret" not in shown
    category = requests.post(f"{url}/categories?account=2", json={"name": "News", "id": 5}, timeout=5).json()
    assert (category["CateId"], category["Level"]) == (5, 0)
    again = requests.post(f"{url}/categories?account=2", json={"name": "News", "id": 5}, timeout=5)
    assert again.status_code == 409
    unknown = requests.get(f"{url}/nothing", timeout=5)
    assert unknown.status_code == 404
    assert "GET counters" in unknown.json()["error"]
    assert requests.post(f"{url}/faults", data=b"{", timeout=5).status_code == 400


@pytest.mark.alone
def test_the_fixture_starts_and_stops_in_50_ms() -> None:
    taken = []
    for _ in range(10):
        started = time.perf_counter()
        with Sandbox.start() as sandbox:
            assert requests.get(f"{sandbox.endpoint}/_sandbox/health", timeout=5).ok
        taken.append(time.perf_counter() - started)
    # The quickest, since a busy machine can only make it slower.
    assert min(taken) < 0.05


def test_the_sandbox_imports_nothing_else_of_the_package() -> None:
    source = Path(sys.modules["vod_migrate.sandbox"].__file__ or "").parent
    imports = re.findall(
        r"^\s*(?:from|import) (vod_migrate[\w.]*)",
        "\n".join(path.read_text() for path in source.rglob("*.py")),
        re.MULTILINE,
    )
    assert imports
    assert {name for name in imports if not name.startswith("vod_migrate.sandbox")} == set()


@pytest.mark.parametrize("model", [Settings, FaultConfig, DatasetConfig])
def test_every_setting_is_in_the_manual(model: type[Settings | FaultConfig | DatasetConfig]) -> None:
    text = DOCS.read_text()
    names = [field.serialization_alias or name for name, field in model.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in text] == []
