"""More texts of the same meaning, from texts that there are."""
