"""What one answer of OSS comes to, also those that the sandbox does not give."""

from __future__ import annotations

from typing import Any

import oss2
import pytest

from vod_migrate.doctor.oss import OssStatus, _refused, skew_of


def answer(status: int, code: str, **details: str) -> oss2.exceptions.OssError:
    told = {"Code": code, "Message": "words", **details}
    return oss2.exceptions.ServerError(status, {"Date": "Sun, 22 Nov 2026 09:23:11 GMT"}, b"", told)


@pytest.mark.parametrize(
    ("error", "says", "region"),
    [
        # of another region's endpoint: "must be addressed using the specified endpoint"
        (answer(403, "AccessDenied", Endpoint="oss-cn-beijing.aliyuncs.com"), OssStatus.OTHER_REGION, "cn-beijing"),
        (answer(403, "AccessDenied", Endpoint="oss-cn-hangzhou-internal.aliyuncs.com"), OssStatus.OTHER_REGION, "cn-hangzhou"),
        # signed for another region
        (answer(400, "InvalidArgument", Region="cn-shenzhen"), OssStatus.OTHER_REGION, "cn-shenzhen"),
        (answer(403, "AccessDenied"), OssStatus.DENIED, ""),
        (answer(403, "SignatureDoesNotMatch"), OssStatus.BAD_KEYS, ""),
        (answer(403, "SecurityTokenExpired"), OssStatus.BAD_KEYS, ""),
        (answer(403, "RequestTimeTooSkewed"), OssStatus.SKEWED, ""),
        (answer(403, "UserDisable"), OssStatus.SUSPENDED, ""),
        (answer(404, "NoSuchBucket"), OssStatus.NO_BUCKET, ""),
        (answer(503, "ServiceUnavailable"), OssStatus.UNREACHABLE, ""),
        (answer(429, "TooManyRequests"), OssStatus.ODD, ""),
        (answer(400, "InvalidBucketName"), OssStatus.ODD, ""),
        (oss2.exceptions.RequestError(OSError("refused")), OssStatus.UNREACHABLE, ""),
    ],
)  # fmt: skip
def test_an_answer_says_one_thing(error: Any, says: OssStatus, region: str) -> None:
    told = _refused(error)
    assert (told.says, told.region) == (says, region)


@pytest.mark.parametrize("headers", [{}, {"Date": ""}, {"Date": "yesterday"}, {"Date": "99 Foo 2026"}])
def test_an_answer_without_a_readable_date_tells_no_time(headers: dict[str, str]) -> None:
    assert skew_of(headers) is None
