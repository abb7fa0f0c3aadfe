"""The service's verdicts on tokens, beside those of another implementation: `make differential`."""
