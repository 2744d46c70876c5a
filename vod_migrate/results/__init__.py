"""The results store: what became of every object, on Postgres."""
