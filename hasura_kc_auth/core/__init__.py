"""The whole security decision, as pure code: no I/O, no clock, no logging.

Read it in this order: errors (what can be said), request (what was asked), token (what was sent),
keys (who may have signed), rules (what must hold), orgs (what is granted),
session (the answer).
"""
