#!/bin/sh
# Who sees what: logs in to Keycloak and asks Hasura, with curl alone.
set -eu

keycloak=${KEYCLOAK:-http://localhost:8080}
hasura=${HASURA:-http://localhost:8081}

# A token of the user $1 for the scopes $2. By password, which is for scripts: a frontend sends its
# users to Keycloak's login page, with the same `scope`.
token() {
  curl --silent --show-error --fail "$keycloak/realms/demo/protocol/openid-connect/token" \
    --data client_id=frontend --data grant_type=password \
    --data-urlencode "username=$1" --data password=demo --data-urlencode "scope=openid $2" |
    sed 's/.*"access_token":"\([^"]*\)".*/\1/'
}

# What Hasura answers; the arguments are headers of the request.
ask() {
  query='{ project(order_by: {id: asc}) { name } invoice(order_by: {id: asc}) { region amount } }'
  for header in "$@"; do
    set -- "$@" --header "$header"
    shift
  done
  curl --silent --show-error --fail "$hasura/v1/graphql" "$@" \
    --header "Content-Type: application/json" --data "{\"query\": \"$query\"}"
  echo
}

# The first start takes a while.
curl --silent --show-error --fail --output /dev/null \
  --retry 60 --retry-delay 1 --retry-connrefused --retry-all-errors "$hasura/healthz"

say() { printf '\n# %s\n' "$*"; }

say "alice in acme, where she is an editor, for the regions eu and us"
acme=$(token alice acme)
ask "Authorization: Bearer $acme"

say "alice in globex, where she is a viewer: other rows, same query"
ask "Authorization: Bearer $(token alice globex)"

say "bob in acme: the region eu only"
ask "Authorization: Bearer $(token bob acme)"

say "dave in globex, an admin there: all regions"
ask "Authorization: Bearer $(token dave globex)"

say "one token for both of alice's orgs: refused, nobody knows which is meant"
both=$(token alice "acme globex")
ask "Authorization: Bearer $both"

say "the same token, and the request names one of its orgs"
ask "Authorization: Bearer $both" "X-Hasura-Org-Id: globex"

say "a token for acme cannot be used for globex: refused"
ask "Authorization: Bearer $acme" "X-Hasura-Org-Id: globex"

say "nor for a role that alice does not hold: refused"
ask "Authorization: Bearer $acme" "X-Hasura-Role: org_admin"

say "carol belongs to no org: refused"
ask "Authorization: Bearer $(token carol acme)"

say "nobody: refused"
ask
