"""Style sheet and scripts: a fixed list of files."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from vod_migrate.airflow.pages.render import STATIC, digest_of

router = APIRouter()

_TYPES = {".css": "text/css", ".js": "text/javascript"}


@router.get("/static/{digest}/{name}")
def static_file(digest: str, name: str) -> FileResponse:
    """One file; the digest in its address lets browsers keep it for good."""
    file = STATIC.get(name)
    if file is None or digest != digest_of(name):
        raise HTTPException(404, f"there is no file {name!r} of this version")
    kept = {"cache-control": "private, max-age=31536000, immutable"}
    return FileResponse(file, media_type=_TYPES[file.suffix], headers=kept)
