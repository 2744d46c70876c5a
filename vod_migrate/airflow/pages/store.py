"""The results store of the API server: opened once for each of its processes, and without patience.

A connection that has died is replaced before a page reads on it. A page says within seconds that the database does not answer, and
tries again by itself; only tasks wait for it. What was open
then is given up, so that the next page asks the database itself and not a pool that waits longer after each failure.
"""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import Depends

from vod_migrate.airflow.hook import results_url
from vod_migrate.results.store import Store

_CONNECTIONS = 8  # a download keeps one as long as it lasts
_WAIT_SECONDS = 3.0

_lock = threading.Lock()
_opened: dict[str, Store] = {}


def results() -> Store:
    """The store; a connection that is changed in Airflow is noticed."""
    url = results_url()
    with _lock:
        if url not in _opened:
            store = Store.open(url, connections=_CONNECTIONS, patience=0.0, wait=_WAIT_SECONDS, checked=True)
            for old in _opened.values():
                old.close()
            _opened.clear()
            _opened[url] = store
        return _opened[url]


def forget_results() -> None:
    """Lets go of a database that does not answer; downloads that still read end by themselves."""
    with _lock:
        for store in _opened.values():
            store.close()
        _opened.clear()


Results = Annotated[Store, Depends(results)]
