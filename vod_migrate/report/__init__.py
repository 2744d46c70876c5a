"""What happened in a run: one model, shown as text, as a page, as tables and as JSON."""
