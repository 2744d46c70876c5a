"""Our explanation of a failure and of an object left out: the API gives none, or one that leads nowhere.

What the codes mean is read from the vendor's pages (RegisterMedia 2025-12, common error codes, QPS limits 2024-10);
where the vendor says nothing, the text says "check" instead of naming one cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What a code means and what to do about it; each a sentence or two.

    checks: what to look at, the likeliest first, where one code has several causes.
    """

    code: str
    meaning: str
    fix: str
    checks: tuple[str, ...] = ()


def diagnose(code: str) -> Diagnosis:
    """Explains a failure's code: the service's own, or ours in snake_case; an unknown one gets a general answer.

    A code with a suffix (`Throttling.User`) is explained by its longest known beginning (`Throttling`).
    """
    beginning = code
    while beginning:
        if beginning in _FAILURES:
            meaning, fix, checks = _FAILURES[beginning]
            return Diagnosis(code=code, meaning=meaning, fix=fix, checks=checks)
        beginning = beginning.rpartition(".")[0]
    return Diagnosis(
        code=code,
        meaning="VOD answered with a code that has no explanation here yet.",
        fix="Read the message, look the code up in Alibaba Cloud's Error Center, or give the RequestId to its support.",
    )


def diagnose_left_out(reason: str) -> Diagnosis:
    """Explains why objects were left out: one of the named reasons of the selection; an unknown one gets a general line."""
    meaning, fix = _LEFT_OUT.get(
        reason, ("Left out by the migration's selection.", "Look at select in the migration file.")
    )
    return Diagnosis(code=reason, meaning=meaning, fix=fix)


def every_failure() -> Iterator[Diagnosis]:
    """All that can be said of a failure, the general answer last."""
    yield from (diagnose(code) for code in _FAILURES)
    yield diagnose("")


def every_left_out() -> Iterator[Diagnosis]:
    """All that can be said of an object left out, the general line last."""
    yield from (diagnose_left_out(reason) for reason in _LEFT_OUT)
    yield diagnose_left_out("")


_AGAIN = "Nothing is wrong with the file: run the migration again with mode failed."
_CREDENTIALS = (
    "The service does not accept the AccessKey, its secret or its token.",
    "Correct the credentials of the connection, then run with mode failed.",
)

_AFTERWARDS = "then run with mode failed. `vod-migrate describe FILE KEY` shows beforehand what a key comes to."


def _template(field: str, example: str) -> tuple[str, str, tuple[str, ...]]:
    return (
        f"The template of {field} cannot be filled in for this key; the message says why.",
        f"Correct describe.{field}, for example to {example}, {_AFTERWARDS}",
        (
            "A part that only some keys have: give it a default, {{ match.show | default('') }}.",
            "describe.pattern matches from the beginning of the key; a key that it does not match has no groups.",
            "Only some keys are like this: give them a rule of their own under describe.rules.",
        ),
    )


def _over(what: str, limit: str, policy: str) -> tuple[str, str, tuple[str, ...]]:
    return (
        f"{what}; RegisterMedia takes {limit}, and the policy for it is to fail.",
        f"Shorten the template, or set {policy}, {_AFTERWARDS}",
        (),
    )


def _emoji(what: str, policy: str) -> tuple[str, str, tuple[str, ...]]:
    return (
        f"{what} holds emoji, which VOD does not take, and the policy for it is to fail.",
        f"Take them out of the template's source, or set {policy}, {_AFTERWARDS}",
        (),
    )


