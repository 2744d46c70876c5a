"""Where a stored file lies: in a bucket, or on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A key of a bucket, or a path where bucket is ''."""

    bucket: str
    path: str

    def __str__(self) -> str:
        return f"oss://{self.bucket}/{self.path}" if self.bucket else self.path

    def beside(self, path: str) -> Location:
        """Another key of the same bucket, or another path."""
        return Location(bucket=self.bucket, path=path)


def location_of(location: str) -> Location:
    """Reads a path or oss://BUCKET/KEY."""
    if not location.startswith("oss://"):
        return Location(bucket="", path=location)
    bucket, _, key = location.removeprefix("oss://").partition("/")
    return Location(bucket=bucket, path=key)
