"""The service's settings: their types, and the only code that reads them from the outside."""
