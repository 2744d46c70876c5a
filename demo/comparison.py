"""Do the results agree with the sandbox's truth, object by object? The demo fails if they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

_URL_BYTES = 1024
"""RegisterMedia takes no longer FileURL (RegisterMedia page, 2025-12)."""

_SHOWN = 5
_READABLE = ("Standard", "IA")
_SEGMENTS = ("ts", "m4s", "m4v")
"""Files of an HLS folder that its playlist stands for."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must become of a bucket: keys that VOD must know in the end, and keys that must have failed."""

    objects: int
    registered: frozenset[str]
    failed: frozenset[str]


@dataclass(kw_only=True)
class Comparison:
    """compared: objects looked at; differences: one sentence each."""

    compared: int
    differences: list[str] = field(default_factory=list)


class SandboxControl:
    """What the demo asks of the sandbox's control API."""

    def __init__(self, endpoint: str) -> None:
        self._client = httpx.Client(base_url=f"{endpoint}/_sandbox/", timeout=120, trust_env=False)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def files(self) -> int:
        """Files that RegisterMedia calls have carried so far."""
        answer: dict[str, dict[str, Any]] = self._client.get("counters").raise_for_status().json()
        return int(answer.get("RegisterMedia", {}).get("files", 0))

    def truth(self, bucket: str) -> dict[str, str]:
        """MediaId by key of everything that is registered."""
        return {row["key"]: row["media_id"] for row in self._lines("truth", bucket)}

    def expected(self, bucket: str, extensions: tuple[str, ...], storage_address: str) -> Expected:
        """What must become of every object of a bucket: said in the words of the vendor's pages, not by our selection."""
        rows = list(self._lines("expected", bucket))
        registered: set[str] = set()
        failed: set[str] = set()
        playlists = {_folder(row["key"]) for row in rows if row["key"].lower().endswith(".m3u8")}
        for row in rows:
            key = row["key"]
            stem, _, extension = key.rpartition("/")[2].rpartition(".")
            taken = stem and extension.lower() in extensions and row["size"] > 0 and row["storage_class"] in _READABLE
            segment = extension.lower() in _SEGMENTS and _folder(key) in playlists
            if not taken or segment:
                continue
            too_long = len(f"https://{storage_address}/{quote(key, safe='/~')}") > _URL_BYTES
            (failed if too_long or row["missing"] else registered).add(key)
        return Expected(objects=len(rows), registered=frozenset(registered), failed=frozenset(failed))

    def _lines(self, path: str, bucket: str) -> Iterator[dict[str, Any]]:
        with self._client.stream("GET", path, params={"bucket": bucket}) as answer:
            answer.raise_for_status()
            # Not iter_lines: it would also break at the line separators that keys may hold.
            rest = b""
            for chunk in answer.iter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line.decode("utf-8", "surrogatepass"))


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def compare(results: Mapping[str, tuple[str, str | None]], truth: dict[str, str], expected: Expected) -> Comparison:
    """Compares three sides. results: state and MediaId by key; truth: MediaId by key."""
    agreement = Comparison(compared=len(results.keys() | truth.keys() | expected.registered | expected.failed))
    kept = {key: media_id for key, (state, media_id) in results.items() if state == "registered"}
    failed = {key for key, (state, _) in results.items() if state == "failed"}
    unsettled = results.keys() - kept.keys() - failed
    checks = (
        ("registered in VOD but not in the results", truth.keys() - kept.keys()),
        ("registered in the results but not in VOD", kept.keys() - truth.keys()),
        ("with another MediaId than VOD's", {key for key in kept.keys() & truth.keys() if kept[key] != truth[key]}),
        ("should be registered and are not", expected.registered - kept.keys()),
        ("registered and should not be", kept.keys() - expected.registered),
        ("should have failed and did not", expected.failed - failed),
        ("failed and should not have", failed - expected.failed),
        ("neither registered nor failed", unsettled),
    )
    for meaning, keys in checks:
        if keys:
            sample = ", ".join(repr(key) for key in sorted(keys)[:_SHOWN])
            agreement.differences.append(f"{len(keys):,} objects {meaning}: {sample}")
    return agreement
