"""The account-wide rate limit."""
