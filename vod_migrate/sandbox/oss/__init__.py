"""Object Storage Service, as far as listing, reading and writing objects goes."""
