"""The kinds of faults: what each does, what it hits, and its own fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["delay", "call", "reply", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault.

    level: delay (all that hit add up), call (only the first that hits applies, and there is no proper reply), reply (all
    that hit change the reply, one after another), file (single files of a RegisterMedia call).
    forms: the variants, the default first. fields: those besides the common ones. apis: the APIs that it applies to; empty
    means all. timed: whether it can hit before and after the effect.
    """

    level: Level
    what: str
    forms: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    apis: tuple[str, ...] = ()
    timed: bool = False


_REGISTER: Final = ("RegisterMedia",)
_LIST: Final = ("ListObjects",)

KINDS: Final[dict[str, Kind]] = {
    "latency": Kind(
        level="delay", what="the call takes longer", fields=("seconds", "shape", "sigma"), timed=True
    ),
    "timeout": Kind(level="call", what="the connection is held, then reset", fields=("seconds",), timed=True),
    "reset": Kind(
        level="call", what="the connection is reset, with at_byte in the middle of the reply", fields=("at_byte",), timed=True
    ),
    "http_500": Kind(level="call", what="InternalError", timed=True),
    "http_503": Kind(level="call", what="ServiceUnAvailable", timed=True),
    "html_502": Kind(level="call", what="an HTML page, as from a gateway", timed=True),
    "html_414": Kind(level="call", what="an HTML page about a URL that is too long", timed=True),
    "empty_200": Kind(level="call", what="200 with an empty body", timed=True),
    "malformed_200": Kind(level="call", what="200 with half of a body", timed=True),
    "error": Kind(
        level="call", what="a refusal with any code", fields=("code", "status", "retry_after_ms"), timed=True
    ),
    "throttle": Kind(level="call", what="the call is over the quota", fields=("code", "status", "retry_after_ms")),
    "other_types": Kind(
        level="reply",
        what="200 with a body of other types",
        apis=_REGISTER,
        forms=(
            "list_body", "text_body", "null_body", "no_lists", "null_lists", "lists_as_objects", "lists_as_text",
            "rows_as_lists", "ids_as_numbers", "flags_as_text",
        ),
    ),
    "failed_form": Kind(
        level="reply",
        what="FailedFileURLs in another form",
        apis=_REGISTER,
        forms=("json", "plain", "one_json", "json_text", "text"),
    ),
    "url_form": Kind(
        level="reply",
        what="FileURLs of the reply in another spelling",
        apis=_REGISTER,
        forms=("http", "https", "decoded", "lower_hex", "encoded_more", "encoded_twice", "plus", "capital_host"),
    ),
    "foreign_file": Kind(
        level="reply", what="the reply names a file that was not sent", apis=_REGISTER, forms=("registered", "failed")
    ),
    "repeat_page": Kind(level="reply", what="a listing sends its previous page again", apis=_LIST),
    "end_early": Kind(
        level="reply",
        what="a listing ends too early",
        apis=_LIST,
        forms=("untruncated", "no_token", "token_kept"),
    ),
    "fail_files": Kind(level="file", what="the file is in FailedFileURLs", fields=("sticky",), apis=_REGISTER, timed=True),
    "omit_files": Kind(level="file", what="the file is in neither list", fields=("sticky",), apis=_REGISTER, timed=True),
    "both_lists": Kind(level="file", what="the file is registered, and in both lists", fields=("sticky",), apis=_REGISTER),
    "same_media_id": Kind(
        level="file", what="the reply gives all files that it hits one MediaId", fields=("sticky",), apis=_REGISTER
    ),
}  # fmt: skip

APIS: Final = (
    "any", "RegisterMedia", "GetCategories", "AddCategory", "ListTranscodeTemplateGroup", "AddTranscodeTemplateGroup",
    "GetMezzanineInfo", "GetTranscodeTemplateGroup", "GetVideoInfo", "GetVideoInfos",
    "BatchGetMediaInfos", "GetPlayInfo", "SearchMedia", "GetVideoList", "UpdateVideoInfos", "ListTranscodeTask", "GetTranscodeTask",
    "ListObjects", "HeadObject", "GetObject", "PutObject", "DeleteObject",
    "DeleteMultipleObjects", "ListBuckets", "GetBucketInfo", "GetBucketLocation", "HeadBucket", "PutBucket", "DeleteBucket",
    "RestoreObject", "ListObjectVersions", "InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload",
    "AbortMultipartUpload", "ListMultipartUploads", "ListLiveChannel",
)  # fmt: skip

CODES: Final[dict[str, tuple[int, str]]] = {
    "InternalError": (500, "The request processing has failed due to some unknown error."),
    "ServiceUnAvailable": (503, "The request has failed due to a temporary failure of the server."),
    "ServiceUnavailable": (503, "Service is temporarily unavailable, please try again later."),
    "Forbidden": (403, "User not authorized to operate on the specified resource."),
    "Forbidden.RAM": (
        403,
        "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
    ),
    "OperationDenied": (403, "Your account does not open VOD service yet."),
    "OperationDenied.Suspended": (403, "Your VOD service is suspended."),
    "InvalidAccessKeyId.NotFound": (404, "Specified access key is not found."),
    "InvalidSecurityToken.Expired": (400, "Specified SecurityToken is expired."),
    "InvalidTimeStamp.Expired": (400, "Specified time stamp or date value is expired."),
    "SignatureDoesNotMatch": (400, "Specified signature does not match our calculation."),
    "SignatureNonceUsed": (400, "Specified signature nonce was used already."),
    "InvalidParameter": (400, "The specified parameter is not valid."),
    "MissingParameter": (400, "A mandatory parameter is missing."),
    "Throttling": (400, "Request was denied due to request throttling."),
    "Throttling.Api": (400, "Request was denied due to api flow control."),
    "Throttling.User": (400, "Request was denied due to user flow control."),
    "TotalQpsLimitExceeded": (503, "Please reduce your request rate."),
    "AccessDenied": (403, "You have no right to access this object because of bucket acl."),
    "SecurityTokenExpired": (403, "The security token you provided has expired."),
    "InvalidSecurityToken": (403, "The security token you provided is invalid."),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "NoSuchBucket": (404, "The specified bucket does not exist."),
}
"""HTTP status and message of the codes that a fault can name without a status: common error codes of VOD and OSS."""
