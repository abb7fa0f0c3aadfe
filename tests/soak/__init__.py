"""A long, mixed load against the real service, each answer compared with what must come."""
