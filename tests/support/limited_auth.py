"""Airflow's simple auth manager with one user who may see only some DAGs, as auth managers with permissions per DAG have them."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

OUTSIDER = "outsider"
ALLOWED = "vod_backfill__hostile"


class LimitedAuthManager(SimpleAuthManager):
    """The outsider may do everything with one DAG and see no other."""

    def is_authorized_dag(
        self, *, method: Any, user: SimpleAuthManagerUser, access_entity: Any = None, details: DagDetails | None = None
    ) -> bool:
        if user.username == OUTSIDER and details is not None and details.id != ALLOWED:
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
