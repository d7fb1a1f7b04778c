"""The OpenAPI document, made from the models that the API really sends."""

from __future__ import annotations

from typing import Any

from moonlight_spawner import __version__
from moonlight_spawner.model.session import Session
from moonlight_spawner.site.images import Image
from pydantic.json_schema import models_json_schema

_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_RANGE = {
    "type": "object",
    "required": ["min", "max"],
    "properties": {"min": _NUMBER, "max": _NUMBER},
}

_WRONG = {
    "description": "What is wrong and what to do",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


_USER = {
    "name": "user",
    "in": "query",
    "required": False,
    "description": "for admins: whose sessions",
    "schema": _TEXT,
}
_OF_USERS = [
    ("/api/moonlight/sessions", "get"),
    ("/api/moonlight/sessions/{session_id}", "get"),
    ("/api/moonlight/sessions/{session_id}", "delete"),
    ("/api/moonlight/sessions/{session_id}/logs", "get"),
]
_LOGIN: dict[str, Any] = {
    "/api/moonlight/login": {
        "post": {
            "summary": "Exchange the portal's token for our cookie",
            "responses": {
                "200": {
                    "description": "Who is logged in, and until when",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["user", "admin", "expires_at", "page"],
                                "properties": {
                                    "user": _TEXT,
                                    "admin": {"type": "boolean"},
                                    "expires_at": {**_TEXT, "format": "date-time"},
                                    "page": _TEXT,
                                },
                            }
                        }
                    },
                },
                "401": _WRONG,
                "503": _WRONG,
                "default": _WRONG,
            },
        }
    },
    "/api/moonlight/logout": {
        "post": {
            "summary": "End our login",
            "responses": {"204": {"description": "It is ended"}, "403": _WRONG, "default": _WRONG},
        }
    },
}


def document(base_url: str, portal: bool = False) -> dict[str, Any]:
    """The description of the API as served below ``base_url``, by a portal's service or by Jupyter."""
    token: dict[str, Any] = {"type": "apiKey", "in": "header", "name": "Authorization"}
    if portal:
        token = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    paths = _paths() | (_LOGIN if portal else {})
    if portal:
        for path, method in _OF_USERS:
            paths[path][method].setdefault("parameters", []).append(_USER)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moonlight HPC",
            "version": __version__,
            "license": {"name": "BSD-3-Clause"},
        },
        "servers": [{"url": base_url.rstrip("/") or "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": token,
            },
        },
    }


def _paths() -> dict[str, Any]:
    session_id = _parameter("session_id", "path", _TEXT)
    key = _parameter("Idempotency-Key", "header", {**_TEXT, "maxLength": 128})
    tail = _parameter("tail", "query", {**_WHOLE, "default": 65536})
    return {
        "/api/moonlight/health": {"get": _call("Version, user and batch system", "Health")},
        "/api/moonlight/site": {"get": _call("Defaults and limits of a launch", "Site")},
        "/api/moonlight/images": {"get": _call("The image catalogue", "Images")},
        "/api/moonlight/sessions": {
            "get": _call("The user's sessions, newest first", "Sessions"),
            "post": {
                **_call(
                    "Launch a session",
                    "Session",
                    status="201",
                    errors=(400, 404, 409, 422, 503, 507),
                ),
                "parameters": [key],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _ref("LaunchRequest")}},
                },
            },
        },
        "/api/moonlight/sessions/{session_id}": {
            "parameters": [session_id],
            "get": _call("One session", "Session", errors=(404,)),
            "delete": _call("Stop a session", "Session", status="202", errors=(404,)),
        },
        "/api/moonlight/sessions/{session_id}/logs": {
            "parameters": [session_id],
            "get": {
                **_call("The ends of its logs", "Logs", errors=(400, 404)),
                "parameters": [tail],
            },
        },
        "/api/moonlight/sessions/{session_id}/native": {
            "parameters": [session_id],
            "get": _call("Native Moonlight clients", "Native", errors=(404, 409, 502)),
        },
        "/api/moonlight/sessions/{session_id}/native/pin": {
            "parameters": [session_id],
            "post": {
                **_call("Pair a native client", "Paired", errors=(400, 404, 409, 422, 502)),
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _ref("Pin")}},
                },
            },
        },
        "/api/moonlight/sessions/{session_id}/native/clients/{uuid}": {
            "parameters": [session_id, _parameter("uuid", "path", _TEXT)],
            "delete": _call("Remove a paired client", "Removed", errors=(404, 409, 502)),
        },
        "/api/moonlight/sessions/{session_id}/clipboard": {
            "parameters": [session_id],
            "get": _call("The desktop's clipboard", "Clipboard", errors=(404, 409, 502)),
            "put": {
                **_call("Set it", "ClipboardSet", errors=(400, 404, 409, 413, 502)),
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _ref("ClipboardText")}},
                },
            },
        },
        "/api/moonlight/events": {
            "get": {
                "summary": "Changes of the user's sessions as server-sent events",
                "responses": {
                    "200": {
                        "description": "events `sessions`, `session` and `removed`",
                        "content": {"text/event-stream": {"schema": _TEXT}},
                    },
                    "403": _WRONG,
                    "default": _WRONG,
                },
            }
        },
        "/api/moonlight/openapi.json": {"get": _call("This document", "OpenAPI")},
    }