_DESCRIPTION: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "title_template": _template("title", "{{ stem }}"),
    "title_empty": (
        "The title template comes out empty for this key, and the policy for titles is to fail.",
        f"Give it something that every key has, {{{{ stem }}}}, or set describe.policies.title: cut, {_AFTERWARDS}",
        (),
    ),
    "title_too_long": _over("The title is too long", "128 bytes", "describe.policies.title: cut"),
    "title_emoji": _emoji("The title", "describe.policies.title: cut"),
    "description_template": _template("description", "{{ folders | join(' / ') }}"),
    "description_too_long": _over(
        "The description is too long", "1,024 bytes", "describe.policies.description: cut or drop"
    ),
    "description_emoji": _emoji("The description", "describe.policies.description: cut or drop"),
    "tags_template": _template("tags", "['{{ folder }}']"),
    "tag_too_long": _over("A tag is too long", "32 bytes for each", "describe.policies.tags: cut or drop"),
    "tag_emoji": _emoji("A tag", "describe.policies.tags: cut or drop"),
    "too_many_tags": _over("There are too many tags", "16", "describe.policies.tags: cut or drop"),
    "cover_url_template": _template("cover_url", "covers/{{ stem }}.jpg"),
    "bad_cover_url": (
        "The cover_url template comes to something that is no http(s) URL, and the policy for it is to fail.",
        f"Write a URL, or the key of a picture in the same bucket, or set describe.policies.cover_url: drop, {_AFTERWARDS}",
        ("With cover_if_exists the cover must be in the migration's own bucket.",),
    ),
    "cover_url_too_long": _over("The cover's URL is too long", "1,024 bytes", "describe.policies.cover_url: drop"),
    "category_template": _template("category", "Shows/{{ folder }}"),
    "bad_category": (
        "A level of the category's path is empty for this key.",
        f"Give the empty part a default, or set describe.policies.category: drop, {_AFTERWARDS}",
        (),
    ),
    "category_too_deep": (
        "The category's path has more than the three levels that VOD has.",
        f"Shorten describe.category; a slash within a value makes a level of its own: use replace('/', '-'), {_AFTERWARDS}",
        (),
    ),
    "category_name_too_long": (
        "A name in the category's path is longer than the 64 bytes that VOD takes.",
        f"Shorten it in the template, {{{{ folder[:20] }}}}, or set describe.policies.category: drop, {_AFTERWARDS}",
        (),
    ),
    "category_missing": (
        "The category does not exist in VOD, and the migration may not make it.",
        (
            "Make it in the console (Configuration Management > Media Management > Categories), or set describe.categories: "
            "create, then run with mode failed."
        ),
        (),
    ),
    "category_refused": (
        "VOD does not make the category; the message has its words.",
        "Use another path, or another parent: a category has 100 children at most. Then run with mode failed.",
        (),
    ),
    "cate_id_template": _template("cate_id", "{{ row.cate_id }}"),
    "bad_cate_id": (
        "The cate_id template does not come to a whole number for this key.",
        f"Correct describe.cate_id, or name the category by its path instead, {_AFTERWARDS}",
        (),
    ),
    "InvalidCateId": (
        "VOD does not know the CateId that was sent.",
        "Correct describe.cate_id, or name the category by its path in describe.category, then run with mode failed.",
        (),
    ),
    "reference_id_template": _template("reference_id", "{derive: true}"),
    "bad_reference_id": (
        "The ReferenceId is not 6 to 64 letters, digits, hyphens and underscores.",
        f"Use `reference_id: {{derive: true}}`, or set describe.policies.reference_id: drop, {_AFTERWARDS}",
        (),
    ),
}

