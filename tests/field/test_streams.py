"""Layouts of HLS and DASH as packagers really write them: which files are parts of a stream, and which are films.

A row a case: its name, the objects with the text of the playlists (None: it cannot be read), the parts by reason, and what is only suspected.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import partial

import pytest
from shell import BUCKET, MIGRATION, Shell

from vod_migrate.discover.held_pages import settled_pages
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.stream_text import StreamText, folder_of, read_text
from vod_migrate.discover.streams import Streams, is_playlist
from vod_migrate.media import MediaObject
from vod_migrate.sandbox.pytest_plugin import Sandbox

VOD = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n{}\n#EXT-X-ENDLIST\n"
LIVE = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n{}\n"
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n"
MPD = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>{}</AdaptationSet></Period></MPD>'


def segments(*names: str) -> str:
    return VOD.format("\n".join(f"#EXTINF:6,\n{name}" for name in names))


def template(media: str, initialization: str) -> str:
    return MPD.format(
        f'<SegmentTemplate media="{media}" initialization="{initialization}"/><Representation id="v1" bandwidth="800000"/>'
    )


LAYOUTS: list[tuple[str, dict[str, str | None], set[str], set[str]]] = [
    (
        "segments in a folder below",
        {"a/index.m3u8": segments("ts_files/0001.ts", "ts_files/0002.ts"), "a/ts_files/0001.ts": "", "a/ts_files/0002.ts": ""},
        {"a/ts_files/0001.ts", "a/ts_files/0002.ts"}, set(),
    ),
    (
        "segments in a folder before the playlist",
        {"a/frags/1.ts": "", "a/index.m3u8": segments("frags/1.ts")}, {"a/frags/1.ts"}, set(),
    ),
    (
        "segments in a folder beside",
        {"a/m/index.m3u8": segments("../seg/1.ts"), "a/seg/1.ts": ""}, {"a/seg/1.ts"}, set(),
    ),
    (
        "packed audio",
        {"radio/live.m3u8": LIVE.format("#EXTINF:6,\nseg7.aac"), "radio/seg0.aac": "", "radio/seg7.aac": "", "radio/jingle.aac": ""},
        {"radio/seg0.aac", "radio/seg7.aac"}, set(),
    ),
    (
        "packed audio before its playlist",
        {"radio/a-0.aac": "", "radio/a-1.aac": "", "radio/b.mp3": "", "radio/z.m3u8": segments("a-0.aac", "a-1.aac")},
        {"radio/a-0.aac", "radio/a-1.aac"}, set(),
    ),
    (
        "fragmented MP4 of one file",
        {"a/main.m3u8": segments("main.mp4").replace("#EXTINF", '#EXT-X-MAP:URI="main.mp4",BYTERANGE="719@0"\n#EXTINF'), "a/main.mp4": ""},
        {"a/main.mp4"}, set(),
    ),
    (
        "fragmented MP4 called .mp4",
        {"a/f.m3u8": segments("v/0.mp4", "v/1.mp4").replace("#EXTINF", '#EXT-X-MAP:URI="v/head.mp4"\n#EXTINF'), "a/v/0.mp4": "", "a/v/1.mp4": "", "a/v/head.mp4": "", "a/film.mp4": ""},
        {"a/v/0.mp4", "a/v/1.mp4", "a/v/head.mp4"}, set(),
    ),
    (
        "a master that names its variants",
        {"a/master.m3u8": MASTER.format("v1/index.m3u8"), "a/seg/1.ts": "", "a/v1/index.m3u8": segments("../seg/1.ts")},
        {"a/seg/1.ts"}, set(),
    ),
    (
        "addresses of the bucket, encoded and signed",
        {"a/x.m3u8": segments("https://media-archive.oss-cn-shanghai.aliyuncs.com/a/%E4%B8%80/1.ts?sign=x", "/b/2.ts#t"), "a/一/1.ts": "", "b/2.ts": ""},
        {"a/一/1.ts", "b/2.ts"}, set(),
    ),
    (
        "addresses of another bucket",
        {"a/x.m3u8": segments("https://cdn.example.com/a/1.mp4"), "a/1.mp4": ""}, set(), set(),
    ),
    (
        "a key that is called like media, and subtitles",
        {"a/x.m3u8": segments("1.ts").replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="enc.dat"\n#EXTINF'), "a/1.ts": "", "a/enc.dat": "", "a/de.vtt": ""},
        {"a/1.ts", "a/enc.dat"}, set(),
    ),
    (
        "a list of films is no stream",
        {"films/all.m3u8": "#EXTM3U\n#EXTINF:-1,One\n1.ts\n#EXTINF:-1,Two\n2.mp4\n", "films/1.ts": "", "films/2.mp4": ""},
        set(), set(),
    ),
    (
        "a film beside a stream that does not name it",
        {"a/film.ts": "", "a/x.m3u8": segments("1.ts"), "a/1.ts": ""}, {"a/1.ts"}, {"a/film.ts"},
    ),
    (
        "segments with names at random",
        {"a/x.m3u8": segments("kqzu.ts", "bmwo.ts"), "a/bmwo.ts": "", "a/kqzu.ts": ""}, {"a/bmwo.ts", "a/kqzu.ts"}, set(),
    ),
    (
        "DASH with segments below",
        {"a/stream.mpd": template("v/$RepresentationID$/seg-$Number%05d$.mp4", "v/$RepresentationID$/init.mp4"), "a/v/v1/init.mp4": "", "a/v/v1/seg-00001.mp4": "", "a/film.mp4": ""},
        {"a/v/v1/init.mp4", "a/v/v1/seg-00001.mp4"}, set(),
    ),
    (
        "DASH with a list of segments",
        {"a/m.mpd": MPD.format('<Representation id="1"><BaseURL>x/</BaseURL><SegmentList><Initialization sourceURL="i.mp4"/><SegmentURL media="s1.mp4"/></SegmentList></Representation>'), "a/x/i.mp4": "", "a/x/s1.mp4": "", "a/x/film.mp4": ""},
        {"a/x/i.mp4", "a/x/s1.mp4"}, set(),
    ),
    (
        "DASH on demand: whole tracks",
        {"a/m.mpd": MPD.format('<Representation id="1"><BaseURL>video.mp4</BaseURL><SegmentBase indexRange="0-9"/></Representation>'), "a/video.mp4": ""},
        set(), {"a/video.mp4"},
    ),
    (
        "HLS and DASH that share their segments",
        {"a/m.mpd": template("$Number$.mp4", "init.mp4"), "a/x.m3u8": segments("1.mp4"), "a/1.mp4": "", "a/init.mp4": ""},
        {"a/1.mp4", "a/init.mp4"}, set(),
    ),
    # By layout, where the text cannot be read.
    ("unreadable: beside", {"a/x.m3u8": None, "a/seg.ts": "", "a/init.mp4": "", "a/film.mp4": ""}, {"a/seg.ts", "a/init.mp4"}, set()),
    ("unreadable: below", {"a/x.m3u8": None, "a/ts/0001.ts": "", "a/ts/film.ts": ""}, {"a/ts/0001.ts"}, {"a/ts/film.ts"}),
    ("unreadable: two below", {"a/0.m3u8": None, "a/b/c/0001.ts": "", "a/b/c/1.mp4": ""}, set(), {"a/b/c/0001.ts"}),
    ("unreadable: packed audio", {"a/x.m3u8": None, "a/seg0.aac": "", "a/track1.aac": "", "a/song.aac": ""}, {"a/seg0.aac"}, {"a/track1.aac"}),
    ("unreadable: DASH", {"a/x.mpd": None, "a/chunk-1.mp4": "", "a/init-0.mp4": "", "a/film.mp4": ""}, {"a/chunk-1.mp4", "a/init-0.mp4"}, set()),
    ("no playlist at all", {"a/1.ts": "", "a/seg1.mp4": "", "b/x.m3u8": None}, set(), set()),
    ("not a playlist inside", {"a/x.m3u8": "<html>", "a/1.ts": ""}, {"a/1.ts"}, set()),
    ("a playlist without segments", {"a/x.m3u8": "#EXTM3U\n#EXT-X-VERSION:3\n", "a/1.ts": ""}, {"a/1.ts"}, set()),
    ("broken XML", {"a/x.mpd": "<MPD", "a/init.mp4": ""}, {"a/init.mp4"}, set()),
]  # fmt: skip


@pytest.mark.parametrize("most", [0, 50])
@pytest.mark.parametrize("size", [1, 1_000])
@pytest.mark.parametrize(
    ("bucket", "parts", "suspects"), [case[1:] for case in LAYOUTS], ids=[case[0] for case in LAYOUTS]
)
def test_a_layout(bucket: dict[str, str | None], parts: set[str], suspects: set[str], size: int, most: int) -> None:
    """Whatever the pages: with `most` 0 none is held back, so OSS is asked."""
    told = list(judged(bucket, size=size, most=most))
    found = {key for page in told for key in page.parts}
    assert (found, {key for page in told for key in page.suspects}) == (parts, suspects)


def test_the_reason_is_that_of_the_stream() -> None:
    reasons = {}
    for _, bucket, _, _ in LAYOUTS:
        for page in judged(bucket, size=1_000):
            reasons |= {key: reason for key, reason in page.parts.items() if "mpd" in "".join(bucket)}
    assert set(reasons.values()) == {"dash_segment", "hls_segment"}
    assert reasons["a/v/v1/init.mp4"] == "dash_segment"
    assert reasons["a/1.mp4"] == "hls_segment", "a playlist that can be registered goes first"


def test_so_many_texts_are_read_and_no_more() -> None:
    bucket: dict[str, str | None] = {f"{n:03}/x.m3u8": segments("1.ts") for n in range(50)}
    bucket |= {f"{n:03}/1.ts": "" for n in range(50)} | {f"{n:03}/film.ts": "" for n in range(50)}
    read: list[str] = []
    told = list(judged(bucket, size=1_000, texts=10, read=read))
    assert len(read) == 10
    assert sum(len(page.suspects) for page in told) == 10, "their films are known to be none of theirs"
    assert sum(len(page.parts) for page in told) == 50 + 40, "of the rest the layout tells"


TEXTS: list[tuple[str, bytes, bool, bool]] = [
    ("one byte order mark", b"\xef\xbb\xbf" + segments("1.ts").encode(), True, True),
    ("carriage returns", segments("1.ts").replace("\n", "\r\n").encode(), True, True),
    ("another encoding", segments("节目1.ts").encode("gbk"), True, True),
    ("compressed as it is stored", gzip.compress(segments("1.ts").encode()), True, True),
    ("compressed, and far larger than it looks", gzip.compress(b" " * (1 << 24)), True, False),
    ("half of it compressed", gzip.compress(segments("1.ts").encode())[:6], True, False),
    ("only its beginning", segments("1.ts", "2.ts").encode()[:-20], False, True),
    ("a live one", LIVE.format("#EXTINF:6,\n1.ts").encode(), True, True),
    ("nothing", b"", True, False),
    ("a picture", b"\x89PNG\r\n\x1a\n\x00", True, False),
    ("above the top of the bucket", segments("../../../1.ts").encode(), True, True),
    ("an address that is none", segments("http://[::1").encode(), True, True),
]


@pytest.mark.parametrize(("raw", "whole", "says"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_a_text_says_something_or_nothing(raw: bytes, whole: bool, says: bool) -> None:
    assert read_text("a/x.m3u8", raw, bucket=BUCKET, whole=whole).says_something is says


def test_a_plan_counts_parts_and_shows_suspects(shell: Shell, sandbox: Sandbox) -> None:
    stored(sandbox)
    made = json.loads(shell.run("plan", str(shell.file()), "--json").stdout)
    assert {one["reason"]: one["count"] for one in made["left_out"]} == {"hls_segment": 2, "extension": 2}
    assert {one["reason"]: one["samples"] for one in made["hints"]} == {"looks_segment": ["a/film.ts"]}
    assert made["to_send"] == 2


def test_where_the_texts_may_not_be_read_the_layout_tells(shell: Shell, sandbox: Sandbox) -> None:
    stored(sandbox)
    sandbox.fault("error", api="GetObject", code="AccessDenied")
    made = json.loads(shell.run("plan", str(shell.file()), "--json").stdout)
    assert {one["reason"]: one["count"] for one in made["left_out"]} == {"hls_segment": 3, "extension": 2}


def test_a_manifest_and_leftovers_are_judged_alike(shell: Shell, sandbox: Sandbox) -> None:
    stored(sandbox)
    listed = [key for key in sandbox.expected(BUCKET) if not key.endswith("m3u8")]
    shell.folder.joinpath("list.csv").write_text("\n".join(["key", *listed, "a/index.m3u8"]))
    source = {"bucket": BUCKET, "manifest": {"location": "list.csv"}}
    made = json.loads(shell.run("plan", str(shell.file({**MIGRATION, "source": source})), "--json").stdout)
    assert {one["reason"]: one["count"] for one in made["left_out"]} == {"hls_segment": 2, "extension": 2}

    sandbox.fault("error", api="RegisterMedia", code="Forbidden")
    everything = str(shell.file({**MIGRATION, "select": {"hls": "all"}}))
    assert shell.run("run", everything).returncode == 3
    sandbox.clear_faults()
    assert shell.run("run", str(shell.file())).returncode == 0
    assert set(sandbox.truth(BUCKET)) == {"a/index.m3u8", "a/film.ts"}


def stored(sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a/index.m3u8", segments("ts_files/0001.ts", "ts_files/0002.ts").encode())
    for key in ("a/ts_files/0001.ts", "a/ts_files/0002.ts", "a/film.ts", "a/enc.key", "a/de.vtt"):
        sandbox.put(BUCKET, key, b"x")


def judged(
    bucket: dict[str, str | None], *, size: int, most: int = 50, texts: int = 5_000, read: list[str] | None = None
) -> Iterator[ListedPage]:
    def told(key: str) -> StreamText | None:
        if read is not None:
            read.append(key)
        text = bucket.get(key)
        return None if text is None else read_text(key, text.encode(), bucket=BUCKET, whole=True)

    def look(keys: list[str], folder: str, _whole: bool) -> list[str]:
        return [key for key in keys if folder_of(key) == folder and is_playlist(key)]

    keys = sorted(bucket)
    streams = Streams(read=told, most=texts)
    return settled_pages(paged(keys, size), streams=streams, look=partial(look, keys), most=most)


def paged(keys: list[str], size: int) -> Iterator[ListedPage]:
    for begin in range(0, len(keys), size):
        objects = tuple(
            MediaObject(bucket=BUCKET, key=key, size=1, etag="E", last_modified=None)
            for key in keys[begin : begin + size]
        )
        yield ListedPage(objects=objects, cursor=str(begin + size) if begin + size < len(keys) else None)
