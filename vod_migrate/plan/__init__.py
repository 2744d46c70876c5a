"""What a run would do, before it does: counted, described, timed, saved, and held against the source when it is approved."""
