"""Register large OSS archives in ApsaraVideo VOD: batched, paced, resumable, explained."""

__version__ = "0.1.0"
