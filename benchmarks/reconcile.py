"""What it takes to rebuild an empty results database from a bucket and VOD's library, and to find what has drifted afterwards.

The sandbox registers every object behind our back, with its quotas as VOD has them. Then `vod-migrate reconcile --repair not_recorded --yes`
on an empty database, `vod-migrate run`, which must make no call, and `vod-migrate reconcile`, each a process of its own: seconds, calls,
and the most memory that it held.

Then twelve kinds of drift are made among the objects, `EACH` of each, as they happen in life. `reconcile` must name each of them with its
kind and nothing else, repair what a command can repair, and name only the rest afterwards; once that is put right in VOD as
`reconcile` proposes, it must find no difference.

    python benchmarks/reconcile.py [--objects 100000]

Target: at most ⌈objects / 20⌉ calls of BatchGetMediaInfos each (and one more for media beside them), the differences as they were made, and at most 200 MB.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import time
from collections.abc import Callable
from math import ceil
from typing import Any
from urllib.parse import urlencode

import oss2
import psycopg
from stage import Stage, stage

BUCKET = "media-archive"
EACH = 5
LEFT = 6  # the exit code of a comparison that found differences
MOST_BYTES = 200e6
IDS_PER_CALL = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    options = parser.parse_args()
    with stage() as play:
        play.sandbox({"buckets": [{"name": BUCKET, "generate": {"count": options.objects, "dirt": 0}}]})
        url = play.database()
        file = str(
            play.migration("books", source={"bucket": BUCKET}, register={"template_group_id": "VOD_NO_TRANSCODE"})
        )
        world = Drifting(play)
        world.prepare()
        registered = play.control("POST", "media", {"bucket": BUCKET})["registered"]
        print(f"{registered:,} media of {options.objects:,} objects; the results know none of them", flush=True)
        rebuilt = measured(play, "reconcile", file, "--repair", "not_recorded", "--yes", "--json")
        run = measured(play, "run", file, "--json")
        compared = measured(play, "reconcile", file, "--json")
        sampled = measured(play, "reconcile", file, "--sample", "1", "--json")
        done = rebuilt["repaired"]["done"] == {"not_recorded": registered} and rebuilt["left"] == compared["left"] == 0
        drifts = drifted(play, file, url, world, registered)
    asked = [(rebuilt, registered), (compared, registered), *drifts]
    calls = [(told["calls"]["BatchGetMediaInfos"], ceil(known / IDS_PER_CALL)) for told, known in asked]
    print(f"calls of BatchGetMediaInfos, and the fewest: {calls}")
    # Media that are found beside the results are asked about, too: a handful.
    fewest = all(least <= made <= least + 1 for made, least in calls)
    flat = all(told["memory"] <= MOST_BYTES for told in (rebuilt, compared, sampled, *(told for told, _ in drifts)))
    if not (done and fewest and flat and run["calls"] == 0):
        raise SystemExit("a target was missed")


class Drifting:
    """Makes drifts through OSS and the console, behind the client's back."""

    def __init__(self, play: Stage) -> None:
        self._play = play
        environment = play.environment
        auth = oss2.Auth(environment["ALIBABA_CLOUD_ACCESS_KEY_ID"], environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
        self._bucket = oss2.Bucket(auth, environment["VOD_MIGRATE_OSS_ENDPOINT"], BUCKET)
        self.kinds: dict[str, Callable[[str], None]] = {
            "new": self.put,
            "gone": self.delete,
            "media_without_file": lambda key: (self.imported(key), self.delete(key))[1],
            "media_deleted": self.delete_media,
            "other_file": lambda key: self.change(key, file_key=SPARE),
            "media_blocked": lambda key: self.change(key, status="Blocked"),
            "media_failed": lambda key: self.change(key, status="TranscodeFail"),
            "size_changed": lambda key: self.put(key, "the second"),
            "content_changed": lambda key: self.put(key, "third"),
            "size_in_vod": lambda key: self.change(key, size=7),
            "not_recorded": self.imported,
            "second_media": self.twin,
        }
        self.keys = {f"{kind}/采访 {n} + 7%25 🎬.mp4": kind for kind in self.kinds for n in range(EACH)}

    def prepare(self) -> None:
        """Stores what the drifts of existing objects begin with."""
        self.put(SPARE)
        for key, kind in self.keys.items():
            if kind not in ("new", "media_without_file", "not_recorded"):
                self.put(key, "first")

    def drift(self) -> None:
        """Makes all of them."""
        for key, kind in self.keys.items():
            self.kinds[kind](key)

    def put_right(self) -> None:
        """What `reconcile` proposes where no command can do it: to delete the media in VOD, or to put the file back."""
        for key, kind in self.keys.items():
            if kind == "media_without_file":
                self.put(key)
            elif kind == "second_media":
                self.delete_media(_twin(key))
            elif kind in UNREPAIRED:
                self.delete_media(key)

    def put(self, key: str, text: str = "first") -> None:
        """Stores a small film."""
        self._bucket.put_object(key, b"\x00\x00\x00\x18ftypmp42 " + text.encode())

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._bucket.delete_object(key)

    def imported(self, key: str) -> None:
        """Registers a new object behind our back."""
        self.put(key)
        self._play.control("POST", "media", {"bucket": BUCKET, "prefix": key})

    def change(self, key: str, **changes: Any) -> None:
        """Changes a media."""
        self._play.control("PATCH", "media", {"bucket": BUCKET, "key": key, **changes})

    def delete_media(self, key: str) -> None:
        """Deletes a media, not its file."""
        self._play.control("DELETE", f"media?{urlencode({'bucket': BUCKET, 'key': key})}")

    def twin(self, key: str) -> None:
        """Gives a file a second media."""
        self.imported(_twin(key))
        self.change(_twin(key), file_key=key)
        self.delete(_twin(key))


SPARE = "spare.mp4"
UNREPAIRED = (
    "media_without_file", "other_file", "media_blocked", "media_failed", "size_changed", "content_changed", "size_in_vod", "second_media",
)  # fmt: skip


def _twin(key: str) -> str:
    return f"twins/{key}"


def drifted(play: Stage, file: str, url: str, world: Drifting, registered: int) -> list[tuple[dict[str, Any], int]]:
    """Finds, repairs, registers and compares again; each comparison with the number of results that it asks VOD about.

    Raises:
        SystemExit: something was named that had not drifted, or not named that had.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        # Of a younger media VOD may not know yet.
        connection.execute("update vod_migrate.objects set settled_at = settled_at - interval '1 hour'")
    world.drift()
    table = play.folder / "drift.csv"
    found = measured(play, "reconcile", file, "--repair", "all", "--yes", "--output", str(table), "--json")
    with table.open(encoding="utf-8-sig", newline="") as rows:
        told = {(row["key"], row["kind"]) for row in csv.DictReader(rows)}
    _expect("found", told, set(world.keys.items()))
    run = measured(play, "run", file, "--json")
    # Gone ones are no longer asked about, new and imported ones are.
    known = registered - EACH + 2 * EACH
    again = measured(play, "reconcile", file, "--json")
    _expect("left after the repairs", _kinds(again), dict.fromkeys(UNREPAIRED, EACH))
    world.put_right()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update vod_migrate.objects set settled_at = settled_at - interval '1 hour'")
    mended = measured(play, "reconcile", file, "--repair", "all", "--yes", "--json")
    last_run = measured(play, "run", file, "--json")
    last = measured(play, "reconcile", file, "--json")
    _expect("left at the end", _kinds(last), {})
    _expect("calls of the runs after the repairs", (run["calls"], last_run["calls"]), (0, 0))
    # The repairs' own runs: 10 objects that are new or were deleted, then the six kinds whose media were deleted to put them right.
    _expect("calls of RegisterMedia", play.control("GET", "counters")["RegisterMedia"]["requests"], 1 + 3)
    print(f"{len(world.keys)} drifts of {len(world.kinds)} kinds found, no other; clean after the repairs", flush=True)
    return [(found, registered), (again, known), (mended, known), (last, known + EACH)]


def _kinds(told: dict[str, Any]) -> dict[str, int]:
    return {kind: count for kind, count in told["counts"].items() if count and kind not in ("same", "known_gone")}


def _expect(what: str, told: object, expected: object) -> None:
    if told != expected:
        raise SystemExit(f"{what}: {told}, and not {expected}")


def measured(play: Stage, *arguments: str) -> dict[str, Any]:
    """Runs a command, prints what it took, and returns its JSON with `memory`, the bytes that it held at most."""
    began = time.monotonic()
    process = play.start(*arguments, stdout=subprocess.PIPE)
    if process.stdout is None:
        raise AssertionError("it was asked for")
    line, *_ = process.stdout.read().splitlines()  # after it why the exit code is not 0
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, LEFT):
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    told: dict[str, Any] = {**json.loads(line), "memory": used.ru_maxrss * 1024}
    calls = told["calls"]
    shown = (
        ", ".join(f"{count:,} {api}" for api, count in calls.items())
        if isinstance(calls, dict)
        else f"{calls:,} RegisterMedia"
    )
    name = " ".join(word for word in arguments if word not in ("--json", arguments[1]))
    print(
        f"{name:46} {time.monotonic() - began:6.1f} s  {told['memory'] / 1e6:4.0f} MB at most, "
        f"{used.ru_utime + used.ru_stime:5.1f} s of CPU; calls: {shown}",
        flush=True,
    )
    return told


if __name__ == "__main__":
    main()
