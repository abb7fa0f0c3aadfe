"""A realm as pieces: what it has, and how it is changed, through the admin API."""
