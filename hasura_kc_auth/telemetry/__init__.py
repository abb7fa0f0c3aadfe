"""What operators see: metrics and logs. Nothing of a token or a claim is in either."""
