"""What is looked at before a run, and by `vod-migrate doctor`: each check says what was tried, the answer, and the fix."""
