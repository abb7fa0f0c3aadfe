"""Who may see what, by a model that knows who is who and never looks at a token."""
