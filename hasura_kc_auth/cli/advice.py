"""What to do about each code: the words of `explain`. The manual's table says the same.

Where the org is no client scope, what is said of orgs and roles is said in words of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.policy import OrgSource

ADVICE: dict[Code, str] = {
    Code.MALFORMED_REQUEST: "Look at what stands between the client and Hasura: two differing "
    "X-Hasura-Role or org headers, or a POST body that is not Hasura's.",
    Code.AMBIGUOUS_CREDENTIALS: "The client sends two different Authorization headers; over a "
    "WebSocket, one in connection_init and another in the handshake.",
    Code.NO_CREDENTIALS: "The client sends no Authorization header. Log in first, or configure "
    "`anonymous`.",
    Code.MALFORMED_TOKEN: "This is not an access token of Keycloak: send `Authorization: Bearer` "
    "and the `access_token` of the token endpoint, whole.",
    Code.UNSUPPORTED_ALGORITHM: "An HS256 or HS512 token is a refresh token, or the client signs "
    "with its secret: Keycloak, Clients, the client, Advanced, Access token signature algorithm. "
    "For another public-key algorithm add it to `algorithms`.",
    Code.WRONG_TYPE: "Send the `access_token`, not the `id_token` or the `refresh_token`.",
    Code.WRONG_ISSUER: "`issuer` must equal the token's iss to the letter. Keycloak puts the "
    "address that the browser used into iss: set its hostname (KC_HOSTNAME), write that into "
    "`issuer`, and Keycloak's inner address into `jwks_uri`.",
    Code.KEYS_UNAVAILABLE: "The issuer's keys cannot be fetched: `check --online` says why.",
    Code.UNKNOWN_KEY: "The realm does not publish this key: a token of before a key was disabled, "
    "of another Keycloak with the same address, or a refresh token. Log in again.",
    Code.BAD_SIGNATURE: "The token was changed on its way, or forged. Log in again.",
    Code.INTROSPECTION_UNAVAILABLE: "Keycloak did not answer about this token, or refused the "
    "client of `introspection`: the log's `introspection_failed` says why.",
    Code.INACTIVE_TOKEN: "Keycloak says that this token is not active: logged out, revoked, or its "
    "user disabled. If it says so of every token: from 26.6 on it tells only clients that are in "
    "the token's aud, so add an Audience mapper for the client of `introspection`.",
    Code.MISSING_CLAIM: "Keycloak, Clients, the frontend, Client scopes: `basic` (sub) must be a "
    "default scope. Lightweight access tokens lack most claims: turn them off for the frontend "
    "(Advanced).",
    Code.SENDER_CONSTRAINED: "The client asked for a DPoP or certificate-bound token, which "
    "cannot be checked behind Hasura: request a plain Bearer token.",
    Code.EXPIRED: "Refresh the token. If fresh ones are expired too, the clocks differ.",
    Code.NOT_YET_VALID: "The clock of this machine is behind Keycloak's by more than `leeway`.",
    Code.WRONG_CLIENT: "The token is from a client that is not in `clients`. Add the client if it "
    "is one of your frontends; admin-cli and the like never are.",
    Code.WRONG_AUDIENCE: "Keycloak, Client scopes, a default scope of the frontend, Mappers: add "
    "an Audience mapper with one of `audiences`.",
    Code.NO_ORG: "Ask for the org's scope at login (scope=openid ORG); assign it to the frontend "
    "as Optional (Keycloak, Clients, the frontend, Client scopes), and see that the user has a "
    "role in the client of that org.",
    Code.ORG_NOT_GRANTED: "The request names an org that this token does not hold: get a token for "
    "that org (an authorization request with prompt=none and scope=openid ORG).",
    Code.AMBIGUOUS_ORG: "The token holds several orgs: ask for one org's scope only, or name one "
    "of them in the org header.",
    Code.NO_ROLE: "None of the user's roles in this org is in `roles.allowed` (after `roles.map`). "
    "Give the user such a role (Keycloak, Users, Role mapping), or list the role.",
    Code.ROLE_NOT_GRANTED: "X-Hasura-Role names a role that the user does not hold in this org. "
    "Leave the header out to get the first role held.",
    Code.STEP_UP_REQUIRED: "This role needs a stronger login (`roles.acr`): send the user to "
    'Keycloak with acr_values. After a silent switch (prompt=none) acr is "0", and stays so on '
    "refresh, however strong the login was.",
    Code.INTERNAL_ERROR: "A mistake of this service: please report it with its log line.",
}

_OTHER_CARRIERS: Mapping[OrgSource, Mapping[Code, str]] = {
    "organization": {
        Code.NO_ORG: "Ask for the organization at login (scope=openid organization:ALIAS); assign "
        "the scope `organization` to the frontend as Optional (Keycloak, Clients, the frontend, "
        "Client scopes), and see that the user is a member (Organizations, the organization, "
        "Members).",
        Code.ORG_NOT_GRANTED: "The request names an organization that this token does not hold: "
        "get a token for that one (an authorization request with prompt=none and scope=openid "
        "organization:ALIAS).",
        Code.AMBIGUOUS_ORG: "The token holds several organizations: ask for one of them only "
        "(scope=openid organization:ALIAS). The org header may choose only where each was asked "
        "for by its alias.",
        Code.NO_ROLE: "None of the user's roles in this organization is in `roles.allowed` (after "
        "`roles.map`). Give the user one where `org.roles` looks for it: by a group of the "
        "organization (Keycloak, Organizations, the organization, Groups) or, with `client`, in "
        "the client named like its alias (Users, Role mapping). Or list the role.",
    },
    "claim": {
        Code.NO_ORG: "See that the user has the org's name where the claim is mapped from "
        "(Keycloak, Users, the user, Attributes) and a role in the client of that name, and that "
        "the role gets into the frontend's tokens (Clients, the frontend, Client scopes). A choice "
        "that was changed is in the token after the next refresh.",
        Code.ORG_NOT_GRANTED: "The request names an org that is not the one in the claim: change "
        "the user's choice, and refresh the token.",
    },
}


def advice_for(code: Code, source: OrgSource = "client-scope") -> str:
    """Return what to do; `source`: how the realm's tokens carry the org."""
    return _OTHER_CARRIERS.get(source, {}).get(code, ADVICE[code])
