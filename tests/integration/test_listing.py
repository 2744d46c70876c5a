"""Listing: fast pages equal the SDK's own, cursors resume, and an answer that cannot be true is never a short listing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import oss2
import pytest

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection, connection_from_environment, connection_from_fields
from vod_migrate.cloud.oss import BucketClient, source_error
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.prefix_pages import list_pages
from vod_migrate.errors import (
    BucketMissing,
    ListingBroken,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    VodMigrateError,
)
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the scripted server says. promised: a Content-Length larger than the body breaks the connection off."""

    body: str = ""
    status: int = 200
    promised: int | None = None


def contents(key: str, *, size: str = "5", modified: str = "2024-05-01T10:00:00.000Z") -> str:
    return (
        f"<Contents><Key>{quote(key)}</Key><LastModified>{modified}</LastModified><ETag>&quot;E{size}&quot;</ETag>"
        f"<Type>Normal</Type><Size>{size}</Size><StorageClass>Standard</StorageClass></Contents>"
    )


def page(*keys: str, token: str | None = None, truncated: str | None = None, prefix: str = "a/", more: str = "") -> str:
    goes_on = truncated or ("false" if token is None else "true")
    next_token = "" if token is None else f"<NextContinuationToken>{token}</NextContinuationToken>"
    return (
        f"<ListBucketResult><Name>b</Name><Prefix>{quote(prefix)}</Prefix><EncodingType>url</EncodingType>"
        f"<IsTruncated>{goes_on}</IsTruncated>{next_token}{''.join(map(contents, keys))}{more}</ListBucketResult>"
    )


