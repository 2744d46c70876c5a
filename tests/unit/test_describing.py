"""Keys become FileURLs and titles within the documented limits, whatever they hold."""

from __future__ import annotations

import datetime as dt
import unicodedata
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from vod_migrate.describe.describer import Describer
from vod_migrate.describe.file_url import file_url
from vod_migrate.describe.rendering import facts
from vod_migrate.media import Entry, MediaObject, Rejected
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.vod_limits import cut_to_bytes, without_emoji

HOST = "media-archive.oss-cn-shanghai.aliyuncs.com"
KEYS = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=300)
NAUGHTY = "".join(map(chr, range(1, 128)))


def stored(key: str, size: int = 5) -> MediaObject:
    return MediaObject(
        bucket="media-archive", key=key, size=size, etag="E", last_modified=dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    )


def described(key: str, title: str = "{{ stem }}", encoding: str = "percent") -> Entry | Rejected:
    rules = parse_migration(
        {
            "name": "nightly",
            "source": {"bucket": "media-archive"},
            "describe": {"title": title},
            "register": {"template_group_id": "x", "url_encoding": encoding},
        },
        origin="test",
    )
    return Describer(rules, storage_address=HOST).describe(stored(key))


def title_of(key: str, title: str = "{{ stem }}") -> str:
    entry = described(key, title)
    assert isinstance(entry, Entry)
    return entry.description.title


@given(KEYS)
@example(NAUGHTY)
@example("a//b/../c .mp4")
@example("100%25.mp4")
@example("节目/第1集 😀.mp4")
@example("x" * 980)
@example("é" * 200)
def test_any_key_has_a_url_that_decodes_to_it_or_a_refusal_with_a_code(key: str) -> None:
    entry = described(key)
    if isinstance(entry, Rejected):
        assert entry.code == "url_too_long"
        assert len(file_url(HOST, key).encode()) > 1024
        return
    parts = urlsplit(entry.file_url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", HOST, "", "")
    assert unquote(parts.path, errors="strict") == f"/{key}"
    assert entry.file_url.isascii()
    assert len(entry.file_url) <= 1024
    assert entry.key == key


@given(KEYS)
def test_a_raw_url_is_the_key_itself(key: str) -> None:
    assert file_url(HOST, key, encoding="raw") == f"https://{HOST}/{key}"


@pytest.mark.parametrize(("spare", "sent"), [(0, True), (1, False)])
@pytest.mark.parametrize("encoding", ["percent", "raw"])
def test_a_url_of_1024_bytes_is_sent_and_one_more_byte_is_refused(spare: int, encoding: str, *, sent: bool) -> None:
    key = "k" * (1024 - len(f"https://{HOST}/") + spare)
    assert isinstance(described(key, encoding=encoding), Entry) == sent


TEMPLATES = ["{{ stem }}", "{{ key }}", "{{ folder }}", "{{ folders | join(' - ') }} {{ name }}", " ", "\U0001f600"]


@given(KEYS, some.sampled_from(TEMPLATES))
@example("😀.mp4", "{{ stem }}")
@example("film.mp4", "{{ folder }}")
@example("a" + "\u0301" * 200 + ".mp4", "{{ stem }}")
@example("\x01\x02", "{{ stem }}")
@example("/", "{{ stem }}")
@example("\u2028\u2029.mp4", "{{ stem }}")
def test_a_title_always_has_1_to_128_bytes_and_nothing_that_vod_refuses(key: str, template: str) -> None:
    entry = described(key, template)
    if isinstance(entry, Rejected):
        return
    title = entry.description.title
    assert 1 <= len(title.encode()) <= 128
    assert title == title.strip()
    assert without_emoji(title) == title
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in title)


@pytest.mark.parametrize(
    ("key", "template", "title"),
    [
        pytest.param("a/b/film.final.mp4", "{{ stem }}", "film.final", id="only the last extension goes"),
        pytest.param(".mp4", "{{ stem }}", ".mp4", id="a name without a stem stays whole"),
        pytest.param("a/b/x.MP4", "{{ folder }} {{ extension }}", "b MP4", id="the folder is the nearest one"),
        pytest.param("film.mp4", "{{ folder }}", "film", id="an empty title falls back to the name"),
        pytest.param("a\tb\nc.mp4", "{{ stem }}", "a b c", id="control characters become spaces"),
        pytest.param("fun 😀 day.mp4", "{{ stem }}", "fun  day", id="emoji go"),
        pytest.param("😀.m", "{{ stem }}", "U+1F600 U+002E U+006D", id="a name of emoji can be looked up"),
        pytest.param("节" * 60 + ".mp4", "{{ stem }}", "节" * 42, id="cut at a whole character"),
        pytest.param("x" * 127 + "é.mp4", "{{ stem }}", "x" * 127, id="never half a character"),
        pytest.param("x" * 126 + "e\u0301.mp4", "{{ stem }}", "x" * 126 + "é", id="a letter is composed"),
        pytest.param("x" * 126 + "q\u0301.mp4", "{{ stem }}", "x" * 126, id="an accent goes with its letter"),
        pytest.param("a&b<c>.mp4", "{{ stem }}", "a&b<c>", id="nothing is escaped as HTML"),
        pytest.param("a.mp4", "{{ '\\ud800' }}!", "!", id="half a surrogate pair goes"),
    ],
)
def test_a_title_reads_as_its_template_says(key: str, template: str, title: str) -> None:
    assert title_of(key, template) == title


@pytest.mark.parametrize("template", ["{{ 1 // 0 }}", "{{ folders[9].x }}", "{{ stem.nothing }}", "{{ stem() }}"])
def test_a_template_that_fails_for_a_key_refuses_that_object_only(template: str) -> None:
    refusal = described("a.mp4", template)
    assert isinstance(refusal, Rejected)
    assert refusal.code == "title_template"
    assert "describe.title" in refusal.message


@given(some.text(), some.integers(0, 200))
@example("e\u0301", 1)
@example("\u0301\u0301", 2)
def test_cutting_keeps_whole_characters_within_the_bytes(text: str, limit: int) -> None:
    cut = cut_to_bytes(text, limit)
    assert text.startswith(cut)
    assert len(cut.encode()) <= limit
    if len(cut) < len(text):
        assert len(text[: len(cut) + 1].encode()) > limit or unicodedata.combining(
            text[len(cut) + 1 : len(cut) + 2] or "x"
        )
    else:
        assert cut == text


@given(KEYS)
def test_facts_put_the_key_together_again(key: str) -> None:
    known = facts(stored(key))
    assert "/".join([*known["folders"], known["name"]]).lstrip("/") == key.lstrip("/")
    rest = f".{known['extension']}" if known["extension"] else ""
    assert known["name"] in (known["stem"] + rest, f"{known['stem']}.")
