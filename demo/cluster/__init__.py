"""The services of docker-compose.yml as local processes: several machines on one, without Docker."""