def _schemas() -> dict[str, Any]:
    _, models = models_json_schema(
        [(Session, "serialization"), (Image, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = models["$defs"]
    session = schemas["Session"]
    session["properties"] |= {"web_url": _TEXT, "stream_url": _TEXT}
    session["required"] = [*session.get("required", []), "web_url", "stream_url"]
    return {
        **schemas,
        "LaunchRequest": _object(
            {
                "image": _TEXT,
                "hours": _NUMBER,
                "cpus": _WHOLE,
                "memory_gb": _NUMBER,
                "gpus": _WHOLE,
                "resolution": {**_TEXT, "pattern": "^[1-9][0-9]{2,4}x[1-9][0-9]{2,4}$"},
                "fps": _WHOLE,
                "bitrate_kbps": _WHOLE,
                "keyboard": _TEXT,
                "host": {"enum": ["auto", "selkies", "sunshine"]},
                "where": {"enum": ["here", "job"]},
            },
            required=[],
        ),
        "Sessions": _object({"sessions": _list("Session")}),
        "Images": _object({"images": _list("Image")}),
        "Logs": _object(
            {
                "logs": {
                    "type": "array",
                    "items": _object(
                        {
                            "name": _TEXT,
                            "size": _WHOLE,
                            "truncated": {"type": "boolean"},
                            "text": _TEXT,
                        }
                    ),
                }
            }
        ),
        "Health": _object(
            {
                "status": {"enum": ["ok", "degraded"]},
                "version": _TEXT,
                "user": _TEXT,
                "scheduler": _object(
                    {
                        "name": _TEXT,
                        "available": {"type": "boolean"},
                        "message": {"type": ["string", "null"]},
                    }
                ),
            }
        ),
        "Site": _object(
            {
                "scheduler": {"enum": ["slurm", "local"]},
                "partition": {"type": ["string", "null"]},
                "qos": {"type": ["string", "null"]},
                "defaults": _ref("LaunchRequest"),
                "limits": {"type": "object", "additionalProperties": _RANGE},
                "keyboards": {"type": "array", "items": _TEXT},
                "where": {"type": "array", "items": {"enum": ["here", "job"]}},
                "here": {"oneOf": [_ref("JobHere"), {"type": "null"}]},
            }
        ),
        "JobHere": {
            **schemas["Allocation"],
            "properties": {**schemas["Allocation"]["properties"], "job_id": _TEXT},
        },
        "OpenAPI": {"type": "object", "required": ["openapi", "paths"]},
        "Native": _object(
            {
                "available": {"type": "boolean"},
                "address": {"type": ["string", "null"]},
                "port": _WHOLE,
                "clients": {
                    "type": "array",
                    "items": _object(
                        {"uuid": _TEXT, "name": _TEXT, "enabled": {"type": "boolean"}}
                    ),
                },
            }
        ),
        "Pin": _object(
            {"pin": {**_TEXT, "pattern": "^[0-9]{4}$"}, "name": _TEXT}, required=["pin"]
        ),
        "Paired": _object({"uuid": _TEXT, "name": _TEXT}),
        "Clipboard": _object({"text": _TEXT, "truncated": {"type": "boolean"}}),
        "ClipboardText": _object({"text": _TEXT}),
        "ClipboardSet": _object({"length": _WHOLE}),
        "Removed": _object({"uuid": _TEXT}),
        "Error": _object(
            {
                "message": _TEXT,
                "error": _object(
                    {
                        "code": _TEXT,
                        "fields": {
                            "type": "array",
                            "items": _object({"field": _TEXT, "value": {}, "message": _TEXT}),
                        },
                    },
                    required=["code"],
                ),
            }
        ),
    }


def _call(
    summary: str, schema: str, status: str = "200", errors: tuple[int, ...] = ()
) -> dict[str, Any]:
    answer = {"description": summary, "content": {"application/json": {"schema": _ref(schema)}}}
    responses = {status: answer, **{str(code): _WRONG for code in (403, *errors)}}
    responses.setdefault("200", answer)
    responses["default"] = _WRONG
    return {"summary": summary, "responses": responses}


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, **({"required": names} if names else {})}


def _list(schema: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(schema)}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
