#!/usr/bin/env bash
# Prepares both databases before any other service starts. Safe to run again: an upgrade runs it too.
set -euo pipefail

airflow db migrate
vod-migrate db upgrade

# Does nothing when the user exists, so a password changed in the UI stays changed.
airflow users create --username "$ADMIN_USERNAME" --password "$ADMIN_PASSWORD" --role Admin \
  --firstname Airflow --lastname Administrator --email "$ADMIN_EMAIL"
