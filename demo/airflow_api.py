"""The part of Airflow's public REST API that the demo uses, as a person with a browser would."""

from __future__ import annotations

import time
from typing import Any

import httpx

_TIMEOUT_SECONDS = 30.0
_SETTLED = ("success", "failed")
_UNAUTHORISED = 401
_ABSENT = 404


class ApiFailed(Exception):
    """Airflow refused a request, or what was waited for did not happen in time."""


class AirflowApi:
    """One signed-in user of one Airflow."""

    def __init__(self, base_url: str, *, user: str, password: str) -> None:
        """base_url: of the API server, without a trailing slash."""
        self.base_url = base_url
        self._user, self._password = user, password
        self._client = httpx.Client(base_url=base_url, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._signed_in = False

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def health(self) -> dict[str, str]:
        """The state of each component, by name; empty while the API server does not answer."""
        try:
            answer = self._client.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return {}
        if answer.is_error:
            return {}
        return {name: str((part or {}).get("status")) for name, part in answer.json().items()}

    def find(self, path: str) -> dict[str, Any] | None:
        """GET of something that may not be there yet."""
        answer = self._send("GET", path, None)
        return None if answer.status_code == _ABSENT else _checked(answer)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """GET; the path begins behind /api/v2."""
        return _checked(self._send("GET", path, None, query))

    def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """POST of JSON."""
        return _checked(self._send("POST", path, content))

    def patch(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """PATCH with JSON."""
        return _checked(self._send("PATCH", path, content))

    def page(self, path: str) -> str:
        """A page of this Airflow as HTML; '' where it does not answer well."""
        if not self._signed_in:
            self._sign_in()
        answer = self._client.get(path, headers={"accept": "text/html"})
        return answer.text if answer.is_success else ""

    def unpause(self, dag_id: str, *, seconds: float = 90.0) -> None:
        """Waits until a DAG is known, and unpauses it."""
        until = time.monotonic() + seconds
        while self.find(f"/dags/{dag_id}") is None:
            if time.monotonic() > until:
                raise ApiFailed(
                    f"Airflow has not loaded the DAG {dag_id} after {seconds:.0f} s: {self.import_errors()}"
                )
            time.sleep(1)
        self.patch(f"/dags/{dag_id}", {"is_paused": False})

    def import_errors(self) -> str:
        """What Airflow could not import, as text."""
        found = self.get("/importErrors")["import_errors"]
        return "\n".join(f"{one['filename']}: {one['stack_trace']}" for one in found) or "there are no import errors"

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None, **more: Any) -> None:
        """Triggers a run without a data interval."""
        content = {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}, **more}
        self.post(f"/dags/{dag_id}/dagRuns", content)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """queued, running, success or failed."""
        return str(self.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The state of each task; 'none' before it is scheduled."""
        found = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {one["task_id"]: str(one["state"] or "none") for one in found}

    def wait(self, dag_id: str, run_id: str, *, seconds: float) -> str:
        """Waits for the end of a run; success or failed."""
        until = time.monotonic() + seconds
        while (state := self.run_state(dag_id, run_id)) not in _SETTLED:
            if time.monotonic() > until:
                tasks = self.task_states(dag_id, run_id)
                raise ApiFailed(f"run {run_id} of {dag_id} is {state} after {seconds:.0f} s: {tasks}")
            time.sleep(1)
        return state

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned, or None."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        answer = self._send("GET", path, None, {"deserialize": "true"})
        return None if answer.status_code == _ABSENT else _checked(answer)["value"]

    def log_text(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """A task's log as lines of text."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        lines = []
        for one in self.get(path, full_content="true")["content"]:
            if isinstance(one, str):
                lines.append(one)
                continue
            details = [f"{part['exc_type']}: {part['exc_value']}" for part in one.get("error_detail") or []]
            lines.append(" ".join([str(one.get("event", "")), *details]))
        return "\n".join(lines)

    def _send(
        self, method: str, path: str, content: dict[str, Any] | None, query: dict[str, Any] | None = None
    ) -> httpx.Response:
        if not self._signed_in:
            self._sign_in()
        answer = self._client.request(method, f"/api/v2{path}", json=content, params=query)
        if answer.status_code == _UNAUTHORISED:
            self._sign_in()
            answer = self._client.request(method, f"/api/v2{path}", json=content, params=query)
        return answer

    def _sign_in(self) -> None:
        answer = self._client.post("/auth/token", json={"username": self._user, "password": self._password})
        token = _checked(answer)["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"
        self._signed_in = True


def _checked(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        request = answer.request
        raise ApiFailed(f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:2000]}")
    content: dict[str, Any] = answer.json() if answer.content else {}
    return content
