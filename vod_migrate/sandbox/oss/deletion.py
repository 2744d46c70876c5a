"""DeleteObject and DeleteMultipleObjects."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from vod_migrate.sandbox.errors import OssError
from vod_migrate.sandbox.http import HttpReply, Request, element, percent_encode, xml_text
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.oss.objects import CURRENT_VERSIONS, check_digest, check_key, malformed_xml, version_of

MAX_DELETED_KEYS: Final = 1_000
_REFERENCE: Final = re.compile(rb"&#(?:x([0-9A-Fa-f]+)|([0-9]+));")
_CONTROL: Final = "control"
# XML 1.0 cannot express these characters; OSS and its SDKs write them as character references anyway.
_NOT_IN_XML: Final = frozenset({*range(1, 0x20), 0xFFFE, 0xFFFF} - {0x9, 0xA, 0xD})


def delete_object(bucket: Bucket, key: str, request: Request) -> HttpReply:
    """Remove an object; like OSS, this succeeds for an object that does not exist."""
    check_key(key)
    if version_of(request) in CURRENT_VERSIONS:
        bucket.delete(key)
    return HttpReply(status=204)


def delete_objects(bucket: Bucket, request: Request) -> HttpReply:
    """Remove up to 1,000 objects named in the body."""
    if not request.header("Content-MD5"):
        raise OssError("MissingArgument", 400, "Missing Some Required Arguments.", ArgumentName="Content-MD5")
    check_digest(request)
    root = _parse(request.body)
    named = [(_key_text(node.find("Key")), node.findtext("VersionId") or "") for node in root.iterfind("Object")]
    if root.tag != "Delete" or not 1 <= len(named) <= MAX_DELETED_KEYS or not all(key for key, _ in named):
        raise malformed_xml()
    for key, version in named:
        if version in CURRENT_VERSIONS:
            bucket.delete(key)
    if (root.findtext("Quiet") or "false") == "true":
        return HttpReply()
    encoded = request.parameters.get("encoding-type") == "url"
    listed = "".join(
        f"<Deleted><Key>{percent_encode(key, safe='') if encoded else xml_text(key)}</Key>"
        f"{element('VersionId', version) if version else ''}</Deleted>"
        for key, version in named
    )
    note = "<EncodingType>url</EncodingType>" if encoded else ""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult>{note}{listed}</DeleteResult>'
    return HttpReply(headers={"Content-Type": "application/xml"}, body=text.encode())


def _parse(body: bytes) -> etree._Element:
    # XML parsers reject references to characters that XML 1.0 forbids, so each becomes an element.
    marked = _REFERENCE.sub(_mark, body)
    try:
        return etree.fromstring(marked, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        raise malformed_xml() from None


def _mark(found: re.Match[bytes]) -> bytes:
    code = int(found[1], 16) if found[1] else int(found[2])
    return f'<{_CONTROL} code="{code}"/>'.encode() if code in _NOT_IN_XML else found[0]


def _key_text(node: etree._Element | None) -> str:
    if node is None:
        return ""
    parts = [node.text or ""]
    for child in node:
        if child.tag != _CONTROL:
            raise malformed_xml()
        parts += [chr(int(child.get("code", "0"))), child.tail or ""]
    return "".join(parts)
