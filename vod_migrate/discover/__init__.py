"""Where objects come from, and which of them are taken."""
