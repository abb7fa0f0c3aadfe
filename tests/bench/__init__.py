"""`make bench`: what a request costs the server, as a ratio to bare aiohttp in the same run."""
