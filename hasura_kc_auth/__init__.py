"""The org-aware front door between Keycloak and Hasura."""

__version__ = "0.1.0"
