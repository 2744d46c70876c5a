# Airflow with vod-migrate in it: the lock that CI tests, installed over Airflow's own image.
#
# The slim image and not python:3.11-slim, for its entrypoint (dumb-init, waiting for the database, any user ID of group 0).
# The slim one and not the full one, whose eighty providers are pinned against other versions than our lock.
FROM apache/airflow:slim-3.3.2-python3.11

COPY requirements.txt /opt/vod-migrate/requirements.txt
# Without bytecode on disk every Airflow process starts 5 s later; a later layer could not write it as another user.
RUN uv pip install --no-cache --compile-bytecode -r /opt/vod-migrate/requirements.txt

COPY --chown=airflow:root pyproject.toml README.md LICENSE /opt/vod-migrate/
COPY --chown=airflow:root vod_migrate /opt/vod-migrate/vod_migrate
RUN uv pip install --no-cache --compile-bytecode --no-deps /opt/vod-migrate

COPY --chown=airflow:root dags /opt/airflow/dags
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root deploy/init.sh /opt/airflow/init.sh

# Owned by the image's user, so that volumes made for them are too.
RUN mkdir -p /opt/airflow/reports /opt/airflow/logs && chmod g+rwX /opt/airflow/reports /opt/airflow/logs
ENV VOD_MIGRATE_REPORTS=/opt/airflow/reports

USER airflow
