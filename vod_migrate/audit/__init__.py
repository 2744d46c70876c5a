"""After a run: what became of objects, in the results, in OSS and in VOD."""
