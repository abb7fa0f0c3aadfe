"""`make demo-keycloak`: the demo's questions with real tokens.

Starts a Keycloak, makes a realm with users, lets `hasura-kc-auth keycloak apply` set it up by a
file of orgs, and puts the service in front of it. Then it stays up, unless told `--once`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from admin import Admin
from commands import SETTINGS, Commands
from keycloak_dist import Tools, find_tools
from keycloak_server import KeycloakServer
from login import Client
from realm import Realm

from hasura_kc_auth.cli.demo import show_answers
from hasura_kc_auth.cli.running import Exit, Signals, raw_output
from hasura_kc_auth.cli.scenario import QUESTIONS, Answer, Question, ask
from hasura_kc_auth.config.sources import load
from hasura_kc_auth.devtools.tokens import LIFESPAN
from hasura_kc_auth.wiring import Service

PASSWORD = "demo"
USERS = ("alice", "bob", "carol", "dave")
ORGS = """\
realm: {realm}
carrier: client-scope
audience: hasura
frontends:
  - {{client: frontend, redirect_uris: ["http://127.0.0.1/*"]}}
template:
  roles: {{viewer: [], editor: [], admin: [], owner: [viewer, editor, admin]}}
orgs:
  acme:
    display_name: Acme Inc.
    members: {{alice: [editor], bob: [viewer], dave: [owner]}}
  globex:
    members: {{alice: [viewer]}}
  initech:
"""
# Little leeway: one of the questions is put with a token that has just expired.
SERVICE = """\
issuers: [{{issuer: "{issuer}", clients: [frontend], audiences: [hasura], leeway: 1s}}]
roles: {{allowed: [org_admin, editor, viewer, owner], map: {{admin: org_admin}}}}
session: {{variables: {{X-Hasura-Email: email}}}}
webhook: {{port: 0}}
management: {{port: 0}}
log: {{format: console}}
"""
_SHORT, _OVER = 1, 3.0
_STDERR = 2


async def main(version: str, *, once: bool) -> Exit:
    tools = find_tools(os.environ)  # noqa: TID251 - handed on to what starts the server
    if not isinstance(tools, Tools):
        print(tools, file=sys.stderr)
        return Exit.CANNOT_TELL
    print(f"starting Keycloak {version}; the first time it is fetched by Maven", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)  # noqa: TID251 - as above
        server = await asyncio.to_thread(
            KeycloakServer.install, version, tools, Path(folder), environment
        )
        try:
            await server.start()
            return await _show(server, Path(folder), once=once)
        finally:
            await server.stop()


async def _show(server: KeycloakServer, folder: Path, *, once: bool) -> Exit:
    async with Admin(server.url, server.bootstrap.username, server.bootstrap.password) as admin:
        realm = await prepare(admin, Commands(folder, server.bootstrap))
        service = Service(load(folder / SETTINGS, {}), raw_output(_STDERR))
        await service.start()
        try:
            answers = await ask_all(realm, service)
            show_answers(answers, as_json=False)
            if not once:
                print(_invitation(server, realm, service))
                await Signals().wait()
        finally:
            await service.stop(drain=0.0)
    return Exit.YES if all(answer.as_expected for answer in answers) else Exit.NO


async def prepare(admin: Admin, commands: Commands, name: str = "demo") -> Realm:
    """Make a realm with users and nothing else, and let the command do all the rest."""
    realm = await Realm.create(admin, name)
    for user in USERS:
        await realm.add_user(user, password=PASSWORD)
    commands.write(ORGS.format(realm=name), SERVICE.format(issuer=realm.issuer))
    done = await commands.run("apply")
    print(done.out, done.err, file=sys.stderr)
    # What the file does not speak of stays as people set it: to log in by password from a shell.
    [frontend] = await admin.get(f"{realm.path}/clients", clientId="frontend")
    realm.clients["frontend"] = frontend["id"]
    await realm.configure_client("frontend", directAccessGrantsEnabled=True)
    return realm


async def ask_all(realm: Realm, service: Service) -> list[Answer]:
    """Log in for each question, and put it to the service."""
    tokens = {it.title: await _token(realm, it) for it in QUESTIONS}
    await asyncio.sleep(_OVER)
    return await ask(service.webhook_url, [(it, tokens[it.title]) for it in QUESTIONS])


async def _token(realm: Realm, question: Question) -> str | None:
    if question.kind == "none":
        return None
    lifespan = str(_SHORT if question.kind == "expired" else LIFESPAN)
    await realm.configure_client("frontend", attributes={"access.token.lifespan": lifespan})
    client = Client(realm.admin.http, realm.issuer)
    tokens = await client.password(question.user, question.scope, PASSWORD)
    return {"identity": tokens.id, "refresh": tokens.refresh}.get(question.kind, tokens.access)


def _invitation(server: KeycloakServer, realm: Realm, service: Service) -> str:
    form = "-d client_id=frontend -d grant_type=password -d username=alice -d password=demo"
    url = f"{realm.issuer}/protocol/openid-connect/token"
    bootstrap = server.bootstrap
    return f"""
Keycloak and the webhook stay up until Ctrl-C; denials are logged here.

console   {server.url}/admin   {bootstrap.username} / {bootstrap.password}
issuer    {realm.issuer}
users     {", ".join(USERS)}   password: {PASSWORD}

TOKEN=$(curl -s {url} {form} \\
  -d 'scope=openid acme' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
curl -si {service.webhook_url} -H "Authorization: Bearer $TOKEN"
curl -s {service.management_url}/metrics | grep hasura_kc_auth_decisions
"""


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--once", action="store_true", help="print the table and exit")
    options.add_argument(
        "--version", default="26.7.3", help="which Keycloak (default: %(default)s)"
    )
    given = options.parse_args()
    sys.exit(asyncio.run(main(given.version, once=given.once)))