@contextmanager
def serving(answer: Callable[[str, int], Answer]) -> Iterator[BucketClient]:
    """A bucket whose server answers what `answer` makes of a continuation token and the number of the request."""
    seen: list[str] = []

    class Scripted(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            token = parse_qs(urlsplit(self.path).query).get("continuation-token", [""])[0]
            seen.append(token)
            told = answer(token, len(seen))
            body = told.body.encode()
            self.send_response(told.status)
            self.send_header("Content-Length", str(told.promised or len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = told.promised is not None

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield open_bucket(at(f"http://127.0.0.1:{server.server_port}"), "bbb")
    finally:
        server.shutdown()
        server.server_close()


def at(endpoint: str, **fields: str) -> Connection:
    given = {"access_key_id": "id", "access_key_secret": "secret", "region": "cn-shanghai", "oss_endpoint": endpoint}
    return connection_from_fields({**given, **fields}, origin="test")


def listed(bucket: BucketClient, prefix: str = "a/", **where: str) -> list[ListedPage]:
    return list(list_pages(bucket, prefix, sleep=lambda _: None, **where))


def keys_of(pages: list[ListedPage]) -> list[str]:
    return [found.key for one in pages for found in one.objects]


def test_fast_pages_equal_the_sdks_own_parsing_over_a_dirty_bucket(sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=5_000, dirt=3, seed=11)
    connection = connection_from_environment(sandbox.environment)
    slow = oss2.Bucket(
        oss2.AuthV4(sandbox.access_key_id, sandbox.access_key_secret), sandbox.endpoint, BUCKET, region=sandbox.region
    )
    pages = listed(open_bucket(connection, BUCKET), "")
    assert len(pages) == 5
    token = ""
    for ours in pages:
        theirs = slow.list_objects_v2(continuation_token=token, max_keys=1000)
        token = theirs.next_continuation_token
        assert (ours.cursor or "") == token
        assert [(o.key, o.size, o.etag, int(o.last_modified.timestamp()), o.storage_class) for o in ours.objects] == [
            (o.key, o.size, o.etag, o.last_modified, o.storage_class) for o in theirs.object_list
        ]
    assert keys_of(pages) == list(sandbox.expected(BUCKET))


def test_a_listing_resumed_behind_any_page_gives_the_same_keys(sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=3_500, seed=4)
    bucket = open_bucket(connection_from_environment(sandbox.environment), BUCKET)
    pages = listed(bucket, "")
    for place, one in enumerate(pages[:-1], start=1):
        resumed = listed(bucket, "", after=one.objects[-1].key)
        assert keys_of(pages[:place] + resumed) == keys_of(pages)


@pytest.mark.parametrize("prefix", ["plain/", "a b+c/", "100%/", "节目/2024-", "q?&#/", "emoji 😀/"])
def test_a_prefix_of_any_characters_lists_what_begins_with_it(sandbox: Sandbox, prefix: str) -> None:
    sandbox.put(BUCKET, f"{prefix}film.mp4")
    sandbox.put(BUCKET, "elsewhere/film.mp4")
    assert keys_of(listed(open_bucket(connection_from_environment(sandbox.environment), BUCKET), prefix)) == [
        f"{prefix}film.mp4"
    ]


def test_keys_are_decoded_only_when_the_page_says_that_they_are_encoded() -> None:
    raw = (
        "<ListBucketResult><Prefix>a/</Prefix><IsTruncated>false</IsTruncated><Contents><Key>a/50%25 &amp; x</Key>"
        "<LastModified>2024-05-01T10:00:00.000Z</LastModified><ETag>e</ETag><Size>0</Size><StorageClass>IA</StorageClass>"
        "</Contents></ListBucketResult>"
    )
    with serving(lambda *_: Answer(body=raw)) as bucket:
        (found,) = listed(bucket)[0].objects
    assert (found.key, found.size, found.storage_class) == ("a/50%25 & x", 0, "IA")


def test_an_object_without_an_etag_shifts_nothing_to_its_neighbours() -> None:
    bare = contents("a/1").replace("<ETag>&quot;E5&quot;</ETag>", "")
    with serving(lambda *_: Answer(body=page(more=bare + contents("a/2", size="7")))) as bucket:
        objects = listed(bucket)[0].objects
    assert [(o.key, o.etag, o.size) for o in objects] == [("a/1", "", 5), ("a/2", "E7", 7)]


@pytest.mark.parametrize(
    ("pages", "because"),
    [
        pytest.param({"": page("a/2", "a/1")}, "out of order", id="keys out of order within a page"),
        pytest.param({"": page("a/1", "a/1")}, "out of order", id="one key twice"),
        pytest.param({"": page("a/5", token="t"), "t": page("a/4")}, "out of order", id="a page before the last one"),
        pytest.param({"": page("a/5", token="t"), "t": page("a/5")}, "out of order", id="a repeated page"),
        pytest.param({"": page("a/1", token="t"), "t": page("a/2", token="t")}, "just used", id="a token without end"),
        pytest.param({"": page("b/1")}, "outside the prefix", id="a key outside the prefix"),
        pytest.param(
            {"": page("a/1", truncated="true")}, "returns no token for the next page", id="truncated without a token"
        ),
        pytest.param(
            {"": page("a/1", truncated="perhaps")}, "whether a listing continues", id="neither truncated nor complete"
        ),
        pytest.param({"": "<ListBucketResult/>"}, "whether a listing continues", id="an answer without a word"),
        pytest.param({"": page(prefix="b/")}, "but listed 'b/'", id="an empty page of another prefix"),
        pytest.param({"": page(more=contents("a/1", size="big"))}, "without a size", id="a size that is no number"),
        pytest.param({"": page(more=contents("a/1", size=""))}, "without a size", id="no size"),
        pytest.param({"": page(more=contents("a/1", modified="then"))}, "LastModified", id="a date that is none"),
    ],
)
def test_a_page_that_cannot_be_true_ends_the_listing_at_once(pages: dict[str, str], because: str) -> None:
    asked: list[str] = []

    def answer(token: str, _: int) -> Answer:
        asked.append(token)
        return Answer(body=pages[token])

    with serving(answer) as bucket, pytest.raises(ListingBroken, match=because):
        listed(bucket)
    assert asked == list(pages)


def test_a_resumed_listing_refuses_keys_before_its_beginning() -> None:
    with serving(lambda *_: Answer(body=page("a/3"))) as bucket, pytest.raises(ListingBroken, match="out of order"):
        listed(bucket, after="a/7")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(body="<html><body>Please log in</body></html>"), id="a log-in page that is well-formed"),
        pytest.param(
            Answer(body='<ListBucketResult xmlns="http://s3"><IsTruncated>false</IsTruncated></ListBucketResult>'),
            id="a server that speaks S3",
        ),
        pytest.param(Answer(body="<html><br>"), id="no XML"),
        pytest.param(Answer(body=""), id="nothing"),
        pytest.param(Answer(body=page("a/1")[:120], promised=9_999), id="a connection that breaks within the page"),
        pytest.param(Answer(body=page("a/1")[:120]), id="half a page"),
        pytest.param(Answer(status=503), id="a server error without a word"),
        pytest.param(Answer(status=429), id="too many requests"),
    ],
)
def test_an_answer_that_is_no_listing_is_tried_again_and_never_an_empty_bucket(answer: Answer) -> None:
    with serving(lambda _, number: answer if number < 3 else Answer(body=page("a/1"))) as bucket:
        assert keys_of(listed(bucket)) == ["a/1"]
    with serving(lambda *_: answer) as bucket, pytest.raises(SourceUnavailable):
        listed(bucket)


