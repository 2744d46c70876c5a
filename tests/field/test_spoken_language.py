"""What a command shows in the language of its locale, and what it shows alike in every one."""

from __future__ import annotations

import re

from shell import BUCKET, Shell

from vod_migrate.sandbox.pytest_plugin import Sandbox

CHINESE = re.compile("[\u4e00-\u9fff]")


def test_reports_plans_and_progress_follow_the_locale_and_json_does_not(shell: Shell, sandbox: Sandbox) -> None:
    for name in ("a.mp4", "b.mp4", "c.txt"):
        sandbox.put(BUCKET, name)
    sandbox.fault("fail_files", api="RegisterMedia", key="b.mp4")
    file, reports = str(shell.file()), str(shell.folder / "reports")
    shell.environment["LC_ALL"] = "zh_CN.UTF-8"

    planned = shell.run("plan", file)
    ran = shell.run("run", file, "--report-dir", reports)

    assert "1 次调用发送 2 个对象" in planned.stdout
    assert "已注册 1 个对象" in ran.stdout
    assert "迁移任务 'nightly'" in ran.stderr
    (page,) = (shell.folder / "reports").glob("*.html")
    assert '<html lang="zh-CN"' in page.read_text()
    for command in (
        ["status"],
        ["report", "nightly"],
        ["diagnose", "nightly", "--all"],
        ["verify", "nightly"],
        ["doctor", file],
        ["explain", f"{BUCKET}/b.mp4"],
        ["reconcile", file],
        ["update", file],
        ["restore", file],
    ):
        spoken, english = shell.run(*command), shell.run("--language", "en", *command)
        assert CHINESE.search(spoken.stdout), command
        assert not CHINESE.search(english.stdout + english.stderr), command
        assert not CHINESE.search(shell.run(*command, "--json").stdout), command

    done, refused = shell.run("rate", "nightly", "none"), shell.run("cancel", "nightly")
    assert "没有单独的上限" in done.stdout
    assert (refused.returncode, "已结束" in refused.stderr) == (2, True), refused


def test_an_output_that_cannot_show_chinese_gets_english(shell: Shell) -> None:
    shell.environment["LC_ALL"] = "zh_CN.GB18030"
    assert "尚无运行" in shell.run("status", encoding="gb18030").stdout
    assert "no runs yet" in shell.run("status", encoding="ascii").stdout
    assert "no runs yet" in shell.run("--language", "zh-CN", "status", encoding="latin-1").stdout
    refused = shell.run("--language", "de", "status"), shell.run("plan", "a.yaml", "--mode", "some")
    assert [one.returncode for one in refused] == [2, 2]
    assert "Invalid value for '--language': 'de' is not one of 'en', 'zh-CN'." in refused[0].stderr
    assert "Invalid value for '--mode': 'some' is not one of" in refused[1].stderr
