"""ApsaraVideo VOD 2017-03-21: RegisterMedia, and the APIs its page refers to."""
