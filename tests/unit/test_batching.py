"""Entries into batches: each in exactly one, ten at most, one storage address, never above the bound."""

from __future__ import annotations

from urllib.parse import quote_plus, urlencode

import pytest
from batches import batch_of, entry
from hypothesis import given
from hypothesis import strategies as some

from vod_migrate.describe.metadata import as_json, encoded_size, metadata
from vod_migrate.media import Batch, Description, Entry
from vod_migrate.migration.registration import Register
from vod_migrate.register.batcher import Batcher

BOUND = 4096
KEYS = some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=120)


def number_in(one: Entry) -> int:
    return int(one.key.partition(" ")[0])


def batcher(bound: int) -> Batcher:
    rules = Register(template_group_id="x" * 64).model_copy(update={"max_request_bytes": bound})
    return Batcher(rules, storage_address="one.example")


@given(some.lists(some.tuples(KEYS, KEYS), max_size=60))
def test_every_entry_is_in_exactly_one_batch_within_the_bounds(given_entries: list[tuple[str, str]]) -> None:
    filled = batcher(BOUND)
    batches: list[Batch] = []
    for number, (key, title) in enumerate(given_entries):
        batches += filled.add([entry(number, f"{number} {key}", title=title)])
        assert len(filled) == number + 1 - sum(map(len, batches))
    batches += filled.flush()
    assert len(filled) == 0
    assert filled.flush() == []
    assert [number_in(one) for batch in batches for one in batch.entries] == list(range(len(given_entries)))
    for batch in batches:
        assert 1 <= len(batch) <= 10
        assert batch.storage_address == "one.example"
        query = urlencode(
            {
                "RegisterMetadatas": as_json([metadata(one) for one in batch.entries]),
                "TemplateGroupId": "x" * 64,
                "UserData": "",
            }
        )
        assert len(query) <= BOUND or len(batch) == 1


def test_short_entries_make_full_batches() -> None:
    filled = batcher(32_768)
    full = filled.add([entry(number) for number in range(25)])
    assert [len(batch) for batch in full] == [10, 10]
    assert [len(batch) for batch in filled.flush()] == [5]


def test_an_entry_above_the_bound_travels_alone() -> None:
    filled = batcher(2048)
    batches = filled.add([entry(1), entry(2, "节" * 300 + ".mp4"), entry(3)])
    assert [[one.key[0] for one in batch.entries] for batch in [*batches, *filled.flush()]] == [["f"], ["节"], ["f"]]


@given(KEYS, KEYS)
def test_the_encoded_size_is_what_an_entry_adds_to_a_list(key: str, title: str) -> None:
    first, second = entry(1, key, title=title), entry(2)
    both = len(quote_plus(as_json([metadata(second), metadata(first)])))
    assert both - len(quote_plus(as_json([metadata(second)]))) == encoded_size(first)


def test_metadata_names_the_fields_of_the_api_and_leaves_out_what_is_absent() -> None:
    full = Entry(
        key="k",
        file_url="https://h/k",
        description=Description(
            title="t", description="d", tags=("a", "b"), cover_url="https://c", cate_id=7, reference_id="ref-01"
        ),
    )
    assert metadata(full) == {
        "FileURL": "https://h/k",
        "Title": "t",
        "Description": "d",
        "Tags": "a,b",
        "CoverURL": "https://c",
        "CateId": 7,
        "ReferenceId": "ref-01",
    }
    assert set(metadata(entry(1))) == {"FileURL", "Title"}


@pytest.mark.parametrize("count", range(2, 11))
def test_a_split_loses_nothing_and_the_larger_half_comes_first(count: int) -> None:
    whole = batch_of(count)
    first, second = whole.split()
    assert first.entries + second.entries == whole.entries
    assert first.storage_address == second.storage_address == whole.storage_address
    assert 0 <= len(first) - len(second) <= 1
