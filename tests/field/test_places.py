"""What people write for prefixes, patterns and buckets that can match nothing: refused, or hinted at, with the fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shell import BUCKET, MIGRATION, Shell

from vod_migrate.errors import BadMigrationFile, BadOption
from vod_migrate.migration.loader import load_migration, parse_migration
from vod_migrate.migration.options import parse_options
from vod_migrate.sandbox.pytest_plugin import Sandbox

PREFIXES = [
    # as it is written, and words of the answer
    ("/interviews/", "no key begins with '/': write 'interviews/'"),
    ("//interviews/", "write 'interviews/'"),
    ("\\interviews\\", "no key begins with '\\\\': write 'interviews\\\\'"),
    ("oss://media-archive/interviews/", "is an address, not the beginning of a key: write 'interviews/'"),
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com/interviews/", "write 'interviews/'"),
    ("https://oss-cn-shanghai.aliyuncs.com/media-archive/interviews/", "write 'interviews/'"),
    ("s3://media-archive/interviews/", "write 'interviews/'"),
    ("oss://media-archive", "write ''"),
    ("interviews/*", "a prefix has no wildcards: write 'interviews/'"),
    ("interviews/**/*.mp4", "write 'interviews/' (globs go into select.include"),
    ("*", "write ''"),
    ("/{{ date }}/", "write '{{ date }}/'"),
]


@pytest.mark.parametrize(("prefix", "says"), PREFIXES)
def test_a_prefix_that_matches_nothing_is_refused_with_the_right_one(prefix: str, says: str) -> None:
    with pytest.raises(BadMigrationFile) as told:
        parsed(source={"bucket": BUCKET, "prefixes": [prefix]})
    assert "source.prefixes" in str(told.value)
    assert says in str(told.value)
    with pytest.raises(BadOption) as option:
        parse_options({"prefixes": [prefix]})
    assert says in str(option.value)
    if "{{" not in prefix:
        with pytest.raises(BadMigrationFile) as rule:
            parsed(describe={"rules": [{"prefix": prefix, "title": "x"}]})
        assert says in str(rule.value)


def test_a_prefix_that_begins_with_a_slash_once_it_is_made_is_refused(shell: Shell) -> None:
    file = shell.file({**MIGRATION, "source": {"bucket": BUCKET, "prefixes": ["{{ '/' }}{{ date }}/"]}})
    done = shell.run("plan", str(file), "--date", "2024-05-01")
    assert (done.returncode, "write '2024-05-01/'" in done.stderr) == (2, True), done


PATTERNS = [
    ("interviews/", "a glob is compared with the whole key: write 'interviews/*'"),
    ("oss://media-archive/interviews/*", "write 'interviews/*'"),
    ("re:^/interviews/", "no key begins with '/': write '^interviews/'"),
    # Right before, too: what no cure may break.
    ("/interviews/*", "write 'interviews/*'"),
]


@pytest.mark.parametrize(("pattern", "says"), PATTERNS)
@pytest.mark.parametrize("setting", ["include", "exclude"])
def test_a_pattern_that_matches_nothing_is_refused(pattern: str, says: str, setting: str) -> None:
    with pytest.raises(BadMigrationFile) as told:
        parsed(select={setting: [pattern]})
    assert says in str(told.value)


BUCKETS = [
    ("oss://media-archive", "write media-archive"),
    ("oss://media-archive/interviews/", "write media-archive"),
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com", "write media-archive"),
    ("media-archive.oss-cn-shanghai.aliyuncs.com", "write media-archive"),
    ("https://oss-cn-shanghai.aliyuncs.com/media-archive", "write media-archive"),
    ("media-archive/", "write media-archive"),
    ("Media-Archive", "write media-archive"),
    ("media_archive", "3 to 63 lower-case letters, digits and hyphens"),
    ("https://LTAI5t:canary@media-archive.oss-cn-shanghai.aliyuncs.com", "is not a bucket name"),
]


@pytest.mark.parametrize(("bucket", "says"), BUCKETS)
@pytest.mark.parametrize("setting", ["source.bucket", "source.inventory.bucket"])
def test_an_address_is_no_bucket(bucket: str, says: str, setting: str) -> None:
    inventory = {"bucket": bucket, "manifest": "m.json"} if "inventory" in setting else None
    with pytest.raises(BadMigrationFile) as told:
        parsed(source={"bucket": BUCKET if inventory else bucket, **({"inventory": inventory} if inventory else {})})
    assert f"{setting}: " in str(told.value)
    assert says in str(told.value)
    assert "canary" not in str(told.value)


YAML = [
    # the lines of `describe`, and words of the answer
    ("  title: {{ stem }}", 'put the whole value of line 6 in quotes, because it contains a template: title: "{{ stem }}"'),
    ("  title: {{ folder }}/{{ stem }} # both", 'title: "{{ folder }}/{{ stem }}"'),
    ("  title: {% if size %}a{% endif %}", 'title: "{% if size %}a{% endif %}"'),
    ("  title: Shows: {{ stem }}", 'title: "Shows: {{ stem }}"'),
    ('  title: {{ row["Name"] }}', "title: '{{ row[\"Name\"] }}'"),
    ("  tags:\n    - {{ folder }}", 'put the whole value of line 7 in quotes, because it contains a template: - "{{ folder }}"'),
    ("  tags: [{{ folder }}, film]", 'put the whole value of line 6 in quotes, because it contains a template: as in title: "{{ stem }}"'),
    ('  title: "{{ row["Name"] }}"', "put the whole value of line 6 in quotes"),
    ("  title: '{{ stem }}' (old)", "put the whole value of line 6 in quotes"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "says"), YAML)
def test_a_template_without_quotes_is_shown_with_them(tmp_path: Path, lines: str, says: str) -> None:
    file = tmp_path / "a.yaml"
    text = f"name: n\nsource: {{bucket: {BUCKET}}}\nregister:\n  template_group_id: x\ndescribe:\n{lines}\n"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadMigrationFile) as told:
        load_migration(file)
    assert says in str(told.value)


EMPTY = [
    ("media-archive/films/", "the bucket name is not part of a key: try 'films/'"),
    ("films/ ", "begins or ends with a space"),
    ("films\\2024\\", "folders are separated by '/'"),
    ("%E7%94%B5%E5%BD%B1/", "keys are not percent-encoded"),
    ("./films/", "keys are compared literally"),
    ("cafe\u0301/", "the other Unicode form (NFC or NFD)"),
    ("Films/", "nothing in the bucket begins with 'Films/'"),
]


@pytest.mark.parametrize("empty", [EMPTY[:3], EMPTY[3:5], EMPTY[5:]])
def test_a_plan_names_each_prefix_that_matches_nothing(
    shell: Shell, sandbox: Sandbox, empty: list[tuple[str, str]]
) -> None:
    sandbox.put(BUCKET, "films/a.mp4")
    prefixes = ["films/a", *(prefix for prefix, _ in empty)]
    shown = shell.run("plan", str(shell.file({**MIGRATION, "source": {"bucket": BUCKET, "prefixes": prefixes}})))
    text = " ".join(shown.stdout.split())
    assert text.count("nothing in the bucket begins with") == len(empty), shown
    for _, says in empty:
        assert says in text, shown


def parsed(**settings: Any) -> Any:
    return parse_migration({**MIGRATION, **settings}, origin="test")
