"""The search among all objects, its table as a file, and the page of one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from vod_migrate.airflow.pages.download import streamed
from vod_migrate.airflow.pages.render import render
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import ViewerDep
from vod_migrate.errors import BadOption
from vod_migrate.report.browse.history import object_history
from vod_migrate.report.browse.objects import find_objects, found_codes, found_migrations
from vod_migrate.report.browse.search import STATES, PageCursor, Search, read_search
from vod_migrate.report.downloads import MOST_ROWS, attachment, objects_csv

router = APIRouter()

VOD_MEDIA = "https://vod.console.aliyun.com/#/media/video/list"
"""The list *Audio/Video*, which searches by ID (the page *Search for media asset information*). The vendor documents no address of one media."""

_LONGEST = 4_000  # read_search says what is too long, in its own words

Text = Annotated[str, Query(max_length=_LONGEST)]


@dataclass(frozen=True, kw_only=True)
class SearchQuery:
    """A search as it stands in the address. migration: its name, with `@account` behind it where the account matters.

    order: `desc` for the last key first.
    """

    q: str
    state: str
    code: str
    migration: str
    order: str

    def search(self) -> Search:
        """What it means."""
        name, _, account = self.migration.partition("@")
        return read_search(
            self.q, account=account, migration=name, state=self.state, code=self.code, backwards=self.order == "desc"
        )

    def query(self) -> dict[str, str]:
        """For links that keep it."""
        return {"q": self.q, "state": self.state, "code": self.code, "migration": self.migration, "order": self.order}


def asked(
    q: Text = "", state: Text = "", code: Text = "", migration: Text = "", order: Literal["", "desc"] = ""
) -> SearchQuery:
    """The search of the address."""
    return SearchQuery(q=q, state=state, code=code, migration=migration, order=order)


AskedDep = Annotated[SearchQuery, Depends(asked)]


@router.get("/objects")
def objects(
    request: Request, viewer: ViewerDep, store: Results, wanted: AskedDep, after: Text = "", before: Text = ""
) -> HTMLResponse:
    """One page of a search; `after` and `before` are places where a neighbouring page ends."""
    readable, refused, page = viewer.readable, "", None
    try:
        page = find_objects(
            store,
            wanted.search(),
            readable=readable,
            after=PageCursor.from_token(after) if after else None,
            before=PageCursor.from_token(before) if before and not after else None,
        )
    except BadOption as error:
        refused = str(error)
    return render(
        request,
        "objects.html",
        status_code=422 if refused else 200,
        wanted=wanted,
        refused=refused,
        page=page,
        states=STATES,
        codes=found_codes(store, readable=readable),
        migrations=found_migrations(store, readable=readable),
        most_rows=MOST_ROWS,
    )


@router.get("/objects.csv")
def objects_file(viewer: ViewerDep, store: Results, wanted: AskedDep) -> Response:
    """All objects of a search, as far as a spreadsheet can open them."""
    try:
        search = wanted.search()
    except BadOption as error:
        raise HTTPException(422, str(error)) from error
    rows = objects_csv(store, search, readable=viewer.readable)
    return streamed(rows, disposition=attachment("objects", "csv"), kind="text/csv; charset=utf-8")


@router.get("/object")
def one_object(
    request: Request, account: Text, bucket: Text, key: Text, viewer: ViewerDep, store: Results
) -> HTMLResponse:
    """Everything about one object."""
    found = object_history(store, account, bucket, key, readable=viewer.readable)
    if found is None:
        raise HTTPException(404, "there is no such object, or you may not see it")
    return render(
        request,
        "object.html",
        found=found,
        line=found.line,
        vod_console=VOD_MEDIA,
        oss_console=oss_folder(found.region, bucket, key) if found.region else "",
    )


def oss_folder(region: str, bucket: str, key: str) -> str:
    """The folder of an object in the OSS console, which has no address for a single object.

    The vendor's pages link to `/bucket/oss-REGION/BUCKET/overview`; the console's own `object?path=FOLDER/` lists a folder.
    """
    folder = key[: key.rfind("/") + 1]
    place = "/".join(quote(part, safe="") for part in (f"oss-{region}", bucket))
    return f"https://oss.console.aliyun.com/bucket/{place}/object?path={quote(folder, safe='')}"
