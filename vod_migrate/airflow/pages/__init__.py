"""The pages of vod-migrate inside Airflow: what a run did and does, its buttons, its tables.

Server-rendered with FastAPI and Jinja; every route asks Airflow who the user is (`security`), and every query is told
which DAGs that user may read.
"""
