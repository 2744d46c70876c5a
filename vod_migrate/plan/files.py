"""A plan as files beside the reports: text for people, JSON for machines."""

from __future__ import annotations

import json
from pathlib import Path

from vod_migrate.plan.model import Plan
from vod_migrate.plan.text import plan_text
from vod_migrate.report.files import write_texts


def write_plan(plan: Plan, directory: Path) -> None:
    """Writes `<run>.plan.txt` and `<run>.plan.json`, each complete or not at all.

    Raises:
        BadSetting: the directory cannot be written.
    """
    body = json.dumps(plan.as_json(), ensure_ascii=False, indent=2) + "\n"
    write_texts(directory, plan.run_id, {".plan.json": body, ".plan.txt": plan_text(plan)})
