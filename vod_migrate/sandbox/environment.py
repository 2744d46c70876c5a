"""How a client finds a sandbox: environment variables."""

from __future__ import annotations

from vod_migrate.sandbox.settings import SandboxConfig

URL_VARIABLE = "VOD_MIGRATE_SANDBOX_URL"


def client_environment(endpoint: str, config: SandboxConfig) -> dict[str, str]:
    """The environment variables that point a client at a sandbox."""
    account = config.accounts[0]
    credential = account.credentials[0]
    token = credential.security_token
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": credential.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": credential.access_key_secret.get_secret_value(),
        **({"ALIBABA_CLOUD_SECURITY_TOKEN": token.get_secret_value()} if token else {}),
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
        "VOD_MIGRATE_REGION": account.regions[0],
        "VOD_MIGRATE_OSS_ENDPOINT": endpoint,
        "VOD_MIGRATE_VOD_ENDPOINT": endpoint,
        URL_VARIABLE: endpoint,
    }
