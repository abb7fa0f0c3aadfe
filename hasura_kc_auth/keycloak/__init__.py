"""Speaks to Keycloak: where a realm publishes its keys, and which keys those are."""
