"""How the address of the results database may be written, and what is refused before anything connects.

An address holds a password, and an address that is wrong may hold it anywhere: no message here repeats any part of one.
"""

from __future__ import annotations

import difflib
import os
import re
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from vod_migrate.errors import BadSetting

VARIABLE = "VOD_MIGRATE_DATABASE_URL"
PARAMETERS = frozenset(
    option.keyword.decode() for option in Conninfo.get_defaults() if option.dispchar.decode() != "D"
)  # fmt: skip
"""Every connection parameter of libpq, without those that its own documentation leaves to debugging."""
_FORMS = (
    "postgresql://user:password@host:5432/vod_migrate, or host=... port=5432 user=... password='...' dbname=vod_migrate"
)
_ENCODE = (
    "percent-encode it in user and password, e.g. @ as %40, # as %23, / as %2F, ? as %3F, % as %25 and a space as %20"
)
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%(?:25)?\w+)?\]|[\w.-]*)", re.ASCII)
_MOST_PORT = 65535


def database_url(*, embedded: bool) -> str:
    """The address of the database to use, as libpq reads it.

    embedded: whether the embedded one may stand in when none is named (never inside Airflow).

    Raises:
        BadSetting: none is named and none may stand in, or the named one cannot be read.
        StoreUnreachable: the embedded one does not start.
    """
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        return read_address(named, origin=VARIABLE)
    if not embedded:
        raise BadSetting(
            f"no results database is configured: set {VARIABLE}, or create the Airflow connection vod_migrate_db. "
            "Inside Airflow all workers must share one database, so none is created automatically."
        )
    from vod_migrate.results.embedded import embedded_url  # noqa: PLC0415 - uses this module

    return embedded_url()


def read_address(text: str, *, origin: str) -> str:
    """An address as libpq reads it: a URL, without the driver that SQLAlchemy's URLs name, or key=value pairs.

    Raises:
        BadSetting: it is no Postgres address, or libpq and its author would not read it alike, e.g. with an @ in the password. The
            message says which rule it breaks and repeats nothing.
    """
    text = text.strip()
    for place, character in enumerate(text, 1):
        if not character.isprintable():
            raise BadSetting(
                f"{origin} holds U+{ord(character):04X} as character {place} of {len(text)}: remove it, or percent-encode it in a URL"
            )
    scheme, separator, rest = text.partition("://")
    if separator and scheme.partition("+")[0] in ("postgres", "postgresql"):
        plain = f"postgresql://{rest}"
        _check_url(rest, origin)
    elif "=" in scheme:
        plain = text
    else:
        raise BadSetting(f"{origin} must look like {_FORMS}")
    try:
        given = conninfo_to_dict(plain)
    except psycopg.ProgrammingError:
        # libpq repeats what it could not read, and that may be the password.
        raise BadSetting(
            f"{origin} cannot be read as key=value pairs of libpq: write {_FORMS}; a value with a space, a quote or a backslash "
            r"goes in single quotes, with \' and \\ for those inside"
            if plain is text
            else f"{origin} cannot be read as a Postgres URL: write {_FORMS}; {_ENCODE}"
        ) from None
    if any(sign in str(given.get(name) or "") for name in ("user", "dbname", "service") for sign in ";="):
        # As other drivers separate them: a password would become a part of the name before it, and names are told.
        raise BadSetting(
            f"{origin} has a ; or = in the name of the user or database: separate key=value pairs by spaces, as in {_FORMS}"
        )
    _check_hosts(str(given.get("host") or ""), str(given.get("port") or ""), origin)
    return plain


def _check_url(rest: str, origin: str) -> None:
    """Refuses what no two readers of URLs read alike. rest: what comes after the scheme."""
    for character, name in (("#", "a #"), (" ", "a space"), ("\\", "a backslash")):
        if character in rest:
            raise BadSetting(f"{origin} holds {name} that is not encoded: {_ENCODE}")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    if rest.count("@") > 1 or ("@" in rest and "@" not in authority):
        raise BadSetting(
            f"{origin} holds an @, / or ? in user or password, or an @ after the host, that is not encoded: {_ENCODE}"
        )
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", rest):
        raise BadSetting(f"{origin} holds a % that is not part of a percent-encoding: {_ENCODE}")
    hosts = authority.rpartition("@")[2]
    for one in hosts.split(","):
        host = re.fullmatch(r"(.*?)(?::(\d*))?", unquote(one))
        if host is None or not (_HOST.fullmatch(host[1]) or host[1].startswith("/")):
            raise BadSetting(f"{origin} cannot be read as a Postgres URL: write {_FORMS}; {_ENCODE}")
    path, _, query = rest[len(authority) :].partition("?")
    if "/" in path[1:]:
        raise BadSetting(
            f"{origin} holds a / in the name of the database, or in the password, that is not encoded: {_ENCODE}"
        )
    for number, pair in enumerate(query.split("&") if query else [], 1):
        name, equals, _value = pair.partition("=")
        if not equals or unquote(name) not in {*PARAMETERS, "ssl"}:
            like = difflib.get_close_matches(unquote(name), PARAMETERS, 1)
            meant = f" (did you mean {like[0]}?)" if like else ""
            raise BadSetting(
                f"parameter {number} after the ? of {origin} is not a parameter of libpq{meant}: write name=value, and percent-encode & as %26"
            )


def _check_hosts(hosts: str, ports: str, origin: str) -> None:
    for host in hosts.split(","):
        if host and not host.startswith(("/", "@")) and not _HOST.fullmatch(f"[{host}]" if ":" in host else host):
            raise BadSetting(f"{origin} names an invalid host: write {_FORMS}; {_ENCODE}")
    for port in ports.split(","):
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= _MOST_PORT):
            raise BadSetting(
                f"{origin} names a port that is not a number from 1 to {_MOST_PORT}: write {_FORMS}; {_ENCODE}"
            )
