"""The life of a run: request, prepare, work, settle, resume, control."""
