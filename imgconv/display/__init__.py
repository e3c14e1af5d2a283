"""Results as lines and tables, which a terminal, a string and a notebook show. Rich is imported when something is shown."""