_FAILURES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "file_refused": (
        "VOD put the file on its list of failed files twice, the second time when it was sent alone. It gives no reason.",
        "Go through the checks with one of the sample keys, correct the cause, then run with mode failed.",
        (
            "The object still exists under exactly this key: it may have been deleted or renamed since it was listed.",
            (
                "The bucket has been added to VOD (console: Configuration Management > Media Management > Storage), "
                "in the region of the connection."
            ),
            "The key ends in an extension that VOD takes, and the content is what the extension says.",
            "VOD may read the object: no bucket policy or ACL denies it to VOD's service role.",
            "The object is not archived: restore Archive and ColdArchive objects first.",
            "Keys with unusual characters: if only those fail, try register.url_encoding: raw.",
            "The ReferenceId, if one is sent, belongs to no other media of the account: it must be unique.",
        ),
    ),
    "no_answer": (
        "VOD's replies gave no clear answer about the file, five times: they named it in neither list, or contradicted themselves.",
        (
            "Run with mode failed: a file that was registered meanwhile keeps its MediaId. If it stays, give the RequestId "
            "to Alibaba Cloud's support."
        ),
        (),
    ),
    "media_id_clash": (
        (
            "VOD's reply gave one MediaId to this file and to another one, also when this file was sent alone, so nobody can "
            "say whose it is. The message names both."
        ),
        (
            "Look the MediaId up in the console: it shows the file that it belongs to. Give the other file another name, then "
            "run with mode failed."
        ),
        ("VOD wants file names to be unique: the two files may have the same name in different folders.",),
    ),
    "ambiguous_url": (
        (
            "A URL in VOD's reply may mean this file or another one, and a call with this file alone was answered no more "
            "clearly."
        ),
        (
            "Run with mode failed: a file that was registered meanwhile keeps its MediaId. If it stays, give one of the files "
            "a name without a percent sign or a plus."
        ),
        (),
    ),
    "url_too_long": (
        (
            "The file's URL is longer than the 1,024 bytes that RegisterMedia takes. Each Chinese character of a key "
            "takes 9 bytes of it when percent-encoded."
        ),
        "Give the object a shorter key, or try register.url_encoding: raw, then run with mode failed.",
        (),
    ),
    **_DESCRIPTION,
    "RequestRefused": (
        "VOD refused a call that carried only this file.",
        "Read the message; correct the description or the key, then run with mode failed.",
        (),
    ),
    "InvalidParameter": (
        "VOD refuses one of the values that were sent for this file; the message names it.",
        "Correct what describe and register make of this key, then run with mode failed.",
        (
            "The title: at most 128 bytes, no emoji.",
            "The template group or workflow ID exists in the region of the connection.",
            "The URL: the bucket's public endpoint, at most 1,024 bytes encoded.",
        ),
    ),
    "MissingParameter": (
        "VOD misses a value that it requires; the message names it.",
        "Correct what describe makes of this key, then run with mode failed.",
        (),
    ),
    "Throttling": (
        "The account's quota was used up: RegisterMedia takes 50 calls a second for all users of an account together.",
        f"{_AGAIN} If it happens often, other programs use the same quota: lower the account's calls_per_second.",
        (),
    ),
    "Forbidden": (
        "VOD denies the action to these credentials.",
        (
            "Allow vod:RegisterMedia on all resources (*) in the RAM policy; AliyunVODUploadAuth does not contain it. "
            "Then run with mode failed."
        ),
        (),
    ),
    "NoPermission": (
        "The RAM user or role lacks a permission; the message names it.",
        "Allow vod:RegisterMedia on all resources (*) in the RAM policy, then run with mode failed.",
        (),
    ),
    "OperationDenied": (
        "VOD is not activated for this account in this region.",
        "Activate ApsaraVideo VOD in the console, and check the connection's region. Then run with mode failed.",
        (),
    ),
    "OperationDenied.Suspended": (
        "VOD is suspended for this account because of an overdue payment.",
        "Settle the payment, then run with mode failed.",
        (),
    ),
    "InvalidAccessKeyId": (*_CREDENTIALS, ()),
    "InvalidSecurityToken": (*_CREDENTIALS, ()),
    "SignatureDoesNotMatch": (*_CREDENTIALS, ()),
    "InvalidTimeStamp": (
        "The clock of the machine that sent the call is wrong.",
        "Set the clock (NTP), then run with mode failed.",
        (),
    ),
    "InternalError": ("VOD had an internal error.", _AGAIN, ()),
    "ServiceUnavailable": ("VOD was not available.", _AGAIN, ()),
    "ServiceUnAvailable": ("VOD was not available.", _AGAIN, ()),
}

