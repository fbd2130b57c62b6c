"""Word tables, by field."""
