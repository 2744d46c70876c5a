"""Who is viewing, and what they may do: Airflow's own answers, for every request anew.

Airflow does not authenticate the apps of plugins, so the app itself depends on `viewer_of`. What a viewer may read is a
set of DAG ids; runs from the command line belong to no DAG and are for administrators.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, cast

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.tokens import get_signing_key
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from vod_migrate.airflow.pages.origins import is_own_origin

TOKEN_HEADER = "x-vod-reports-token"  # noqa: S105 - a header's name
_TOKEN_SECONDS = 7 * 86_400  # a page may stay open over a long weekend
_ADMINISTRATORS = frozenset({"admin"})


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """An Airflow user, as one request sees them."""

    id: str
    name: str
    user: Any = field(repr=False)

    @cached_property
    def administrator(self) -> bool:
        """Whether this is one of Airflow's administrators."""
        roles = _roles(self.user)
        if roles:
            return bool(roles & _ADMINISTRATORS)
        # An auth manager that shows no roles: who may do anything to connections and to every DAG.
        manager = get_auth_manager()
        return manager.is_authorized_connection(method="DELETE", user=self.user) and manager.is_authorized_dag(
            method="DELETE", user=self.user
        )

    @cached_property
    def readable(self) -> frozenset[str] | None:
        """The DAGs whose runs may be read; None: everything, runs from the command line included. A parameter of every query."""
        if self.administrator:
            return None
        if not get_auth_manager().is_authorized_dag(method="GET", access_entity=DagAccessEntity.RUN, user=self.user):
            # Some auth managers answer only for one DAG at a time.
            return frozenset(dag_id for dag_id in self._dags() if self._may("GET", dag_id))
        return frozenset(self._dags())

    def may_read(self, dag_id: str | None) -> bool:
        """Whether the runs of a DAG may be read; None: runs from the command line."""
        if dag_id is None:
            return self.administrator
        dag = get_auth_manager().is_authorized_dag(method="GET", details=_details(dag_id), user=self.user)
        return dag and self._may("GET", dag_id)

    def may_trigger(self, dag_id: str | None) -> bool:
        """Whether a run of the DAG may be started, as Airflow's own API decides it."""
        return dag_id is not None and self.may_read(dag_id) and self._may("POST", dag_id)

    def may_stop(self, dag_id: str | None) -> bool:
        """Whether a run of the DAG may be paused or cancelled: whoever may change its state in Airflow."""
        if dag_id is None:
            return self.administrator
        return self.may_read(dag_id) and self._may("PUT", dag_id)

    def may_change(self, dag_ids: frozenset[str]) -> bool:
        """Whether a migration that these DAGs run may be changed: who may stop the runs of all of them; '' stands for the command line."""
        return bool(dag_ids) and all(self.may_stop(dag_id or None) for dag_id in dag_ids)

    @property
    def token(self) -> str:
        """What this user's pages send along with an action, so that nobody else's page can."""
        return _signer().dumps(self.id)

    def _dags(self) -> Iterable[str]:
        return get_auth_manager().get_authorized_dag_ids(user=self.user)

    def _may(self, method: Any, dag_id: str) -> bool:
        return get_auth_manager().is_authorized_dag(
            method=method, access_entity=DagAccessEntity.RUN, details=_details(dag_id), user=self.user
        )


def viewer_of(request: Request, user: GetUserDep) -> Viewer:
    """The user of this request; the dependency raises 401 where there is none. Error pages find them in its state."""
    request.state.viewer = Viewer(id=user.get_id(), name=user.get_name(), user=user)
    return cast("Viewer", request.state.viewer)


ViewerDep = Annotated[Viewer, Depends(viewer_of)]


def acting_viewer(request: Request, viewer: ViewerDep) -> Viewer:
    """The user of a request that changes something: sent by one of this user's own pages, and by no other site."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site != "same-origin" if site else origin is not None and not _is_own(origin, request)
    if foreign:
        raise HTTPException(403, "Another site sent this request.")
    try:
        owner = str(_signer().loads(request.headers.get(TOKEN_HEADER, ""), max_age=_TOKEN_SECONDS))
    except BadSignature:
        owner = ""
    if not hmac.compare_digest(owner.encode(), viewer.id.encode()):
        raise HTTPException(403, "This page has expired or belongs to another user: reload it and try again.")
    return viewer


Acting = Annotated[Viewer, Depends(acting_viewer)]


def _is_own(origin: str, request: Request) -> bool:
    # A header that comes several times is one list.
    headers = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
    return is_own_origin(origin, headers, conf.get("api", "base_url", fallback=""))


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(get_signing_key("api", "secret_key"), salt="vod-reports")


def _roles(user: Any) -> frozenset[str]:
    """The names of a user's roles, in small letters, where the auth manager shows them (simple: one; FAB: several)."""
    one = getattr(user, "role", None)
    several = getattr(user, "roles", None) or ()
    return frozenset(
        str(getattr(role, "name", role)).lower() for role in ([one] if one else several) if role is not None
    )


def _details(dag_id: str) -> DagDetails:
    return DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
