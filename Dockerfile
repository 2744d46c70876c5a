# Airflow with vod-migrate: the lock that CI tests, installed on Airflow's own image.
#
# Not python:3.11-slim, because this image's entrypoint starts dumb-init, waits for the database and supports any user ID in group 0.
# Not the full Airflow image, because its eighty providers are pinned to other versions than our lock.
FROM apache/airflow:slim-3.3.2-python3.11

COPY requirements.txt /opt/vod-migrate/requirements.txt
# Without bytecode on disk, every Airflow process starts 5 s later, and another user could not write it at run time.
RUN uv pip install --no-cache --compile-bytecode -r /opt/vod-migrate/requirements.txt

COPY --chown=airflow:root pyproject.toml README.md LICENSE /opt/vod-migrate/
COPY --chown=airflow:root vod_migrate /opt/vod-migrate/vod_migrate
RUN uv pip install --no-cache --compile-bytecode --no-deps /opt/vod-migrate

COPY --chown=airflow:root dags /opt/airflow/dags
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root deploy/init.sh /opt/airflow/init.sh

# Owned by the image's user, so that volumes created for these folders are too.
RUN mkdir -p /opt/airflow/reports /opt/airflow/logs && chmod g+rwX /opt/airflow/reports /opt/airflow/logs
ENV VOD_MIGRATE_REPORTS=/opt/airflow/reports

USER airflow
