"""A connection from the environment or from fields: what cannot work is refused by the name that a person knows."""

from __future__ import annotations

import pytest

from vod_migrate.cloud.connection import Connection, connection_from_environment, connection_from_fields
from vod_migrate.errors import BadSetting

KEYS = {"access_key_id": "id", "access_key_secret": "hidden-secret"}
GOOD = {**KEYS, "region": "cn-shanghai"}
ROLE = "acs:ram::1234567890123456:role/vod"


def fields(**given: object) -> Connection:
    return connection_from_fields({**GOOD, **given}, origin="connection 'vod_default'")


MISTAKES = [
    ({"region": ""}, ["region", "missing", "cn-shanghai"]),
    ({"region": None}, ["region", "missing"]),
    ({"region": "Shanghai"}, ["region", "'Shanghai'"]),
    ({"region": "cn-shanghai.aliyuncs.com"}, ["region", "looks like"]),
    ({"access_key_id": ""}, ["access_key_id", "an ID and a secret"]),
    ({"access_key_secret": "  "}, ["access_key_secret", "an ID and a secret"]),
    ({"access_key_id": "", "access_key_secret": ""}, ["access_key_id", "access_key_secret", "credential_provider"]),
    ({"credential_provider": "aws"}, ["credential_provider", "'aws'", "ecs_ram_role"]),
    ({"credential_provider": "ram_role_arn"}, ["role_arn", "missing"]),
    (
        {"credential_provider": "ram_role_arn", "role_arn": ROLE, "access_key_id": "", "access_key_secret": ""},
        ["access_key_id", "assumes its role"],
    ),
    ({"oss_endpoint": "oss-cn-shanghai.aliyuncs.com"}, ["oss_endpoint", "e.g. https://oss-cn-shanghai.aliyuncs.com"]),
    ({"oss_endpoint": "https://host/bucket"}, ["oss_endpoint", "e.g. https://host"]),
    ({"oss_endpoint": "ftp://host"}, ["oss_endpoint", "e.g. https://host"]),
    ({"oss_endpoint": "https://host?x=1"}, ["oss_endpoint", "host only"]),
    ({"oss_endpoint": "https://host#x"}, ["oss_endpoint", "host only"]),
    ({"vod_endpoint": "http://[::1"}, ["vod_endpoint", "not an address"]),
    ({"vod_endpoint": "http://host:port"}, ["vod_endpoint", "not an address"]),
    ({"vod_endpoint": "http://host:99999"}, ["vod_endpoint", "not an address"]),
    ({"vod_endpoint": "http://ho st"}, ["vod_endpoint", "not an address"]),
    ({"calls_per_second": "fast"}, ["calls_per_second", "'fast'", "e.g. 47"]),
    ({"calls_per_second": 0}, ["calls_per_second", "'0'"]),
    ({"calls_per_second": "nan"}, ["calls_per_second", "'nan'"]),
    ({"calls_per_second": "inf"}, ["calls_per_second", "'inf'"]),
    ({"endpoint": "https://host"}, ["endpoint", "unknown", "vod_endpoint"]),
]


@pytest.mark.parametrize(("given", "says"), MISTAKES)
def test_a_field_that_cannot_work_is_refused_by_name_with_a_fix(given: dict[str, object], says: list[str]) -> None:
    with pytest.raises(BadSetting) as caught:
        fields(**given)
    text = str(caught.value)
    assert all(part in text for part in [*says, "vod_default"])
    assert "hidden-secret" not in text


def test_a_password_in_an_endpoint_is_refused_and_never_repeated() -> None:
    with pytest.raises(BadSetting, match="oss_endpoint") as caught:
        fields(oss_endpoint="https://user:pa55@host")
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "variable"),
    [
        ("VOD_MIGRATE_REGION", "VOD_MIGRATE_REGION"),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    ],
)
def test_by_hand_the_variable_is_named(missing: str, variable: str) -> None:
    environment = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
        "VOD_MIGRATE_REGION": "cn-shanghai",
    }
    del environment[missing]
    with pytest.raises(BadSetting, match=variable):
        connection_from_environment(environment)


def test_other_variables_of_the_environment_are_none_of_our_business() -> None:
    made = connection_from_environment(
        {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
            "VOD_MIGRATE_REGION": "cn-beijing",
            "VOD_MIGRATE_ACCOUNT": " studio ",
            "VOD_MIGRATE_CALLS_PER_SECOND": "20",
            "VOD_MIGRATE_DATABASE_URL": "postgresql://elsewhere",
            "PATH": "/bin",
        }
    )
    assert (made.account, made.region, made.calls_per_second) == ("studio", "cn-beijing", 20.0)
    assert made.oss_endpoint == "https://oss-cn-beijing.aliyuncs.com"
    assert made.storage_address("films") == "films.oss-cn-beijing.aliyuncs.com"


def test_an_internal_endpoint_for_listing_leaves_the_storage_address_public() -> None:
    made = fields(oss_endpoint="https://oss-cn-shanghai-internal.aliyuncs.com/")
    assert made.oss_endpoint == "https://oss-cn-shanghai-internal.aliyuncs.com"
    assert made.storage_address("films") == "films.oss-cn-shanghai.aliyuncs.com"


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8080", "https://[::1]:8443", "http://vod.local"])
def test_any_server_that_speaks_the_protocols_can_be_named(endpoint: str) -> None:
    assert fields(oss_endpoint=endpoint, vod_endpoint=endpoint).vod_endpoint == endpoint


def test_keys_stay_out_of_every_repr() -> None:
    made = fields(security_token="hidden-token", credential_provider="ram_role_arn", role_arn=ROLE)
    for text in (repr(made), repr(fields(security_token="hidden-token"))):
        assert "hidden-" not in text


def test_keys_that_are_given_are_the_keys_in_force() -> None:
    keys = fields(security_token="token").credentials.current()
    assert (keys.access_key_id, keys.access_key_secret, keys.security_token) == ("id", "hidden-secret", "token")
    assert fields().credentials.client.get_credential().access_key_id == "id"


def test_a_role_is_assumed_with_the_keys_and_never_replaced_by_them() -> None:
    source = fields(credential_provider="ram_role_arn", role_arn=ROLE).credentials
    assert source.provider == "ram_role_arn"
    with pytest.deprecated_call():
        assert source.client.get_type() == "ram_role_arn"


def test_a_provider_that_lacks_its_settings_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", raising=False)
    source = connection_from_fields(
        {"region": "cn-shanghai", "credential_provider": "oidc_role_arn", "role_arn": ROLE}, origin="test"
    ).credentials
    with pytest.raises(BadSetting, match="oidc_role_arn"):
        source.current()
