"""A notifier as a provider has one: it appends a templated text to a file in AIRFLOW_HOME."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class FileNotifier(BaseNotifier):
    template_fields: Sequence[str] = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:  # noqa: ARG002 - Airflow's signature
        with Path(os.environ["AIRFLOW_HOME"], "notified.txt").open("a") as file:
            file.write(f"{self.text}\n")
