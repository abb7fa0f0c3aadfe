"""What the service remembers between requests."""
