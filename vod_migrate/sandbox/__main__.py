"""`python -m vod_migrate.sandbox`: the sandbox without the rest of the package."""

from vod_migrate.sandbox.cli import sandbox_app

if __name__ == "__main__":
    sandbox_app(prog_name="vod-migrate sandbox")
