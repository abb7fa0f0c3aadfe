"""A realm with levels of authentication: one password for level 1, and again for level 2."""

import json
from collections.abc import Mapping

from browser import Attempt, Browser, form_action
from login import Tokens
from realm import Realm

FLOW = "levels"
FORMS = {1: "auth-username-password-form", 2: "auth-password-form"}


async def add_levels(realm: Realm, names: Mapping[str, int] | None = None) -> None:
    """Ask for as many logins as `acr_values` wants; `names` are those of the levels in `acr`."""
    flows = f"{realm.path}/authentication/flows"
    flow = {"alias": FLOW, "providerId": "basic-flow", "topLevel": True, "builtIn": False}
    await realm.admin.post(flows, flow)
    await _add_step(realm, FLOW, "auth-cookie", "ALTERNATIVE")
    await _add_flow(realm, FLOW, "logins", "ALTERNATIVE")
    for level, form in FORMS.items():
        name = f"level-{level}"
        await _add_flow(realm, "logins", name, "CONDITIONAL")
        step = await _add_step(realm, name, "conditional-level-of-authentication", "REQUIRED")
        # Worth this one login only: who comes back by cookie has no level at all.
        config = {"loa-condition-level": str(level), "loa-max-age": "0"}
        path = f"{realm.path}/authentication/executions/{step}/config"
        await realm.admin.post(path, {"alias": name, "config": config})
        await _add_step(realm, name, form, "REQUIRED")
    attributes = {} if names is None else {"acr.loa.map": json.dumps(names)}
    await realm.configure(browserFlow=FLOW, attributes=attributes)


async def _add_step(realm: Realm, flow: str, provider: str, requirement: str) -> str:
    path = f"{realm.path}/authentication/flows/{flow}/executions"
    step = await realm.admin.post(f"{path}/execution", {"provider": provider})
    await realm.admin.put(path, {"id": step, "requirement": requirement})
    return step


async def _add_flow(realm: Realm, parent: str, name: str, requirement: str) -> None:
    path = f"{realm.path}/authentication/flows/{parent}/executions"
    flow = {"alias": name, "type": "basic-flow", "provider": "registration-page-form"}
    await realm.admin.post(f"{path}/flow", flow)
    found = await realm.admin.get(path)
    [step] = [it["id"] for it in found if it["displayName"] == name]
    await realm.admin.put(path, {"id": step, "requirement": requirement})


class StrongBrowser(Browser):
    """A browser whose person types the password as often as it is asked for."""

    async def login_with_level(self, user: str, scope: str, level: str) -> Tokens:
        attempt = Attempt()
        page, redirect = await self._authorize(attempt, scope, {"acr_values": level})
        for _ in FORMS:
            if redirect is None:
                form = {"username": user, "password": user}
                page, redirect = await self._send("POST", form_action(page), data=form)
        return await self._finish(attempt, page, redirect)
