"""SearchMedia and GetVideoList: filters, pages, the limit of 5,000, and ScrollToken beyond it."""

from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from sdk_clients import BUCKET, HOST, refusal_of, vod_client

from vod_migrate.sandbox.pytest_plugin import Sandbox


def search(vod: Client, **request: Any) -> Any:
    return vod.search_media(models.SearchMediaRequest(**request)).body


def titles(body: Any) -> list[str]:
    return [(found.video or found.audio).title for found in body.media_list]


@pytest.fixture
def library(sandbox: Sandbox) -> Sandbox:
    """Twelve films and one song, 00 registered first."""
    for number in range(12):
        sandbox.put(BUCKET, f"{number:02}.mp4")
        sandbox.import_media(BUCKET)
    sandbox.put(BUCKET, "song.mp3")
    sandbox.import_media(BUCKET)
    return sandbox


def test_only_ids_times_and_types_come_unasked(library: Sandbox, vod: Client) -> None:
    body = search(vod, page_size=1)
    [found] = body.media_list
    assert (body.total, found.media_type, found.audio) == (12, "video", None)
    assert found.media_id == library.truth(BUCKET)["11.mp4"].media_id == found.video.video_id
    assert (found.video.title, found.video.status) == (None, None)
    assert titles(search(vod, page_size=3, fields="Title,Status")) == ["11.mp4", "10.mp4", "09.mp4"]


def test_audio_is_searched_by_itself(library: Sandbox, vod: Client) -> None:
    body = search(vod, search_type="audio", fields="Title")
    assert (body.total, titles(body)) == (1, ["song.mp3"])
    assert body.media_list[0].audio.audio_id == library.truth(BUCKET)["song.mp3"].media_id
    assert search(vod, search_type="image").media_list == []


@pytest.mark.usefixtures("library")
def test_pages_add_up_in_both_orders(vod: Client) -> None:
    for order, expected in (("Desc", range(11, -1, -1)), ("Asc", range(12))):
        pages = [
            titles(search(vod, page_no=number, page_size=5, fields="Title", sort_by=f"CreationTime:{order}"))
            for number in (1, 2, 3, 4)
        ]
        assert [len(page) for page in pages] == [5, 5, 2, 0]
        assert [title for page in pages for title in page] == [f"{number:02}.mp4" for number in expected]


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("Title = '07'", ["07.mp4"]),
        ("Title in ('01', '02')", ["02.mp4", "01.mp4"]),
        ("Title = '0' and Title = '3'", ["03.mp4"]),
        ("(Title = '03' or Title = '04') and Status = 'Normal'", ["04.mp4"]),
        ("Status in ('Blocked')", ["03.mp4"]),
        ('ReferenceId = "it\'s-5"', ["05.mp4"]),
        ("CateId = 1000000001", ["06.mp4"]),
        ("Size = [7000, 8000]", ["07.mp4"]),
        ("Size = (7000, 8000)", []),
        ("StorageLocation = 'elsewhere'", []),
        (f"StorageLocation='{HOST}' AND Title='11'", ["11.mp4"]),
        ("CreationTime = ('2000-01-01T00:00:00Z', '2001-01-01T00:00:00Z')", []),
    ],
)
def test_match_speaks_the_search_protocol(library: Sandbox, vod: Client, match: str, found: list[str]) -> None:
    library.change_media(BUCKET, "03.mp4", status="Blocked")
    library.change_media(BUCKET, "05.mp4", reference_id="it's-5")
    library.change_media(BUCKET, "06.mp4", cate_id=library.add_category("News"))
    library.change_media(BUCKET, "07.mp4", size=7_000)
    body = search(vod, match=match, fields="Title")
    assert (titles(body), body.total) == (found, len(found))


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"match": "Title"}, id="no comparison"),
        pytest.param({"match": "Colour = 'red'"}, id="unknown field"),
        pytest.param({"match": "Title = 'a' 'b'"}, id="too much"),
        pytest.param({"match": "Title = 'a"}, id="open quote"),
        pytest.param({"match": "(Title = 'a'"}, id="open parenthesis"),
        pytest.param({"match": "Title = ['a', 'b']"}, id="a range of texts"),
        pytest.param({"match": "CateId = 'a'"}, id="no number"),
        pytest.param({"fields": "Colour"}, id="unknown return field"),
        pytest.param({"search_type": "film"}, id="unknown type"),
        pytest.param({"sort_by": "Size:Desc"}, id="unknown order"),
        pytest.param({"page_size": 101}, id="too large a page"),
        pytest.param({"page_size": 100, "page_no": 51}, id="beyond 5,000"),
        pytest.param({"scroll_token": "0" * 32}, id="unknown token"),
    ],
)
def test_a_bad_search_is_refused(vod: Client, request_: dict[str, Any]) -> None:
    assert refusal_of(vod.search_media, models.SearchMediaRequest(**request_)) == (400, "InvalidParameter")


