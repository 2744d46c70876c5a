"""What a group of failures says about how much is known."""

from __future__ import annotations

import pytest

from vod_migrate.report.model import FailureGroup


@pytest.mark.parametrize(
    ("group", "unexamined", "why"),
    [
        (FailureGroup(code="file_refused", count=60), 60, "nobody looked"),
        (FailureGroup(code="file_refused", count=60, examined=50), 10, "some were looked at"),
        (FailureGroup(code="file_refused", count=60, examined=60), 0, "all were looked at, in vain"),
        (FailureGroup(code="file_refused", count=60, cause="object_missing"), 0, "the cause was found"),
        (FailureGroup(code="url_too_long", count=60), 0, "the code says why"),
        (FailureGroup(code="SomethingNew", count=60), 60, "a code that nobody knows says nothing"),
    ],
)
def test_what_could_still_be_examined_is_what_has_neither_a_cause_nor_a_code_that_says_why(
    group: FailureGroup, unexamined: int, why: str
) -> None:
    assert group.unexamined == unexamined, why
