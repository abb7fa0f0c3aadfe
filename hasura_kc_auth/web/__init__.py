"""Speaks HTTP: to Hasura (the webhook) and to operators (health and metrics)."""
