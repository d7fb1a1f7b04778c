"""The JSON that the API takes and gives, made from the models that it really sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moonlight_spawner.model.budget import Budget
from moonlight_spawner.model.names import MOST_SIGNS
from moonlight_spawner.model.session import Session
from moonlight_spawner.site import choices
from moonlight_spawner.site.images import Image
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.request import HOSTS, IMAGE_ID, keyboards, limits
from moonlight_spawner.site.when import ADDRESS, begins_later, sends_mail
from pydantic.json_schema import models_json_schema

NUMBER: dict[str, Any] = {"type": "number"}
TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
NAME = {**TEXT, "maxLength": MOST_SIGNS, "description": "no control characters; empty for none"}
_RANGE = {
    "type": "object",
    "required": ["min", "max"],
    "properties": {"min": NUMBER, "max": NUMBER},
}


def schemas(site: MoonlightSite, where: Sequence[str], portal: bool = False) -> dict[str, Any]:
    """All of them by name; of a launch with what this site and this server allow."""
    _, models = models_json_schema(
        [(model, "serialization") for model in (Session, Image, Budget)],
        ref_template="#/components/schemas/{model}",
    )
    made: dict[str, Any] = models["$defs"]
    session = made["Session"]
    session["properties"] |= {"web_url": TEXT, "stream_url": TEXT}
    session["required"] = [*session.get("required", []), "web_url", "stream_url"]
    return {
        **made,
        "LaunchRequest": _launch(site, where),
        "Sessions": an_object({"sessions": list_of("Session")}),
        "Images": an_object({"images": list_of("Image")}),
        "Logs": an_object(
            {
                "logs": {
                    "type": "array",
                    "items": an_object(
                        {
                            "name": TEXT,
                            "size": WHOLE,
                            "truncated": {"type": "boolean"},
                            "text": TEXT,
                        }
                    ),
                }
            }
        ),
        "Health": an_object(
            {
                "status": {"enum": ["ok", "degraded"]},
                "version": TEXT,
                "user": TEXT,
                "scheduler": an_object(
                    {
                        "name": TEXT,
                        "available": {"type": "boolean"},
                        "message": {"type": ["string", "null"]},
                    }
                ),
            }
        ),
        "Site": an_object(
            {
                "scheduler": {"enum": ["slurm", "local"]},
                "partition": {"type": ["string", "null"]},
                "qos": {"type": ["string", "null"]},
                "defaults": ref("LaunchRequest"),
                "limits": {"type": "object", "additionalProperties": _RANGE},
                "keyboards": {"type": "array", "items": TEXT},
                "names": {"type": "boolean"},
                "begin_days": NUMBER,
                "mail": {"type": "boolean"},
                "where": {"type": "array", "items": {"enum": ["here", "job"]}},
                "here": {"oneOf": [ref("JobHere"), {"type": "null"}]},
            }
        ),
        "JobHere": {
            **made["Allocation"],
            "properties": {**made["Allocation"]["properties"], "job_id": TEXT},
        },
        "OpenAPI": {"type": "object", "required": ["openapi", "paths"]},
        "Native": an_object(
            {
                "available": {"type": "boolean"},
                "address": {"type": ["string", "null"]},
                "port": WHOLE,
                "clients": {
                    "type": "array",
                    "items": an_object(
                        {"uuid": TEXT, "name": TEXT, "enabled": {"type": "boolean"}}
                    ),
                },
            }
        ),
        "Pin": an_object(
            {"pin": {**TEXT, "pattern": "^[0-9]{4}$"}, "name": TEXT}, required=["pin"]
        ),
        "Paired": an_object({"uuid": TEXT, "name": TEXT}),
        "Clipboard": an_object({"text": TEXT, "truncated": {"type": "boolean"}}),
        "ClipboardText": an_object({"text": TEXT}),
        "ClipboardSet": an_object({"length": WHOLE}),
        "Kept": an_object(
            {"idle_minutes": {"type": ["number", "null"]}, "idle_ends_at": {"type": "null"}}
        ),
        "PictureShown": {
            **an_object({"shown": {"type": "boolean"}}),
            "additionalProperties": False,
        },
        **_sharing(portal),
        **_choices(),
        "Removed": an_object({"uuid": TEXT}),
        "Deleted": an_object({"deleted": {"type": "array", "items": TEXT}}),
        "Renaming": {**an_object({"name": NAME}), "additionalProperties": False},
        "Error": an_object(
            {
                "message": TEXT,
                "error": an_object(
                    {
                        "code": TEXT,
                        "fields": {
                            "type": "array",
                            "items": an_object({"field": TEXT, "value": {}, "message": TEXT}),
                        },
                        "current": ref("KeptChoices"),
                    },
                    required=["code"],
                ),
            }
        ),
    }


def _choices() -> dict[str, Any]:
    image = {**TEXT, "pattern": choices.IMAGE}
    text = {**TEXT, "pattern": choices.TEXT}

    def table(names: str, of: dict[str, Any], most: int) -> dict[str, Any]:
        only = {"additionalProperties": False, "patternProperties": {names: of}}
        return {"type": "object", **only, "maxProperties": most}

    values = table(choices.FIELD, text, choices.MOST_FIELDS)
    name = {**NAME, "minLength": 1, "maxLength": choices.MOST_NAME_SIGNS}
    name["description"] = "no control characters; each preset has another"
    preset = an_object({"name": name, "image": image, "values": values})
    presets = {"type": "array", "items": ref("Preset"), "maxItems": choices.MOST_PRESETS}
    all_of_them = {
        "image": {**image, "type": ["string", "null"]},
        "picture": {**text, "type": ["string", "null"]},
        "values": table(choices.IMAGE, values, choices.MOST_IMAGES),
        "presets": presets,
    }
    revision = {**TEXT, "pattern": choices.REVISION}
    wish = an_object({"revision": revision, "choices": ref("Choices")})
    return {
        "Preset": {**preset, "additionalProperties": False},
        "Choices": {**an_object(all_of_them, required=[]), "additionalProperties": False},
        "ChoicesToKeep": {**wish, "additionalProperties": False},
        "KeptChoices": an_object(
            {
                "revision": revision,
                "choices": ref("Choices"),
                "damaged": {"type": ["string", "null"]},
            }
        ),
    }


def _sharing(portal: bool) -> dict[str, Any]:
    """In a portal an invitation may be for one of its users."""
    role, time = {"enum": ["view", "control"]}, {**TEXT, "format": "date-time"}
    invitation = {
        "id": TEXT,
        "name": TEXT,
        "guest": {"type": ["string", "null"]},
        "role": role,
        "until": time,
        "joined_at": {"type": ["string", "null"]},
        "here": {"type": "boolean"},
    }
    made: dict[str, Any] = {"user": {"type": ["string", "null"]}} if portal else {"token": TEXT}
    named = {"user": {"type": ["string", "null"]}} if portal else {}
    minutes = {**WHOLE, "minimum": 1, "maximum": 10080}
    return {
        # A node of an older version does not say who its guest is.
        "Invitation": an_object(invitation, [name for name in invitation if name != "guest"]),
        "MadeInvitation": an_object(
            {**invitation, **made, "invitation": TEXT},
            [name for name in (*invitation, *made, "invitation") if name != "guest"],
        ),
        "InvitationRequest": an_object(
            {"role": role, "minutes": minutes, "name": NAME, **named},
            required=["role"],
        ),
        "InvitationRole": an_object({"role": role}),
        "Sharing": an_object(
            {
                "most": role,
                "here": WHOLE,
                "invitations": {"type": "array", "items": ref("Invitation")},
            }
        ),
        "Invited": an_object({"invitation": TEXT}),
        "Joined": an_object({"ticket": TEXT, "role": role, "until": time}),
    }


def _launch(site: MoonlightSite, where: Sequence[str]) -> dict[str, Any]:
    allowed = limits(site)

    def number(name: str, kind: dict[str, Any]) -> dict[str, Any]:
        return {**kind, "minimum": allowed[name]["min"], "maximum": allowed[name]["max"]}

    fields = {
        "image": {**TEXT, "pattern": f"^{IMAGE_ID.pattern}$"},
        "hours": number("hours", NUMBER),
        "cpus": number("cpus", WHOLE),
        "memory_gb": number("memory_gb", NUMBER),
        "gpus": number("gpus", WHOLE),
        "resolution": {
            **TEXT,
            "pattern": "^[1-9][0-9]{2,4}x[1-9][0-9]{2,4}$",
            "description": "{width[min]:g}x{height[min]:g} to {width[max]:g}x{height[max]:g}".format(
                **allowed
            ),
        },
        "follow_window": {"type": "boolean"},
        "fps": number("fps", WHOLE),
        "bitrate_kbps": number("bitrate_kbps", WHOLE),
        "keyboard": {"enum": keyboards(site)},
        "host": {"enum": list(HOSTS)},
        "picture": {"type": "boolean"},
        "begin": {
            "type": ["string", "null"],
            "description": "ISO 8601 with a zone, or now+COUNT and seconds, minutes, hours, days or weeks",
        }
        if begins_later(site)
        else {"type": "null"},
        "mail": {"enum": [False, True] if sends_mail(site) else [False]},
        "mail_to": {**TEXT, "pattern": f"^({ADDRESS.pattern})?$"},
        "name": NAME,
    }
    if where:
        fields["where"] = {"enum": list(where)}
    return {**an_object(fields, required=[]), "additionalProperties": False}


def an_object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """All its properties are required unless it is said which."""
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, **({"required": names} if names else {})}


def list_of(schema: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(schema)}


def ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
