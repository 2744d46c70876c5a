"""Python reads this when it starts: a process has the host name of the container that it stands for.

By this name Celery, Airflow and the leases of vod-migrate tell machines apart.
"""

import os
import socket

_HOST = os.environ["HOSTNAME"]


def _gethostname() -> str:
    return _HOST


socket.gethostname = _gethostname
