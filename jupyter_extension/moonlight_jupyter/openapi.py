"""The OpenAPI document: the calls that this server takes, and all that they may answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moonlight_spawner import __version__
from moonlight_spawner.model.session import SESSION_ID, State
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.request import DOOR, IMAGE_ID, WHERE

from .listing import MOST, MOST_OFFSET, MOST_VALUES
from .openapi_schemas import TEXT, WHOLE, an_object, ref, schemas

Call = dict[str, Any]

_BASE = "/api/moonlight"
_SESSION = f"{_BASE}/sessions/{{session_id}}"
_WRONG = {
    "description": "What is wrong and what to do",
    "content": {"application/json": {"schema": ref("Error")}},
}
_TOO_MANY = {
    **_WRONG,
    "description": "The user asks more often than the site lets one",
    "headers": {"Retry-After": {"description": "seconds", "required": True, "schema": WHOLE}},
}
_ETAG = {"ETag": {"description": "for If-None-Match", "schema": TEXT}}
_PAGE = {
    "X-Total-Count": {
        "description": "how many there are, on this page and all others",
        "required": True,
        "schema": WHOLE,
    },
    "Link": {"description": 'the next page, if there is one: <…>; rel="next"', "schema": TEXT},
}


def document(
    base_url: str, site: MoonlightSite, portal: bool = False, where: Sequence[str] = WHERE
) -> dict[str, Any]:
    """The description of the API as served below ``base_url``, by a portal's service or by Jupyter, to
    whom a launch may say ``where`` it is to run."""
    paths = _paths() | _sharing() | (_login() if portal else {})
    schemes: dict[str, Any] = {
        "token": {"type": "apiKey", "in": "header", "name": "Authorization"},
    }
    if portal:
        for path, method in _OF_USERS:
            paths[path][method].setdefault("parameters", []).append(_USER)
        for calls in paths.values():
            for method, call in calls.items():
                if method != "parameters":
                    _as_in_a_portal(call)
        schemes = {
            "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "login": {
                "type": "apiKey",
                "in": "cookie",
                "name": "moonlight-login",
                "description": "what changes something needs the header X-XSRFToken with the value of "
                "the cookie _xsrf as well",
            },
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moonlight HPC",
            "version": __version__,
            "license": {"name": "BSD-3-Clause"},
        },
        "servers": [{"url": base_url.rstrip("/") or "/"}],
        "security": [{name: []} for name in schemes],
        "paths": paths,
        "components": {"schemas": schemas(site, where, portal), "securitySchemes": schemes},
    }


_USER = {
    "name": "user",
    "in": "query",
    "required": False,
    "description": "for admins: whose sessions",
    "schema": TEXT,
}
_OF_USERS = [
    (f"{_BASE}/sessions", "get"),
    (_SESSION, "get"),
    (_SESSION, "delete"),
    (f"{_SESSION}/logs", "get"),
]


def _as_in_a_portal(call: Call) -> None:
    """Tokens may not count, users are counted, and what is theirs is done by others."""
    call["responses"] = {
        **call["responses"],
        "401": _WRONG,
        "429": _TOO_MANY,
        **{str(status): _WRONG for status in (502, 503, 504)},
    }


def _login() -> dict[str, Any]:
    who = an_object(
        {
            "user": TEXT,
            "admin": {"type": "boolean"},
            "expires_at": {**TEXT, "format": "date-time"},
            "page": TEXT,
        }
    )
    return {
        f"{_BASE}/login": {
            "post": {
                "summary": "Exchange the portal's token for our cookie",
                "security": [{"token": []}],
                "responses": {
                    "200": _answer("Who is logged in, and until when", who),
                    "default": _WRONG,
                },
            }
        },
        f"{_BASE}/logout": {
            "post": {
                "summary": "End our login",
                "responses": {
                    "204": {"description": "It is ended"},
                    "403": _WRONG,
                    "default": _WRONG,
                },
            }
        },
    }


def _paths() -> dict[str, Any]:
    session_id = _parameter("session_id", "path", {**TEXT, "pattern": f"^{SESSION_ID.pattern}$"})
    key = _parameter(
        "Idempotency-Key", "header", {**TEXT, "pattern": "^[!-~]{1,128}$", "maxLength": 128}
    )
    tail = {**WHOLE, "minimum": 0, "maximum": 99_999_999, "default": 65536}
    sessions = _get("The user's sessions, newest first", "Sessions", 400)
    sessions["responses"]["200"]["headers"] = {**_ETAG, **_PAGE}
    return {
        f"{_BASE}/health": {"get": _get("Version, user and batch system", "Health")},
        f"{_BASE}/site": {"get": _get("Defaults and limits of a launch", "Site")},
        f"{_BASE}/budget": {"get": _get("What the batch system leaves the user", "Budget")},
        f"{_BASE}/images": {"get": _get("The image catalogue", "Images")},
        f"{_BASE}/choices": {
            "get": _get("What the user chose in the launch form", "KeptChoices", 503),
            "put": {
                **_call("Keep it", "KeptChoices", 200, 400, 409, 413, 503),
                "requestBody": _body("ChoicesToKeep"),
            },
        },
        f"{_BASE}/sessions": {
            "get": {**sessions, "parameters": [*_filters(), *sessions["parameters"]]},
            "post": {
                **_call("Launch a session", "Session", 201, 400, 404, 409, 413, 422, 503, 507),
                "parameters": [key],
                "requestBody": _body("LaunchRequest", required=False),
            },
            "delete": _with(
                _call("Delete the records of those that have ended", "Deleted", 200, 400, 503),
                {**_parameter("live", "query", {"enum": ["false"]}), "required": True},
            ),
        },
        _SESSION: {
            "parameters": [session_id],
            "get": _get("One session", "Session", 404),
            "patch": {
                **_call("Rename it", "Session", 200, 400, 404, 413, 507),
                "requestBody": _body("Renaming"),
            },
            "delete": _call("Stop a session", "Session", 202, 404),
        },
        f"{_SESSION}/record": {
            "parameters": [session_id],
            "delete": _call("Delete the record of an ended session", "Deleted", 200, 404, 409, 503),
        },
        f"{_SESSION}/logs": {
            "parameters": [session_id],
            "get": _with(
                _get("The ends of its logs", "Logs", 400, 404), _parameter("tail", "query", tail)
            ),
        },
        f"{_SESSION}/native": {
            "parameters": [session_id],
            "get": _get("Native Moonlight clients", "Native", 404, 409, 502),
        },
        f"{_SESSION}/native/pin": {
            "parameters": [session_id],
            "post": {
                **_call("Pair a native client", "Paired", 200, 400, 404, 409, 413, 422, 502),
                "requestBody": _body("Pin"),
            },
        },
        f"{_SESSION}/native/clients/{{uuid}}": {
            "parameters": [
                session_id,
                _parameter("uuid", "path", {**TEXT, "pattern": "^[0-9A-Fa-f-]{1,64}$"}),
            ],
            "delete": _call("Remove a paired client", "Removed", 200, 404, 409, 502),
        },
        f"{_SESSION}/clipboard": {
            "parameters": [session_id],
            "get": _get("The desktop's clipboard", "Clipboard", 404, 409, 502),
            "put": {
                **_call("Set it", "ClipboardSet", 200, 400, 404, 409, 413, 502),
                "requestBody": _body("ClipboardText"),
            },
        },
        f"{_SESSION}/keep": {
            "parameters": [session_id],
            "post": _call("Keep it, though nobody seems to use it", "Kept", 200, 404, 409, 502),
        },
        f"{_SESSION}/picture": {
            "parameters": [session_id],
            "get": _picture(),
            "put": {
                **_call("Show or hide it", "PictureShown", 200, 400, 404, 409, 413, 502),
                "requestBody": _body("PictureShown"),
            },
        },
        f"{_BASE}/events": {
            "get": {
                "summary": "Changes of the user's sessions as server-sent events",
                "responses": {
                    "200": {
                        "description": "events `sessions`, `session` and `removed`",
                        "content": {"text/event-stream": {"schema": TEXT}},
                    },
                    "403": _WRONG,
                    "default": _WRONG,
                },
            }
        },
        f"{_BASE}/openapi.json": {"get": _get("This document", "OpenAPI")},
    }


def _sharing() -> dict[str, Any]:
    session_id = _parameter("session_id", "path", {**TEXT, "pattern": f"^{SESSION_ID.pattern}$"})
    one = _parameter("invitation", "path", {**TEXT, "pattern": "^[0-9a-f]{1,32}$"})
    return {
        f"{_SESSION}/sharing": {
            "parameters": [session_id],
            "get": _get("Who is invited", "Sharing", 404, 409, 502),
            "post": {
                **_call("Invite somebody", "MadeInvitation", 201, 400, 404, 409, 413, 502),
                "requestBody": _body("InvitationRequest"),
            },
            "delete": _call("End all invitations", "Sharing", 200, 404, 409, 502),
        },
        f"{_SESSION}/sharing/{{invitation}}": {
            "parameters": [session_id, one],
            "patch": {
                **_call("Give or take control", "Invitation", 200, 400, 404, 409, 413, 502),
                "requestBody": _body("InvitationRole"),
            },
            "delete": _call("End an invitation", "Sharing", 200, 404, 409, 502),
        },
        f"{_BASE}/guest": {
            "post": {
                **_call("Join another user's desktop", "Joined", 200, 400, 409, 413, 502),
                "requestBody": _body("Invited"),
            }
        },
    }


def _picture() -> Call:
    """No JSON but where it is refused."""
    call = _get("A small picture of the running desktop", "PictureShown", 404, 409, 502)
    jpeg = {"type": "string", "contentMediaType": "image/jpeg"}
    call["responses"]["200"]["content"] = {"image/jpeg": {"schema": jpeg}}
    return call


def _filters() -> list[Call]:
    def any_of(name: str, item: dict[str, Any], what: str) -> Call:
        values = {"type": "array", "items": item, "minItems": 1, "maxItems": MOST_VALUES}
        said = f"only {what}; of several values any will do"
        return {**_parameter(name, "query", values), "description": said}

    return [
        any_of("state", {"enum": [state.value for state in State]}, "in this state"),
        any_of("image", {**TEXT, "pattern": f"^{IMAGE_ID.pattern}$"}, "of this image"),
        any_of("door", {**TEXT, "pattern": f"^{DOOR.pattern}$"}, "started at this door"),
        _parameter("live", "query", {"type": "boolean"}),
        _parameter("limit", "query", {**WHOLE, "minimum": 1, "maximum": MOST}),
        _parameter("offset", "query", {**WHOLE, "minimum": 0, "maximum": MOST_OFFSET}),
    ]


def _get(summary: str, schema: str, *errors: int) -> Call:
    """It may be asked whether it is still what it was."""
    call = _call(summary, schema, 200, *errors)
    call["responses"]["200"]["headers"] = dict(_ETAG)
    call["responses"]["304"] = {"description": "It is still that of If-None-Match"}
    return _with(call, _parameter("If-None-Match", "header", TEXT))


def _call(summary: str, schema: str, status: int, *errors: int) -> Call:
    responses = {str(status): _answer(summary, ref(schema))}
    responses.setdefault("200", _answer(summary, ref(schema)))
    responses |= {str(code): _WRONG for code in (403, *errors)}
    return {"summary": summary, "responses": {**responses, "default": _WRONG}}


def _with(call: Call, *parameters: Call) -> Call:
    return {**call, "parameters": [*parameters, *call.get("parameters", [])]}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _body(schema: str, required: bool = True) -> dict[str, Any]:
    return {"required": required, "content": {"application/json": {"schema": ref(schema)}}}


def _parameter(name: str, place: str, schema: dict[str, Any]) -> Call:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