# Mode failed does not send these: only their manifest can mend them.
_ROWS: dict[str, tuple[str, str]] = {
    "row_no_key": ("A row of the manifest names no object.", "Fill in its key column, or delete the row."),
    "row_unreadable": (
        "A row of the manifest cannot be read; the message says where and why.",
        "Correct the row in the manifest, and run again.",
    ),
    "row_encoding": (
        "A row of the manifest has bytes or signs that are no text in the encoding it should have.",
        "Save the manifest as UTF-8, or correct key_encoding, and run again.",
    ),
    "row_columns": (
        "A row of the manifest has more or fewer cells than the header has columns.",
        "Quote cells that hold commas or line breaks, and run again.",
    ),
    "row_other_bucket": (
        "A row names an object of another bucket than the migration's.",
        "Move the row to the manifest of a migration for that bucket.",
    ),
    "row_key": (
        "A row's key is one that no object in OSS can have.",
        "Correct the key in the manifest, and run again.",
    ),
    "row_value": (
        "A row's size or time cannot be read.",
        "Correct it in the manifest or leave the cell empty, and run again.",
    ),
    "row_no_object": (
        "The manifest names an object that does not exist in the bucket.",
        "Correct the key or upload the object, and run again.",
    ),
}
_FAILURES |= {code: (meaning, fix, ()) for code, (meaning, fix) in _ROWS.items()}

_LEFT_OUT: dict[str, tuple[str, str]] = {
    **_ROWS,
    "outside_prefixes": (
        "The row's key begins with none of the prefixes that this run takes.",
        "Run without prefixes, or correct source.prefixes.",
    ),
    "not_included": ("The key matches none of the patterns in select.include.", "Add a pattern that matches it."),
    "excluded": ("The key matches a pattern in select.exclude.", "Narrow the pattern if it should be registered."),
    "hls_segment": (
        "A segment of an HLS stream: its folder holds a playlist (.m3u8), which is registered for all of them.",
        "Nothing to do; select.hls: all takes segments, too.",
    ),
    "size_unknown": (
        "The manifest does not say the object's size, and select.min_size or max_size asks for it.",
        "Add a column size to the manifest, or set source.manifest.check: head.",
    ),
    "time_unknown": (
        "The manifest does not say when the object was last modified, and the selection asks for it.",
        "Add a column last_modified to the manifest, or set source.manifest.check: head.",
    ),
    "too_old": ("Last modified before select.modified_after.", "Move select.modified_after back to take it."),
    "too_new": (
        "Last modified at or after select.modified_before.",
        "The run of a later interval takes it, or move select.modified_before.",
    ),
    "old_version": (
        "A version of an object that is not the current one.",
        "Nothing to do: VOD reads the current version.",
    ),
    "delete_marker": ("A deleted object that a versioned bucket remembers.", "Nothing to do."),
    "duplicate": (
        "A row about an object that another row of the same source named before.",
        "Nothing to do: the first row counts.",
    ),
    "extension": (
        "The key's extension is not among those that this migration takes.",
        "Add it to select.extensions if VOD takes such files.",
    ),
    "no_extension": (
        "The key has no extension, and VOD refuses such files.",
        "Give the object a key that ends in its format, such as .mp4.",
    ),
    "folder_marker": ("An entry that only stands for a folder: its key ends with a slash.", "Nothing to do."),
    "empty": ("The object has 0 bytes.", "Upload it again if it should hold a film or a sound."),
    "too_small": ("Smaller than select.min_size.", "Lower select.min_size if it should be registered."),
    "too_large": ("Larger than select.max_size.", "Raise select.max_size if it should be registered."),
    "archived": (
        "An archived object: VOD cannot read it as it is.",
        "Restore it or change its storage class, then run again.",
    ),
    "storage_class": (
        "Its storage class is not among those that this migration takes.",
        "Add the class to select.storage_classes.",
    ),
    "unstorable_key": (
        "The key is not text: it holds a NUL, or bytes that are not UTF-8.",
        "Give the object another key.",
    ),
    "limit": ("Found after this run had reached its limit.", "Run again, or without a limit, to take it."),
    "not_modified_since": (
        "Not modified since the time given for this run.",
        "Run without modified_since to take it.",
    ),
}
