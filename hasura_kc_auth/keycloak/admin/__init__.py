"""Keycloak's admin REST API: how it is called, and what its answers are."""
