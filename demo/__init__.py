"""`make demo`: a whole migration in a real Airflow, against the sandbox, with no cloud account and nothing left behind."""
