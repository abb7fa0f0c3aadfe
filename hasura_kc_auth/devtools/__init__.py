"""A Keycloak-shaped issuer for demos, tests and people's own development. No Keycloak."""