@pytest.fixture(scope="module")
def large() -> Any:
    with Sandbox.start(quotas={"SearchMedia": None, "GetVideoList": None}) as sandbox:
        sandbox.generate(BUCKET, 5_250, dirt=0)
        assert sandbox.import_media(BUCKET) == 5_250
        yield sandbox


@pytest.fixture
def large_vod(large: Sandbox) -> Client:
    return vod_client(large)


def test_a_scroll_token_reads_everything_beyond_5_000(large: Sandbox, large_vod: Client) -> None:
    seen: list[str] = []
    token = None
    for number in range(1, 54):
        body = search(large_vod, page_no=number, page_size=100, scroll_token=token)
        assert body.total == 5_250
        assert len(body.scroll_token) == 32
        seen += [found.media_id for found in body.media_list]
        token = body.scroll_token
    expected = [row.media_id for row in large.truth(BUCKET).values()]
    assert seen == expected[::-1]


def test_a_scroll_goes_at_most_100_media_from_its_page(large_vod: Client) -> None:
    pages = {number: search(large_vod, page_no=number, page_size=20) for number in (1, 4, 6, 9)}
    token = pages[4].scroll_token

    def ids(body: Any) -> list[str]:
        return [found.media_id for found in body.media_list]

    for number in (1, 4, 6, 9):
        assert ids(search(large_vod, page_no=number, page_size=20, scroll_token=token)) == ids(pages[number])
    too_far = models.SearchMediaRequest(page_no=10, page_size=20, scroll_token=token)
    assert refusal_of(large_vod.search_media, too_far) == (400, "InvalidParameter")
    other = models.SearchMediaRequest(page_no=5, page_size=20, scroll_token=token, match="Title = 'a'")
    assert refusal_of(large_vod.search_media, other) == (400, "InvalidParameter")


def test_a_scroll_is_not_disturbed_by_what_is_registered_and_deleted_meanwhile(library: Sandbox, vod: Client) -> None:
    first = search(vod, page_size=4, fields="Title")
    library.put(BUCKET, "new.mp4")
    library.import_media(BUCKET)
    library.delete_media(BUCKET, "09.mp4")
    library.delete_media(BUCKET, "06.mp4")
    second = search(vod, page_size=4, page_no=2, fields="Title", scroll_token=first.scroll_token)
    assert titles(second) == ["07.mp4", "05.mp4", "04.mp4", "03.mp4"]
    assert second.total == 11


def test_the_video_list_has_filters_of_its_own(library: Sandbox, vod: Client) -> None:
    def listed(**request: Any) -> list[str]:
        body = vod.get_video_list(models.GetVideoListRequest(page_size=100, **request)).body
        assert body.total == len(body.video_list.video)
        return [video.title for video in body.video_list.video]

    category = library.add_category("News")
    library.change_media(BUCKET, "03.mp4", status="Blocked")
    library.change_media(BUCKET, "05.mp4", reference_id="reference-5", cate_id=category)
    everything = ["song.mp3", *(f"{number:02}.mp4" for number in range(11, -1, -1))]
    assert listed() == everything
    assert listed(sort_by="CreationTime:Asc") == everything[::-1]
    assert listed(status="Blocked,Transcoding") == ["03.mp4"]
    assert listed(cate_id=category) == listed(reference_ids="reference-5,other-1") == ["05.mp4"]
    assert listed(storage_location=HOST) == everything
    assert listed(storage_location="elsewhere") == []
    assert listed(start_time="2000-01-01T00:00:00Z", end_time="2001-01-01T00:00:00Z") == []


def test_the_video_list_ends_at_5_000(large_vod: Client) -> None:
    last = large_vod.get_video_list(models.GetVideoListRequest(page_no=50, page_size=100)).body
    assert (last.total, len(last.video_list.video)) == (5_250, 100)
    beyond = models.GetVideoListRequest(page_no=51, page_size=100)
    assert refusal_of(large_vod.get_video_list, beyond) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    "request_",
    [
        {"status": "Fine"},
        {"page_size": 101},
        {"start_time": "yesterday"},
        {"start_time": "2001-01-01T00:00:00Z", "end_time": "2000-01-01T00:00:00Z"},
        {"reference_ids": ",".join(f"ref-{number:04}" for number in range(21))},
    ],
)
def test_a_bad_video_list_is_refused(vod: Client, request_: dict[str, Any]) -> None:
    assert refusal_of(vod.get_video_list, models.GetVideoListRequest(**request_)) == (400, "InvalidParameter")
