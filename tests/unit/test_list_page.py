"""A page of a listing is the same however its XML is written; as OSS writes it, nobody builds a tree of it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from vod_migrate.cloud import list_page
from vod_migrate.cloud.list_page import read_page

ONE = (
    '<Contents><Key>a/1%2B1%20%E9%87%87.mp4</Key><LastModified>2024-05-01T10:00:00.000Z</LastModified><ETag>"E1"</ETag>'
    "<Type>Multipart</Type><Size>5</Size><StorageClass>Standard</StorageClass></Contents>"
)
OTHER = (
    '<Contents><Key>b.mp4</Key><LastModified>2024-05-02T10:00:00.000Z</LastModified><ETag>"E2"</ETag><Type>Normal</Type>'
    '<Size>6</Size><StorageClass>Archive</StorageClass><RestoreInfo>ongoing-request="true"</RestoreInfo></Contents>'
)
AS_WRITTEN = [
    ("by OSS", ONE + OTHER),
    ("with indents", re.sub("(<(?!/))", r"\n    \1", ONE + OTHER)),
    ("with entities for quotes", re.sub('"(E.)"', r"&quot;\1&quot;", ONE + OTHER)),
    ("without a type", re.sub("<Type>.*?</Type>", "", ONE + OTHER)),
    ("one object", ONE),
    ("no object", ""),
]
OTHERWISE = [
    ("with an owner", ONE.replace("</Contents>", "<Owner><ID>1</ID></Owner></Contents>") + OTHER),
    ("in another order", ONE.replace("<Size>5</Size>", "").replace("<Key>", "<Size>5</Size><Key>") + OTHER),
    ("without an ETag", ONE.replace('<ETag>"E1"</ETag>', "") + OTHER),
    ("with an entity in a key", ONE.replace("a/", "a&amp;b/") + OTHER),
    ("with letters that are not ASCII", ONE.replace("%E9%87%87", "采") + OTHER),
    ("with CDATA", ONE.replace("a/1%2B1%20%E9%87%87.mp4", "<![CDATA[a/1.mp4]]>") + OTHER),
    ("with a comment between", ONE + "<!-- <Contents></Contents> -->" + OTHER),
    ("with something new between", ONE + "<Hint>x</Hint>" + OTHER),
]


def page(objects: str, *, encoded: bool = True) -> Any:
    kind = "<EncodingType>url</EncodingType>" if encoded else ""
    text = f"<ListBucketResult><Prefix></Prefix><IsTruncated>false</IsTruncated>{kind}{objects}<KeyCount>2</KeyCount></ListBucketResult>"
    return SimpleNamespace(body=f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode())


def facts(read: Any) -> Any:
    rows = [(key, modified, etag.strip('"'), size, kind) for key, modified, etag, size, kind in read.object_list]
    return rows, read.restored, read.is_truncated, read.prefix, read.next_continuation_token


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize(
    "objects", [objects for _, objects in AS_WRITTEN + OTHERWISE], ids=[name for name, _ in AS_WRITTEN + OTHERWISE]
)
def test_a_page_is_the_same_with_and_without_a_tree(
    objects: str, encoded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = facts(read_page(page(objects, encoded=encoded)))
    monkeypatch.setattr(list_page, "_WRITTEN", re.compile("(?!)"))
    assert read == facts(read_page(page(objects, encoded=encoded)))
    assert len(read[0]) == len(re.findall("<Key>", objects))


@pytest.mark.parametrize(("objects", "trees"), [(AS_WRITTEN, 0), (OTHERWISE, 1)], ids=["as OSS writes", "otherwise"])
def test_only_what_is_written_otherwise_needs_a_tree(
    objects: list[tuple[str, str]], trees: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    parse = etree.fromstring
    monkeypatch.setattr(etree, "fromstring", lambda text, parser: parsed.append(text) or parse(text, parser))
    for name, text in objects:
        parsed.clear()
        read_page(page(text))
        assert [b"<Contents>" in one for one in parsed] == [bool(trees)], name


@pytest.mark.parametrize(
    "objects",
    [
        ONE + OTHER[:60],
        ONE[:60] + OTHER,
        ONE + "</Contents>" + OTHER,
        ONE + "<Contents" + OTHER,
        ONE + "\x01" + OTHER,
        ONE.replace("b", "\x0b") + OTHER.replace("b.mp4", "\x0b.mp4"),
    ],
)
def test_a_page_that_was_damaged_on_its_way_is_not_read(objects: str) -> None:
    with pytest.raises(etree.XMLSyntaxError):
        read_page(page(objects))
