"""The doctor names each of the prepared misconfigurations, and calls nothing failed that is fine."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.doctor.checklist import Checklist, CheckStatus
from vod_migrate.doctor.doctor import ORDER, examine
from vod_migrate.migration.loader import parse_migration
from vod_migrate.rate.limiter import API
from vod_migrate.report.language import CHINESE
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP

BUCKET = "media-archive"
CHINESE_CHARACTER = re.compile("[\u4e00-\u9fff]")


class Patient:
    """A whole configuration that is well, until a test changes something about it."""

    def __init__(self, sandbox: Sandbox, database_url: str, folder: Path) -> None:
        self.sandbox = sandbox
        self.database_url = database_url
        self.folder = folder
        self.environment = dict(sandbox.environment)
        self.content: dict[str, Any] = {
            "name": "nightly",
            "source": {"bucket": BUCKET, "prefixes": ["interviews/"]},
            "register": {"template_group_id": DEFAULT_GROUP},
            "describe": {
                "category": "Shows/{{ folder }}",
                "cover_url": "covers/{{ stem }}.jpg",
                "cover_if_exists": True,
            },
        }
        sandbox.put(BUCKET, "interviews/a.mp4")
        sandbox.add_category("Shows")

    def examine(self) -> Checklist:
        return examine(
            migration=lambda: parse_migration(self.content, origin="test"),
            connection=lambda: connection_from_environment(self.environment),
            database_url=lambda: self.database_url,
        )

    def source(self, **source: Any) -> None:
        self.content["source"] = {"bucket": BUCKET, **source}

    def describe(self, **describe: Any) -> None:
        self.content["describe"] = describe

    def deny(self, *actions: str) -> None:
        self.sandbox.account(deny=list(actions))


@pytest.fixture
def patient(sandbox: Sandbox, database_url: str, tmp_path: Path) -> Patient:
    return Patient(sandbox, database_url, tmp_path)


def assert_chinese(checklist: Checklist) -> None:
    """Each sentence that a Chinese reader sees is Chinese; what is wrong with a migration file is said in English."""
    for check in checklist.checks:
        wrong = check.verdict in (CheckStatus.WARNING, CheckStatus.FAILED)
        shown = (check.answer, check.fix, check.tried if wrong else "")
        english = [text for text in shown if " " in text and not CHINESE_CHARACTER.search(CHINESE.translate(text))]
        assert english == [] or check.name in ("file", "source")


def verdicts(checklist: Checklist, verdict: CheckStatus) -> set[str]:
    return {check.name for check in checklist.checks if check.verdict is verdict}


def test_a_sound_configuration_is_well_in_every_check_and_nothing_is_changed(patient: Patient) -> None:
    began = time.monotonic()
    checklist = patient.examine()
    assert {check.name: check.verdict for check in checklist.checks} == dict.fromkeys(ORDER, CheckStatus.OK)
    assert checklist.exit_code == 0
    assert_chinese(checklist)
    assert time.monotonic() - began < 10
    assert patient.sandbox.truth(BUCKET) == {}
    assert patient.sandbox.counters()["RegisterMedia"]["ok"] == 0
    with Store.open(patient.database_url, connections=1) as store:
        assert store.quotas() == []


def database_away(patient: Patient) -> None:
    patient.database_url = "postgresql://nobody@127.0.0.1:1/none"


def database_not_migrated(patient: Patient) -> None:
    with psycopg.connect(patient.database_url, autocommit=True) as connection:
        connection.execute("drop schema vod_migrate cascade")


def database_too_new(patient: Patient) -> None:
    with psycopg.connect(patient.database_url, autocommit=True) as connection:
        connection.execute("update vod_migrate.version set version = 9999")


def other_pace(patient: Patient) -> None:
    with Store.open(patient.database_url, connections=1) as store:
        store.keep_quota("default", API, 30.0)
    patient.environment["VOD_MIGRATE_CALLS_PER_SECOND"] = "20"


def broken_manifest(patient: Patient) -> None:
    table = patient.folder / "media.csv"
    table.write_text("url,size\nhttps://x/y,1\n", encoding="utf-8")
    patient.source(manifest={"location": str(table)})


def truncated_manifest(patient: Patient) -> None:
    table = patient.folder / "media.csv.gz"
    table.write_bytes(gzip.compress(b"key\n" + b"a.mp4\n" * 1000)[:40])
    patient.source(manifest={"location": str(table)})


def inventory_elsewhere(patient: Patient) -> None:
    told = {"sourceBucket": "another", "fileFormat": "CSV", "fileSchema": "Bucket, Key", "files": []}
    patient.sandbox.put(BUCKET, "inventory/manifest.json", json.dumps(told).encode())
    patient.source(inventory={"manifest": f"oss://{BUCKET}/inventory/manifest.json"})


MISCONFIGURATIONS: list[tuple[str, Callable[[Patient], Any], str, int, str]] = [
    # what is wrong, how it is made, the check that names it, the exit code, words of its answer or fix
    ("wrong region", lambda p: p.environment.update(VOD_MIGRATE_REGION="cn-beijing"), "region", 2, "cn-shanghai"),
    ("no list permission", lambda p: p.deny("oss:ListObjects"), "list", 3, "allow oss:ListObjects"),
    ("unknown template group", lambda p: p.content.update(register={"template_group_id": "0" * 32}), "template_group", 2, "0" * 32),
    ("clock 20 minutes ahead", lambda p: p.sandbox.settings(clock_offset_s=-1200), "clock", 3, "20 minutes (ahead)"),
    ("clock 20 minutes behind", lambda p: p.sandbox.settings(clock_offset_s=1200), "clock", 3, "20 minutes (behind)"),
    ("unknown bucket", lambda p: p.content.update(source={"bucket": "media-archvie"}), "bucket", 2, "media-archvie"),
    ("wrong secret", lambda p: p.environment.update(ALIBABA_CLOUD_ACCESS_KEY_SECRET="wrong"), "credentials", 3, "SignatureDoesNotMatch"),
    ("unknown AccessKey", lambda p: p.environment.update(ALIBABA_CLOUD_ACCESS_KEY_ID="LTAI-nobody"), "credentials", 3, "InvalidAccessKeyId"),
    ("no permission to register", lambda p: p.deny("vod:RegisterMedia"), "register", 3, "allow vod:RegisterMedia"),
    ("VOD not activated", lambda p: p.sandbox.account(activated=False), "account", 3, "activate VOD"),
    ("account suspended", lambda p: p.sandbox.account(suspended=True), "account", 3, "overdue"),
    ("database away", database_away, "database", 4, "VOD_MIGRATE_DATABASE_URL"),
    ("database not migrated", database_not_migrated, "schema", 2, "db upgrade"),
    ("database too new", database_too_new, "schema", 2, "upgrade vod-migrate"),
    ("another pace than the account's", other_pace, "quota", 2, "30 calls per second"),
    ("no workflow id", lambda p: p.content.update(register={"workflow_id": "637ADC2B"}), "workflow", 2, "637ADC2B"),
    ("a category that is not there", lambda p: p.describe(category="Films/{{ folder }}"), "categories", 2, "'Films'"),
    ("a CateId that is not there", lambda p: p.describe(cate_id=42), "categories", 2, "'42'"),
    ("categories may not be read", lambda p: p.deny("vod:GetCategories"), "categories", 3, "vod:GetCategories"),
    ("covers may not be looked for", lambda p: p.deny("oss:GetObject"), "covers", 3, "oss:GetObject"),
    ("a manifest that is not there", lambda p: p.source(manifest={"location": "/nowhere/a.csv"}), "source", 2, "/nowhere/a.csv"),
    ("a manifest in OSS that is not there", lambda p: p.source(manifest={"location": f"oss://{BUCKET}/a.csv"}), "source", 2, "a.csv does not exist"),
    ("a manifest without its column", broken_manifest, "source", 2, "key"),
    ("a manifest that breaks off", truncated_manifest, "source", 2, "media.csv.gz"),
    ("another bucket's inventory", inventory_elsewhere, "source", 2, "'another'"),
    ("no permission to verify", lambda p: p.content.update(verify={}) or p.deny("vod:BatchGetMediaInfos"), "playback", 3, "vod:BatchGetMediaInfos"),
    ("no permission to look at the first objects", lambda p: p.content.update(first={}) or p.deny("vod:BatchGetMediaInfos"), "playback", 3, "vod:BatchGetMediaInfos"),
    ("a file that cannot be used", lambda p: p.content.update(register={}), "file", 2, "choice of transcoding"),
    ("no region", lambda p: p.environment.pop("VOD_MIGRATE_REGION"), "connection", 2, "VOD_MIGRATE_REGION"),
    ("no provider", lambda p: [p.environment.pop(n) for n in list(p.environment) if "ACCESS_KEY" in n] and p.environment.update(VOD_MIGRATE_CREDENTIALS="oidc_role_arn"), "credentials", 2, "oidc_role_arn"),
    ("OSS endpoint dead", lambda p: p.environment.update(VOD_MIGRATE_OSS_ENDPOINT="http://127.0.0.1:1"), "oss", 4, "oss_endpoint"),
    ("VOD endpoint dead", lambda p: p.environment.update(VOD_MIGRATE_VOD_ENDPOINT="http://127.0.0.1:1"), "vod", 4, "vod_endpoint"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "check", "exit_code", "words"),
    [case[1:] for case in MISCONFIGURATIONS],
    ids=[case[0] for case in MISCONFIGURATIONS],
)
def test_a_misconfiguration_is_named_and_nothing_else_fails(
    patient: Patient, make: Callable[[Patient], Any], check: str, exit_code: int, words: str
) -> None:
    make(patient)
    checklist = patient.examine()
    assert verdicts(checklist, CheckStatus.FAILED) == {check}, checklist.as_text()
    assert checklist.exit_code == exit_code
    [named] = checklist.failures
    assert words in f"{named.answer} {named.fix}"
    assert named.tried
    assert named.fix
    assert_chinese(checklist)
    assert patient.sandbox.truth(BUCKET) == {}


@pytest.mark.parametrize(
    ("denied", "unchecked"),
    [
        ("vod:GetTranscodeTemplateGroup", {"template_group"}),
        ("vod:GetMezzanineInfo", {"lookup"}),
        ("oss:GetBucketLocation", set()),
        ("vod:BatchGetMediaInfos", set()),
    ],
)
def test_a_permission_that_only_a_check_needs_is_missed_without_failing(
    patient: Patient, denied: str, unchecked: set[str]
) -> None:
    patient.deny(denied)
    checklist = patient.examine()
    assert (verdicts(checklist, CheckStatus.FAILED), verdicts(checklist, CheckStatus.NOT_CHECKED)) == (set(), unchecked)
    assert checklist.exit_code == 0


def test_a_manifest_needs_no_permission_to_list(patient: Patient) -> None:
    table = patient.folder / "media.csv"
    table.write_text("key\ninterviews/a.mp4\n", encoding="utf-8")
    patient.source(manifest={"location": str(table)})
    patient.deny("oss:ListObjects", "oss:GetBucketLocation")
    checklist = patient.examine()
    assert verdicts(checklist, CheckStatus.FAILED) == set()
    assert verdicts(checklist, CheckStatus.NOT_CHECKED) == {"bucket", "region", "list"}


def test_several_misconfigurations_are_named_at_once_and_the_lowest_code_counts(patient: Patient) -> None:
    database_away(patient)
    patient.content["register"] = {"template_group_id": "0" * 32}
    patient.deny("oss:ListObjects")
    checklist = patient.examine()
    assert verdicts(checklist, CheckStatus.FAILED) == {"database", "template_group", "list"}
    assert checklist.exit_code == 2


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(-240, CheckStatus.OK), (-420, CheckStatus.WARNING), (420, CheckStatus.WARNING)]
)
def test_a_clock_that_is_off_by_less_than_is_refused_is_a_warning(
    patient: Patient, seconds: float, verdict: CheckStatus
) -> None:
    patient.sandbox.settings(clock_offset_s=seconds)
    checklist = patient.examine()
    assert next(check for check in checklist.checks if check.name == "clock").verdict is verdict
    assert checklist.exit_code == 0


def test_a_prefix_with_nothing_under_it_and_a_pace_above_the_documented_one_are_warnings(patient: Patient) -> None:
    patient.source(prefixes=["Interviews/"])
    with Store.open(patient.database_url, connections=1) as store:
        store.keep_quota("default", API, 80.0)
    checklist = patient.examine()
    assert verdicts(checklist, CheckStatus.WARNING) == {"list", "quota"}
    assert checklist.exit_code == 0


def test_connections_that_share_a_quota_because_neither_names_its_account_are_a_warning(patient: Patient) -> None:
    with Store.open(patient.database_url, connections=1) as store:
        store.keep_quota("default", API, 47.0)
    for number, (origin, connection) in enumerate(
        [("cli", "vod_default"), ("airflow", "vod_default"), ("airflow", "vod_default"), ("airflow", "vod_beijing")]
    ):
        assert verdicts(patient.examine(), CheckStatus.WARNING) == set(), "one connection shares with nobody"
        with psycopg.connect(patient.database_url, autocommit=True) as database:
            database.execute(
                "insert into vod_migrate.migrations (account, name) values ('default', %s)", (f"m{number}",)
            )
            database.execute(
                "insert into vod_migrate.runs (run_id, migration_id, source_id, queue_no, region, mode, options, spec, spec_digest, origin) "
                "select %s, migration_id, 1, 1, 'cn-shanghai', 'new', '{}', %s, '', %s from vod_migrate.migrations where name = %s",
                (f"r{number}", json.dumps({"connection": connection}), origin, f"m{number}"),
            )
    checklist = patient.examine()
    assert verdicts(checklist, CheckStatus.WARNING) == {"quota"}
    assert "vod_beijing, vod_default" in checklist.as_text()
    patient.environment["VOD_MIGRATE_ACCOUNT"] = "production"
    assert verdicts(patient.examine(), CheckStatus.WARNING) == set()


def test_a_dated_prefix_is_checked_for_today(patient: Patient) -> None:
    patient.source(prefixes=["interviews/{{ date }}/"])
    assert patient.examine().exit_code == 0


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for one in kept:
            one.close()


def test_servers_that_never_answer_do_not_hang_the_doctor(patient: Patient, silent: str) -> None:
    patient.environment |= {"VOD_MIGRATE_OSS_ENDPOINT": silent, "VOD_MIGRATE_VOD_ENDPOINT": silent}
    patient.database_url = f"postgresql://nobody@{silent.removeprefix('http://')}/none"
    began = time.monotonic()
    checklist = patient.examine()
    assert time.monotonic() - began < 40
    assert verdicts(checklist, CheckStatus.FAILED) == {"database", "oss", "vod"}
    assert checklist.exit_code == 4


def test_the_text_names_the_fix_and_moves_no_cursor(patient: Patient) -> None:
    patient.content["register"] = {"template_group_id": "\x1b[2Jgroup"}
    text = patient.examine().as_text()
    assert "\x1b" not in text
    assert "FAILED   template_group" in text
    assert "fix:   copy the ID" in text
    assert "1 failed" in text


def test_the_json_has_every_check(patient: Patient) -> None:
    patient.deny("vod:RegisterMedia")
    told = json.loads(json.dumps(patient.examine().as_json()))
    assert [check["check"] for check in told["checks"]] == list(ORDER)
    assert (told["ok"], told["exit_code"]) == (False, 3)
    [named] = [check for check in told["checks"] if check["verdict"] == "failed"]
    assert (named["check"], named["error"]) == ("register", "Denied")


OUTPUTS: list[tuple[str, dict[str, Any], dict[str, str], CheckStatus, str]] = [
    # the check, the file's part, the environment, what it says
    ("export", {"to": "{file}/inside/"}, {}, CheckStatus.WARNING, "is not a folder"),
    ("export", {"to": "{folder}/{{{{ date }}}}/tables/"}, {}, CheckStatus.OK, "creates it in"),
    ("export", {"to": "oss://media-archive/tables/"}, {}, CheckStatus.OK, "oss://media-archive/tables/ is writable"),
    ("export", {"to": "oss://no-such-bucket/"}, {}, CheckStatus.WARNING, "no-such-bucket"),
    ("notify", {"to": "dingtalk"}, {}, CheckStatus.WARNING, "set VOD_MIGRATE_WEBHOOK_OPS"),
    ("notify", {"to": "feishu"}, {"OPS": "open.feishu.cn/x"}, CheckStatus.WARNING, "VOD_MIGRATE_WEBHOOK_OPS is not the URL"),
    ("notify", {"to": "wecom"}, {"OPS": "https://oapi.dingtalk.com/robot/send?access_token=c0ffee-secret"}, CheckStatus.WARNING, "a robot of dingtalk"),
    ("notify", {"to": "webhook"}, {"OPS": "https://ops.example.com/hook"}, CheckStatus.OK, "valid form"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "part", "environment", "verdict", "words"), OUTPUTS)
def test_where_tables_go_and_messages_are_sent_is_checked_and_nothing_is_made_or_sent(
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    part: dict[str, str],
    environment: dict[str, str],
    verdict: CheckStatus,
    words: str,
) -> None:
    file = patient.folder / "a-file"
    file.touch()
    for channel, url in environment.items():
        monkeypatch.setenv(f"VOD_MIGRATE_WEBHOOK_{channel}", url)
    if name == "export":
        patient.content["export"] = {"to": part["to"].format(file=file, folder=patient.folder)}
    else:
        patient.content["notify"] = [{"channel": "ops", **part}]
    before = set(patient.sandbox.expected(BUCKET))
    checklist = patient.examine()
    check = next(check for check in checklist.checks if check.name == name)
    assert (check.verdict, words in check.answer) == (verdict, True), check
    assert_chinese(checklist)
    assert checklist.exit_code == 0, "a run would work"
    assert "c0ffee" not in checklist.as_text()
    assert set(patient.sandbox.expected(BUCKET)) == before
    assert [path.name for path in patient.folder.iterdir()] == ["a-file"]


def test_an_export_that_may_not_be_written_or_given_up_says_which_permission_is_missing(patient: Patient) -> None:
    patient.content["export"] = {"to": f"oss://{BUCKET}/tables/"}
    for action, words in (
        ("oss:PutObject", "allow oss:PutObject"),
        ("oss:AbortMultipartUpload", "AbortMultipartUpload"),
    ):
        patient.deny(action)
        check = next(check for check in patient.examine().checks if check.name == "export")
        assert (check.verdict, words in check.fix) == (CheckStatus.WARNING, True), check
