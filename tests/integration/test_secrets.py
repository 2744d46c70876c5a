"""AccessKey secrets, security tokens, signatures and database passwords stay where they are: in no log, error, report or row."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from databases import Databases
from leaks import leaks_in, leaks_in_database, leaks_in_files
from rigging import BUCKET, Rig

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection, connection_from_environment, connection_from_fields
from vod_migrate.discover.prefix_pages import list_pages
from vod_migrate.doctor.checklist import CheckStatus
from vod_migrate.doctor.services import connection_checks
from vod_migrate.errors import StoreUnreachable, VodMigrateError
from vod_migrate.media import Batch, Description, Entry
from vod_migrate.migration.registration import Register
from vod_migrate.register.client import RegisterMediaClient
from vod_migrate.report.files import write_report
from vod_migrate.results.address import read_address
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import AccountConfig, CredentialConfig, SandboxConfig

SECRET, TOKEN, PASSWORD = "canary-of-the-accesskey", "canary-of-the-token", "canary-of-the-database"
WRONG_SECRET = "canary-of-a-wrong-accesskey"


@pytest.fixture
def guarded() -> Iterator[Sandbox]:
    """A sandbox that takes only temporary credentials, with a secret and a token that are easy to find."""
    user = CredentialConfig(access_key_id="STS.canary", access_key_secret=SECRET, security_token=TOKEN)
    with Sandbox.start(SandboxConfig(accounts=[AccountConfig(credentials=[user])])) as running:
        yield running


@pytest.fixture
def echo() -> Iterator[str]:
    """A service that refuses every signature, and quotes the whole request to explain why, as the real ones do."""

    class Quoting(BaseHTTPRequestHandler):
        def answer(self) -> None:
            quoted = "\n".join(f"{name.lower()}:{value}" for name, value in self.headers.items())
            if self.headers.get("x-acs-action"):
                said = f"Specified signature does not match. server CanonicalRequest is [POST\n/\n\n{quoted}]"
                kind, body = (
                    "application/json",
                    json.dumps({"Code": "SignatureDoesNotMatch", "Message": said, "RequestId": "R"}),
                )
            else:
                signature = self.headers.get("authorization", "").rpartition("Signature=")[2]
                kind = "application/xml"
                body = (
                    f"<Error><Code>SignatureDoesNotMatch</Code><Message>{quoted}</Message>"
                    f"<SignatureProvided>{signature}</SignatureProvided><CanonicalRequest>{quoted}</CanonicalRequest></Error>"
                )
            self.send_response(403)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quoting)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def quoting(endpoint: str) -> Connection:
    fields = {
        "access_key_id": "STS.canary",
        "access_key_secret": SECRET,
        "security_token": TOKEN,
        "region": "cn-shanghai",
    }
    return connection_from_fields({**fields, "oss_endpoint": endpoint, "vod_endpoint": endpoint}, origin="test")


def test_a_whole_run_with_faults_leaves_no_secret_in_debug_logs_rows_or_reports(
    guarded: Sandbox, store: Store, caplog: pytest.LogCaptureFixture, tmp_path: Path, database_url: str
) -> None:
    caplog.set_level(logging.DEBUG)
    for number in range(30):
        guarded.put(BUCKET, f"{number}.mp4")
    for kind in ("reset", "http_500", "html_502", "throttle"):
        guarded.fault(kind, api="RegisterMedia", count=1)
    guarded.fault("http_503", api="ListObjects", count=1)
    rig = Rig(store, connection_from_environment(guarded.environment), guarded)
    summary = rig.run()
    assert summary.counts.registered + summary.counts.already_registered == 30
    write_report(store, summary.run_id, tmp_path)
    told = [record.name for record in caplog.records]
    assert {"urllib3.connectionpool"} <= set(told), "nothing was logged at DEBUG, so nothing was looked at"
    assert leaks_in(caplog.text) == []
    assert leaks_in_database(database_url) == []
    assert list(leaks_in_files(tmp_path)) == []


def test_a_run_whose_signature_is_refused_repeats_none_of_its_secrets(
    guarded: Sandbox, store: Store, caplog: pytest.LogCaptureFixture, database_url: str
) -> None:
    caplog.set_level(logging.DEBUG)
    guarded.put(BUCKET, "a.mp4")
    wrong = {**guarded.environment, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": WRONG_SECRET}
    summary = Rig(store, connection_from_environment(wrong), guarded).run()
    assert summary.error is not None
    assert leaks_in(f"{summary} {summary.error!r} {summary.as_json()} {caplog.text}") == []
    assert leaks_in_database(database_url) == []


def test_services_that_quote_the_request_are_not_repeated_word_for_word(
    echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = quoting(echo)
    said = [repr(connection), str(connection.credentials)]
    address = connection.storage_address(BUCKET)
    entry = Entry(key="a.mp4", file_url=f"https://{address}/a.mp4", description=Description(title="a"))
    client = RegisterMediaClient(connection, Register(template_group_id="VOD_NO_TRANSCODE"))
    for act in (
        lambda: client.register(Batch(storage_address=address, entries=(entry,))),
        lambda: next(iter(list_pages(open_bucket(connection, BUCKET), "", sleep=lambda _: None))),
    ):
        with pytest.raises(VodMigrateError) as caught:
            act()
        said.append(str(caught.value))
    checks = connection_checks(connection)
    assert {check.verdict for check in checks} == {CheckStatus.FAILED}
    told = " ".join(check.answer for check in checks)
    assert "SignatureDoesNotMatch" in told
    assert all("SignatureDoesNotMatch" in text for text in said[2:])
    assert leaks_in("\n".join([*said, told, caplog.text])) == []


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://postgres:{PASSWORD}@127.0.0.1:1/none",
        f"postgresql://postgres:{PASSWORD}@no-such-host.invalid/none",
        f"postgresql://postgres:{PASSWORD}%ZZ@127.0.0.1/none",
        f"postgresql://postgres:{PASSWORD} x@127.0.0.1/none",
        f"postgresql://postgres:{PASSWORD}@127.0.0.1:port/none",
        f"postgresql://postgres@127.0.0.1:1/none?password={PASSWORD}&sslmod=1",
        f"mysql://root:{PASSWORD}@127.0.0.1/none",
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(VodMigrateError) as caught:
        Store.open(read_address(url, origin="VOD_MIGRATE_DATABASE_URL"), patience=0.1)
    assert leaks_in(f"{caught.value!r} {caplog.text}") == []


def test_a_database_that_goes_away_later_is_told_without_its_password(
    database_url: str, databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"{database_url}&password={PASSWORD}"
    with Store.open(url, patience=0.2, wait=0.5) as store:
        with (
            databases.away(database_url),
            pytest.raises(StoreUnreachable) as caught,
        ):
            store.run("a-run")
        assert leaks_in(f"{caught.value!r} {store!r} {caplog.text}") == []


def test_a_traceback_of_a_bug_in_a_verbose_process_shows_no_secret(
    guarded: Sandbox, tmp_path: Path, database_url: str
) -> None:
    file = tmp_path / "migration.yaml"
    register = {"template_group_id": "VOD_NO_TRANSCODE"}
    file.write_text(json.dumps({"name": "n", "source": {"bucket": BUCKET}, "register": register}), encoding="utf-8")
    bug = (
        "import sys; from vod_migrate.cli import app; from vod_migrate.run import prepare as room\n"
        "def prepare(**everything): raise RuntimeError(f'a bug with {everything}')\n"
        "room.prepare = prepare; sys.argv = ['vod-migrate', '--verbose', 'run', sys.argv[1]]; app.main()"
    )
    url = f"{database_url}&password={PASSWORD}"
    done = subprocess.run(
        [sys.executable, "-c", bug, str(file)],
        env={**os.environ, **guarded.environment, "VOD_MIGRATE_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "a bug with" in done.stderr
    assert "connection" in done.stderr
    assert leaks_in(done.stdout + done.stderr) == []


def test_a_leak_fails_its_test_and_a_secret_in_a_file_fails_the_session(tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    (tmp_path / "conftest.py").symlink_to(tests / "conftest.py")
    secret = f"watched-{time.monotonic_ns()}"
    (tmp_path / "test_inner.py").write_text(
        "import logging, os, subprocess, sys\n"
        "secret = os.environ['VOD_MIGRATE_TEST_SECRET']\n"
        "def test_prints(): print(secret)\n"
        "def test_logs(): logging.getLogger().warning(secret)\n"
        "def test_waits(): subprocess.run([sys.executable, '-c', f'print({secret!r})'], capture_output=True)\n"
        "def test_writes(tmp_path): (tmp_path / 'report.csv').write_text(secret)\n"
        "def test_is_silent(): pass\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}",
         f"--basetemp={tmp_path / 'base'}", "test_inner.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tests / "support"), "VOD_MIGRATE_TEST_SECRET": secret}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    for name in ("test_prints", "test_logs", "test_waits"):
        assert f"FAILED test_inner.py::{name}" in done.stdout
    assert "3 failed, 2 passed" in done.stdout
    assert "secrets in files" in done.stdout
    assert "report.csv" in done.stdout
