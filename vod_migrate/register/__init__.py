"""Batching, pacing, calling and recording: what turns pending results into MediaIds."""
