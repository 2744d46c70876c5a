"""`python -m vod_migrate.cli`."""

from vod_migrate.cli.app import main

main()
