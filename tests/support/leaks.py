"""Where the suite's secrets must never turn up, and how they are looked for.

Every secret that a test makes up begins with MARKER; the older names are listed. What is scanned: what each test printed and
logged, what each process that a test waited for wrote, every file that is left in pytest's folder, and every row of every results
database. The sandbox may tell its published key: that is how a client finds it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

MARKER = "canary-"
KNOWN = ("sandbox-secret", "hidden-secret", "hidden-token", "s3cret")
_SIGNATURE = r"(?i:signature(?:provided)?)['\"]?\s?[:=]\s?['\"]?[A-Za-z0-9+/%]{24,}"
_MOST_BYTES = 20_000_000
_CONFIGURATION = re.compile(
    r"ready.*\.json|.*sandbox.*\.(?:ya?ml|json|env|log)|.*\.env|airflow\.cfg|docker-compose\.yml|connections?\.(?:json|ya?ml)"
)
"""Files by which tests hand a secret to the process that needs it."""


def patterns(extra: str = "") -> re.Pattern[str]:
    """What counts as a leak. extra: one more secret, for the tests of this very file."""
    words = [re.escape(word) for word in (*KNOWN, *([extra] if extra else []))]
    return re.compile("|".join([rf"{MARKER}[a-z0-9-]{{4,}}", *words, _SIGNATURE]))


SECRETS = patterns(os.environ.get("VOD_MIGRATE_TEST_SECRET", ""))


def leaks_in(text: str) -> list[str]:
    """Each leak with a few characters around it, the secret itself cut short."""
    return [
        f"…{text[max(0, found.start() - 60) : found.start()]}[{found.group()[:12]}…]"
        for found in SECRETS.finditer(text)
    ]


def leaks_in_files(folder: Path) -> Iterator[str]:
    """Leaks in whatever is left in a folder, by file."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix == ".pyc" or _CONFIGURATION.fullmatch(path.name):
            continue
        if path.stat().st_size <= _MOST_BYTES:
            for leak in leaks_in(path.read_bytes().decode("utf-8", "replace"))[:3]:
                yield f"{path}: {leak}"


def leaks_in_database(url: str) -> list[str]:
    """Leaks in any row of any table."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('public', 'vod_migrate')"
        ).fetchall()
        found = []
        for schema, table in tables:
            query = sql.SQL("select t::text from {} t where t::text ~ %s limit 3").format(sql.Identifier(schema, table))
            rows = connection.execute(query, (_for_postgres(),)).fetchall()
            found += [f"table {table}: {leak}" for row in rows for leak in leaks_in(row[0])]
        return found


def _for_postgres() -> str:
    # Only rows that are worth a look in Python; its regular expressions are of another kind.
    return "|".join((MARKER, *KNOWN, "[Ss]ignature(Provided)?['\"]?[ ]?[:=]"))


def watch_processes(told: list[str]) -> Any:
    """Looks at what every process wrote that a test waited for; returns a function that ends it.

    A sandbox tells its published key to whoever starts it.
    """
    real = subprocess.Popen.communicate

    def communicate(self: Any, *arguments: Any, **options: Any) -> Any:
        output = real(self, *arguments, **options)
        command = self.args if isinstance(self.args, str) else " ".join(map(str, self.args))
        if "sandbox" not in command:
            told.extend(f"output of `{command[:120]}`: {leak}" for leak in leaks_in("\n".join(_texts(output))))
        return output

    subprocess.Popen.communicate = communicate  # type: ignore[method-assign]

    def end() -> None:
        subprocess.Popen.communicate = real  # type: ignore[method-assign]

    return end


def _texts(output: Iterable[Any]) -> Iterator[str]:
    for part in output:
        if part is not None:
            yield part.decode("utf-8", "replace") if isinstance(part, bytes) else part
