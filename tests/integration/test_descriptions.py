"""Every field and rule of RegisterMedia goes through the real SDK to the sandbox, and its truth is compared."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from vod_migrate.cloud.connection import Connection, connection_from_environment
from vod_migrate.describe.categories import Categories
from vod_migrate.describe.covers import Covers
from vod_migrate.errors import Denied, Interrupted
from vod_migrate.media import Rejected
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Registered, Sandbox
from vod_migrate.sandbox.vod.categories import CategoryTree

BUCKET = "media-archive"
HOST = f"{BUCKET}.oss-cn-shanghai.aliyuncs.com"
CALLBACK = {"CallbackType": "http", "CallbackURL": "https://media.example.com/vod"}


@pytest.fixture
def truth(rig: Any, sandbox: Sandbox) -> Callable[..., Registered]:
    """Registers one object and tells what the sandbox has of it."""

    def register(key: str = "a/b.mp4", *, describe: dict[str, Any] | None = None, **register: Any) -> Registered:
        sandbox.put(BUCKET, key)
        summary = rig.run(rig.migration(describe=describe or {}, register=register))
        assert summary.error is None, summary.error
        assert summary.counts.failed == 0, rig.results()
        return sandbox.truth(BUCKET)[key]

    return register


FIELDS = [
    # the describe section, the field of the truth, its value at the documented limit
    ({"title": "x" * 128}, "title", "x" * 128),
    ({"title": "节" * 43}, "title", "节" * 42),
    ({"title": "a \U0001f600 b"}, "title", "a  b"),
    ({"description": "x" * 1024}, "description", "x" * 1024),
    ({"description": "节" * 342}, "description", "节" * 341),
    ({"description": 'two\nlines, \\ and " and %'}, "description", 'two\nlines, \\ and " and %'),
    ({"tags": [f"tag {n:028d}" for n in range(16)]}, "tags", ",".join(f"tag {n:028d}" for n in range(16))),
    ({"tags": ["{{ folder }}", "节目,节目", "x" * 32]}, "tags", f"a,节目,{'x' * 32}"),
    ({"cover_url": "https://a.com/" + "x" * 1010}, "cover_url", "https://a.com/" + "x" * 1010),
    ({"cover_url": "covers/{{ stem }}.jpg"}, "cover_url", f"https://{HOST}/covers/b.jpg"),
    ({"reference_id": "{{ stem * 0 if false else 'ref-_9' }}"}, "reference_id", "ref-_9"),
    ({"reference_id": "{{ 'r' }}" + "x" * 63}, "reference_id", "r" + "x" * 63),
]


@pytest.mark.parametrize(("describe", "field", "value"), FIELDS)
def test_a_field_arrives_at_its_limit_and_is_cut_beyond_it(
    truth: Callable[..., Registered], describe: dict[str, Any], field: str, value: str
) -> None:
    assert getattr(truth(describe=describe), field) == value


def test_a_category_by_number_and_a_derived_reference_arrive(
    truth: Callable[..., Registered], sandbox: Sandbox
) -> None:
    cate_id = sandbox.add_category("Shows")
    arrived = truth(describe={"cate_id": cate_id, "reference_id": {"derive": True}})
    assert arrived.cate_id == cate_id
    assert str(arrived.reference_id).startswith("vm-")


@pytest.mark.parametrize(
    ("register", "expected"),
    [
        ({}, {"template_group_id": "VOD_NO_TRANSCODE", "workflow_id": None, "user_data": None}),
        (
            {"user_data": {"MessageCallback": CALLBACK, "Extend": {"localId": "x", "ü": "x" * 480}}},
            {"user_data": {"MessageCallback": CALLBACK, "Extend": {"localId": "x", "ü": "x" * 480}}},
        ),
        ({"enable_first_frame_cover": True}, {"enable_first_frame_cover": True, "generate_thumbnail": None}),
        ({"enable_first_frame_cover": False, "generate_thumbnail": True}, {"enable_first_frame_cover": False, "generate_thumbnail": True}),
    ],
)  # fmt: skip
def test_what_a_call_says_about_all_its_files_arrives(
    truth: Callable[..., Registered], register: dict[str, Any], expected: dict[str, Any]
) -> None:
    arrived = truth(**register)
    for field, value in expected.items():
        found = getattr(arrived, field)
        assert (json.loads(found) if field == "user_data" and found else found) == value


def test_what_cannot_be_described_fails_by_name_without_a_call(rig: Any, sandbox: Sandbox) -> None:
    for key in ("a/good.mp4", "a/bad id.mp4", f"{'节' * 22}/x.mp4"):
        sandbox.put(BUCKET, key)
    sandbox.add_category("a")
    rig.run(rig.migration(describe={"reference_id": "{{ stem }}-ref", "category": "{{ folder }}"}))
    assert {key: code for key, (_, _, code) in rig.results().items()} == {
        "a/good.mp4": None,
        "a/bad id.mp4": "bad_reference_id",
        f"{'节' * 22}/x.mp4": "category_name_too_long",
    }
    assert rig.calls() == 1
    rig.assert_results_equal_truth()


def test_a_category_is_made_once_and_every_object_is_in_its_own(rig: Any, sandbox: Sandbox) -> None:
    for show in range(3):
        for episode in range(15):
            sandbox.put(BUCKET, f"show {show}/season 1/{episode}.mp4")
    rig.run(rig.migration(describe={"category": "Shows/{{ folders[0] }}/{{ folder }}", "categories": "create"}))
    truth = sandbox.truth(BUCKET)
    assert len(truth) == 45
    by_show = {key.partition("/")[0]: item.cate_id for key, item in truth.items()}
    assert len(set(by_show.values())) == 3
    assert all(item.cate_id == by_show[key.partition("/")[0]] for key, item in truth.items())
    assert sandbox.counters()["AddCategory"]["requests"] == 1 + 3 + 3
    assert sandbox.counters()["GetCategories"]["requests"] < 20
    assert {(row[1], row[3]) for row in rig.store.quotas()} >= {("AddCategory", 28.0), ("GetCategories", 47.0)}


def test_a_category_that_does_not_exist_refuses_its_objects_by_name_and_only_them(rig: Any, sandbox: Sandbox) -> None:
    sandbox.add_category("known")
    for folder in ("known", "unknown"):
        sandbox.put(BUCKET, f"{folder}/a.mp4")
    rig.run(rig.migration(describe={"category": "{{ folder }}"}))
    assert rig.results()["known/a.mp4"][0] == "registered"
    assert rig.results()["unknown/a.mp4"][::2] == ("failed", "category_missing")
    (message,) = rig.rows("select message from vod_migrate.objects where not registered")[0]
    assert "'unknown'" in message
    assert "categories: create" in message
    assert "AddCategory" not in sandbox.counters()


def test_under_the_policy_drop_an_object_goes_without_its_category(rig: Any, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "unknown/a.mp4")
    rig.run(rig.migration(describe={"category": "{{ folder }}", "policies": {"category": "drop"}}))
    assert sandbox.truth(BUCKET)["unknown/a.mp4"].cate_id is None


def test_a_category_that_vod_refuses_to_make_fails_its_objects_with_the_services_words(
    rig: Any, sandbox: Sandbox
) -> None:
    for number in range(100):
        sandbox.add_category(f"c{number}")
    sandbox.put(BUCKET, "one too many/a.mp4")
    sandbox.put(BUCKET, "c99/a.mp4")
    rig.run(rig.migration(describe={"category": "{{ folder }}", "categories": "create"}))
    assert rig.results()["one too many/a.mp4"][::2] == ("failed", "category_refused")
    assert rig.results()["c99/a.mp4"][0] == "registered"


def categories(connection: Connection, store: Store, *, create: bool = True) -> Categories:
    return Categories(connection, store=store, create=create, stop=threading.Event())


def test_many_workers_that_need_one_category_at_once_make_it_once(
    database_url: str, connection: Connection, sandbox: Sandbox
) -> None:
    path = ("Shows", "A show", "Season 1")
    found: list[int | Rejected] = []
    start = threading.Barrier(4)

    def work() -> None:
        with Store.open(database_url, connections=2, patience=5) as store:
            mine = categories(connection, store)
            start.wait()
            found.append(mine.find(path))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert isinstance(found[0], int)
    assert sandbox.counters()["AddCategory"]["requests"] == 3


def test_the_older_of_two_categories_of_one_name_counts(store: Store, connection: Connection, sandbox: Sandbox) -> None:
    older = sandbox.add_category("twice")
    sandbox.add_category("twice")
    assert categories(connection, store, create=False).find(("twice",)) == older


@pytest.mark.parametrize("action", ["GetCategories", "AddCategory"])
def test_missing_permission_for_categories_stops_the_run_names_the_fix_and_leaves_everything_pending(
    rig: Any, sandbox: Sandbox, action: str
) -> None:
    for number in range(12):
        sandbox.put(BUCKET, f"a/{number}.mp4")
    sandbox._do(lambda world: world.accounts.first.config.deny.append(f"vod:{action}"))
    rules = rig.migration(describe={"category": "{{ folder }}", "categories": "create"})
    summary = rig.run(rules)
    assert isinstance(summary.error, Denied)
    assert f"allow vod:{action}" in str(summary.error)
    assert (summary.counts.failed, summary.counts.pending) == (0, 12)
    sandbox._do(lambda world: world.accounts.first.config.deny.clear())
    assert rig.run(rules).counts.registered == 12


def test_trouble_of_the_service_is_waited_out_and_fails_nothing(rig: Any, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a/b.mp4")
    for api in ("GetCategories", "AddCategory"):
        sandbox.fault("http_503", api=api, count=2)
    sandbox.fault("throttle", api="AddCategory", count=1)
    rig.run(rig.migration(describe={"category": "{{ folder }}", "categories": "create"}))
    assert rig.results()["a/b.mp4"][0] == "registered"
    assert sandbox.truth(BUCKET)["a/b.mp4"].cate_id is not None


def test_an_answer_lost_after_a_category_was_made_makes_no_second_one(
    store: Store, connection: Connection, sandbox: Sandbox
) -> None:
    sandbox.fault("reset", api="AddCategory", when="after", count=1)
    found = categories(connection, store).find(("Shows",))
    assert sandbox.counters()["AddCategory"]["requests"] == 1
    assert categories(connection, store, create=False).find(("Shows",)) == found


def test_waiting_for_the_service_ends_when_the_worker_is_told_to_stop(
    store: Store, connection: Connection, sandbox: Sandbox
) -> None:
    sandbox.fault("http_503", api="GetCategories")
    stop = threading.Event()
    waiting = Categories(connection, store=store, create=False, stop=stop)
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(Interrupted):
        waiting.find(("a",))


def test_a_cover_is_sent_only_where_its_object_exists(rig: Any, sandbox: Sandbox) -> None:
    for key in ("a.mp4", "b ü.mp4", "c.mp4", "covers/a.jpg", "covers/b ü.jpg"):
        sandbox.put(BUCKET, key)
    rig.run(rig.migration(describe={"cover_url": "covers/{{ stem }}.jpg", "cover_if_exists": True}))
    assert {key: item.cover_url for key, item in sandbox.truth(BUCKET).items()} == {
        "a.mp4": f"https://{HOST}/covers/a.jpg",
        "b ü.mp4": f"https://{HOST}/covers/b%20%C3%BC.jpg",
        "c.mp4": None,
    }


def test_one_cover_of_many_objects_is_looked_for_once(connection: Connection, sandbox: Sandbox) -> None:
    covers = Covers(connection, BUCKET, stop=threading.Event())
    sandbox.put(BUCKET, "cover.jpg")
    sandbox.reset_counters()
    assert [covers.exists(key) for key in ("cover.jpg", "none.jpg") * 3] == [True, False] * 3
    assert sandbox.counters()["HeadObject"]["requests"] == 2


def test_covers_that_may_not_be_looked_for_stop_the_run_and_fail_nothing(sandbox: Sandbox) -> None:
    wrong = {**sandbox.environment, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"}
    covers = Covers(connection_from_environment(wrong), BUCKET, stop=threading.Event())
    with pytest.raises(Denied, match="oss:GetObject"):
        covers.exists("cover.jpg")


class Circle(CategoryTree):
    """A tree in which every category holds itself, and never ends."""

    def show(self, parameters: dict[str, str]) -> dict[str, Any]:
        children = [{"CateId": 7, "CateName": "Shows", "ParentId": 7, "Level": 0}]
        if parameters.get("CateId") == "8":
            children = [{"CateId": 9, "CateName": f"{number}", "ParentId": 8} for number in range(100)]
        return {"SubTotal": len(children), "SubCategories": {"Category": children}}


@pytest.mark.parametrize("create", [False, True])
def test_a_tree_of_categories_that_runs_in_circles_ends(
    store: Store, connection: Connection, sandbox: Sandbox, *, create: bool
) -> None:
    sandbox._do(lambda world: setattr(world.accounts.first, "categories", Circle()))
    categories = Categories(connection, store=store, create=create, stop=threading.Event())
    assert categories.find(("Shows", "Shows", "Shows")) == 7
    assert sandbox.counters()["GetCategories"]["requests"] == 2
    found = categories.find(("Films",))
    if create:
        assert isinstance(found, int)
        assert sandbox.counters()["AddCategory"]["requests"] == 1
    else:
        assert isinstance(found, Rejected)


def test_a_category_whose_pages_never_end_is_left_after_the_most_it_can_have(
    store: Store, connection: Connection, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vod_migrate.describe.categories.MOST_PAGES", 3)
    sandbox._do(lambda world: setattr(world.accounts.first, "categories", Circle()))
    categories = Categories(connection, store=store, create=False, stop=threading.Event())
    assert len(categories._read(8).ids) == 100
    assert sandbox.counters()["GetCategories"]["requests"] == 3
