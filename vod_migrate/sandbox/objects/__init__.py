"""What buckets hold: uploaded objects in memory, generated ones as a function of a seed."""
