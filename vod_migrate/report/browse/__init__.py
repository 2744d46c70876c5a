"""What the pages inside Airflow read."""
