"""The pages' plugin comes with the installed package; a plugins folder that names it again does no harm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vod_migrate.airflow.provider import ICON

READ = """
import json
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
icons = [view.get("icon") for plugin in plugins for view in plugin.external_views if plugin.name == "vod_reports"]
print("PLUGINS", json.dumps([[plugin.name for plugin in plugins], errors, icons]))
"""


@pytest.mark.parametrize("with_file", [False, True])
def test_the_pages_are_registered_once_from_the_entry_point(tmp_path: Path, *, with_file: bool) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    if with_file:
        shutil.copy(Path(__file__).parents[2] / "plugins" / "vod_migrate_pages.py", folder)
    settings = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", READ], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("PLUGINS "))
    names, errors, icons = json.loads(line.removeprefix("PLUGINS "))
    assert names.count("vod_reports") == 1
    assert errors == {}
    assert icons == [ICON] * 3
