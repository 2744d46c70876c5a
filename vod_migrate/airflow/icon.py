"""The icon that Airflow shows for the pages and the provider."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

# A data URL needs no request, and is right below any path under which Airflow is served.
ICON = "data:image/svg+xml;base64," + b64encode((Path(__file__).parent / "icon.svg").read_bytes()).decode()
"""A blue square with a file and a play button, legible on light and on dark."""
