"""From an object to its RegisterMetadata."""
