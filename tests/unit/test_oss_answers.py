"""What one answer of OSS comes to, also those that the sandbox does not give."""

from __future__ import annotations

from typing import Any

import oss2
import pytest

from vod_migrate.cloud.local_fault import skew_of
from vod_migrate.cloud.oss import source_error
from vod_migrate.cloud.oss_reason import OssReason
from vod_migrate.errors import BucketMissing, EndpointRefused, SourceDenied, SourceError, SourceUnavailable


def answer(status: int, code: str, **details: str) -> oss2.exceptions.OssError:
    told = {"Code": code, "Message": "words", **details}
    return oss2.exceptions.ServerError(status, {"Date": "Sun, 22 Nov 2026 09:23:11 GMT"}, b"", told)


@pytest.mark.parametrize(
    ("error", "kind", "reason", "region"),
    [
        # of another region's endpoint: "must be addressed using the specified endpoint"
        (answer(403, "AccessDenied", Endpoint="oss-cn-beijing.aliyuncs.com"), EndpointRefused, OssReason.OTHER_REGION, "cn-beijing"),
        (answer(403, "AccessDenied", Endpoint="oss-cn-hangzhou-internal.aliyuncs.com"), EndpointRefused, OssReason.OTHER_REGION, "cn-hangzhou"),
        # signed for another region
        (answer(400, "InvalidArgument", Region="cn-shenzhen"), EndpointRefused, OssReason.OTHER_REGION, "cn-shenzhen"),
        (answer(403, "AccessDenied"), SourceDenied, OssReason.DENIED, ""),
        (answer(403, "SignatureDoesNotMatch"), SourceDenied, OssReason.BAD_KEYS, ""),
        (answer(403, "SecurityTokenExpired"), SourceDenied, OssReason.BAD_KEYS, ""),
        (answer(403, "RequestTimeTooSkewed"), SourceDenied, OssReason.SKEWED, ""),
        (answer(403, "UserDisable"), SourceDenied, OssReason.SUSPENDED, ""),
        (answer(404, "NoSuchBucket"), BucketMissing, OssReason.NO_BUCKET, ""),
        (answer(503, "ServiceUnavailable"), SourceUnavailable, OssReason.UNREACHABLE, ""),
        (answer(429, "TooManyRequests"), SourceUnavailable, OssReason.UNREACHABLE, ""),
        (answer(400, "InvalidBucketName"), SourceError, OssReason.OTHER, ""),
        (oss2.exceptions.RequestError(OSError("refused")), SourceUnavailable, OssReason.UNREACHABLE, ""),
    ],
)  # fmt: skip
def test_an_answer_says_one_thing(error: Any, kind: type[SourceError], reason: OssReason, region: str) -> None:
    told = source_error(error, "list", "bucket 'media'", permission="oss:ListObjects on the bucket")
    assert (type(told), told.reason, told.region) == (kind, reason, region)
    assert "list bucket 'media'" in str(told)


@pytest.mark.parametrize("headers", [{}, {"Date": ""}, {"Date": "yesterday"}, {"Date": "99 Foo 2026"}])
def test_an_answer_without_a_readable_date_tells_no_time(headers: dict[str, str]) -> None:
    assert skew_of(headers) is None