def test_server_errors_are_waited_out_with_growing_pauses(sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault("http_503", api="ListObjects", count=4)
    pauses: list[float] = []
    bucket = open_bucket(connection_from_environment(sandbox.environment), BUCKET)
    pages = list(list_pages(bucket, "", sleep=pauses.append))
    assert keys_of(pages) == ["a.mp4"]
    assert len(pauses) == 4
    assert all(0 <= pause <= 30 for pause in pauses)


def test_a_server_that_is_gone_is_unavailable_after_eight_tries(sandbox: Sandbox) -> None:
    connection = connection_from_environment(sandbox.environment)
    sandbox.stop()
    pauses: list[float] = []
    with pytest.raises(SourceUnavailable, match="does not respond"):
        list(list_pages(open_bucket(connection, BUCKET), "", sleep=pauses.append))
    assert len(pauses) == 7


@pytest.mark.parametrize(
    ("fields", "bucket", "kind", "says"),
    [
        pytest.param({"access_key_secret": "wrong"}, BUCKET, SourceDenied, "SignatureDoesNotMatch", id="wrong secret"),
        pytest.param({"access_key_id": "nobody"}, BUCKET, SourceDenied, "InvalidAccessKeyId", id="unknown AccessKey"),
        pytest.param({}, "no-such-bucket", BucketMissing, "no-such-bucket", id="a bucket that does not exist"),
    ],
)
def test_a_refusal_is_final_and_names_what_to_check(
    sandbox: Sandbox, fields: dict[str, str], bucket: str, kind: type[VodMigrateError], says: str
) -> None:
    keys = {"access_key_id": sandbox.access_key_id, "access_key_secret": sandbox.access_key_secret}
    with pytest.raises(kind, match=says) as caught:
        listed(open_bucket(at(sandbox.endpoint, **{**keys, **fields}), bucket), "")
    assert sandbox.access_key_secret not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", SourceDenied),
        (403, "SecurityTokenExpired", SourceDenied),
        (403, "UserDisable", SourceDenied),
        (403, "", SourceDenied),
        (403, "RequestTimeTooSkewed", SourceDenied),
        (404, "NoSuchBucket", BucketMissing),
        (404, "", SourceError),
        (400, "InvalidBucketName", SourceError),
        (302, "", SourceError),
        (429, "", SourceUnavailable),
        (500, "InternalError", SourceUnavailable),
        (503, "TotalQpsLimitExceeded", SourceUnavailable),
        (oss2.exceptions.OSS_REQUEST_ERROR_STATUS, "", SourceUnavailable),
    ],
)
def test_what_oss_says_has_one_meaning(status: int, code: str, kind: type[SourceError]) -> None:
    error = oss2.exceptions.ServerError(status, {}, "", {"Code": code, "Message": "because"} if code else {})
    assert type(source_error(error, "list", "bucket 'bbb'", permission="oss:ListObjects")) is kind


def test_a_clock_that_is_wrong_is_said_to_be_the_reason() -> None:
    error = oss2.exceptions.ServerError(403, {}, "", {"Code": "RequestTimeTooSkewed", "Message": "m"})
    assert "clock" in str(source_error(error, "list", "bucket 'bbb'", permission="oss:ListObjects"))
