"""The few pages that a server shows in place of a desktop: what is wrong and what to do."""

from __future__ import annotations

import html as _html
import json

from .languages import spoken, words

# These try again by themselves.
_AGAIN = {"host_away", "node_away", "not_running"}

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}
<title>{title}</title>
<style>
:root {{ color-scheme: dark light }}
body {{ font: 1rem/1.6 system-ui, "Noto Sans KR", sans-serif; display: grid; place-items: center;
 min-height: 100vh; margin: 0; background: #10131f; color: #e8ebf5 }}
main {{ max-width: 34rem; padding: 2rem }} h1 {{ font-size: 1.4rem }}
p {{ color: #c3c9dd }} a {{ color: #9db8ff }}
</style></head>
<body><main data-page="{name}"><div role="alert"><h1>{title}</h1><p>{text}</p>{detail}</div>{form}</main>
</body></html>
"""


def html(
    name: str,
    language: str = "",
    detail: str = "",
    link: tuple[str, str] | None = None,
    form: str = "",
) -> bytes:
    """A page as HTML. ``detail`` is one more sentence; ``link`` is an address and its text; ``form``
    is HTML of our own, taken as it is."""
    again, lang, title, text = _choose(name, language)
    extra = f"<p>{_html.escape(detail)}</p>" if detail else ""
    if link:
        extra += (
            f'<p><a target="_top" href="{_html.escape(link[0])}">{_html.escape(link[1])}</a></p>'
        )
    page = _PAGE.format(
        name=name,
        language=lang,
        title=_html.escape(title),
        text=_html.escape(text),
        detail=extra,
        form=form,
        refresh='<meta http-equiv="refresh" content="3">' if again else "",
    )
    return page.encode()


def json_error(name: str, language: str = "", detail: str = "") -> bytes:
    """The same as JSON, in the form of the REST API's errors."""
    _, _, title, text = _choose(name, language)
    message = " ".join(part for part in (f"{title}.", text, detail) if part)
    return json.dumps({"message": message, "error": {"code": name}}).encode()


def _choose(name: str, language: str) -> tuple[bool, str, str, str]:
    lang = spoken(language)
    page = words(lang)["pages"][name]
    return name in _AGAIN, lang, page["title"], page["text"]
