"""Several accounts and regions in one deployment: one results database, and nothing in common."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from rigging import Rig

from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.errors import BadSetting
from vod_migrate.results.store import Store
from vod_migrate.run.settle import Summary
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import AccountConfig, BucketConfig, CredentialConfig, DatasetConfig, SandboxConfig

REGIONS = {"studio": "cn-shanghai", "news": "cn-beijing", "abroad": "ap-southeast-1"}
"""By account."""
RATES = {"studio": 40.0, "news": 30.0, "abroad": 20.0}
THROTTLED = "news"
OBJECTS = 120


@pytest.fixture
def world() -> Iterator[Sandbox]:
    accounts = [
        AccountConfig(
            uid=name,
            regions=[region],
            credentials=[CredentialConfig(access_key_id=f"LTAI-{name}", access_key_secret="sandbox-secret")],
        )
        for name, region in REGIONS.items()
    ]
    keys = DatasetConfig(count=OBJECTS, dirt=0)
    buckets = [
        BucketConfig(name=f"{name}-archive", account=name, region=REGIONS[name], generate=keys) for name in REGIONS
    ]
    with Sandbox.start(SandboxConfig(accounts=accounts, buckets=buckets)) as running:
        yield running


@pytest.fixture
def rigs(store: Store, world: Sandbox) -> dict[str, Rig]:
    """One for each account, by its name."""
    return {
        name: Rig(
            store,
            connection_from_fields(
                {
                    "access_key_id": f"LTAI-{name}",
                    "access_key_secret": "sandbox-secret",
                    "account": name,
                    "region": region,
                    "oss_endpoint": world.endpoint,
                    "vod_endpoint": world.endpoint,
                    "calls_per_second": RATES[name],
                },
                origin="test",
            ),
            world,
        )
        for name, region in REGIONS.items()
    }


def run_all(rigs: dict[str, Rig]) -> dict[str, Summary]:
    """The same migration in each account, side by side."""

    def one(name: str) -> Summary:
        return rigs[name].run(rigs[name].migration("nightly", source={"bucket": f"{name}-archive"}))

    with ThreadPoolExecutor(len(rigs)) as threads:
        return dict(zip(rigs, threads.map(one, rigs), strict=True))


def test_three_accounts_in_three_regions_have_each_their_own_connection_quota_and_results(
    rigs: dict[str, Rig], world: Sandbox
) -> None:
    world.fault("throttle", api="RegisterMedia", account=THROTTLED, times=3)

    ended = run_all(rigs)

    assert {name: summary.state for name, summary in ended.items()} == dict.fromkeys(REGIONS, "succeeded")
    for name, rig in rigs.items():
        bucket = f"{name}-archive"
        truth = world.truth(bucket, name)
        assert rig.results(bucket) == {key: ("registered", item.media_id, None) for key, item in truth.items()}
        assert len(truth) == ended[name].counts.registered == OBJECTS
        assert world.counters(name)["RegisterMedia"]["files"] == OBJECTS
        addresses = {item.file_url.split("/")[2] for item in truth.values()}
        assert addresses == {f"{bucket}.oss-{REGIONS[name]}.aliyuncs.com"}
    rows = next(iter(rigs.values())).store.quotas()
    assert {account: rate for account, _, _, rate, _ in rows} == RATES
    assert {account for account, _, _, _, share in rows if share < 1} == {THROTTLED}


def test_the_same_name_in_two_accounts_is_two_migrations(rigs: dict[str, Rig]) -> None:
    run_all({name: rigs[name] for name in ("studio", "news")})

    again = run_all({"studio": rigs["studio"]})["studio"]

    assert (again.counts.registered, again.counts.unchanged) == (0, OBJECTS)
    found = rigs["studio"].rows("select account, name from vod_migrate.migrations order by account")
    assert found == [("news", "nightly"), ("studio", "nightly")]


def test_a_run_is_not_continued_with_the_connection_of_another_account(rigs: dict[str, Rig]) -> None:
    studio, news = rigs["studio"], rigs["news"]
    run = studio.prepare(studio.migration("nightly", source={"bucket": "studio-archive"}))

    with pytest.raises(BadSetting, match="studio"):
        news.discover(run)

    assert news.calls() == 0
