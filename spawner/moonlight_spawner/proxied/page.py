"""The page behind jupyter-server-proxy while there is no desktop: why not, and a button that starts one.

With a desktop, from its queue to its end, it is the viewer of all doors (:mod:`..relay.one_session`).
"""

from __future__ import annotations

import html

from ..relay.languages import spoken, words

#: Headers of the page: nothing but its own styles and form.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: dark light }}
body {{ font: 1rem/1.6 system-ui, "Noto Sans KR", sans-serif; margin: 0; min-height: 100vh;
 display: grid; place-items: center; background: #10131f; color: #e8ebf5 }}
main {{ max-width: 40rem; padding: 2rem }} h1 {{ font-size: 1.4rem }}
button {{ font: inherit; padding: .5rem 1.2rem; border: 0; border-radius: .5rem; cursor: pointer;
 background: #f3d58b; color: #1b2450 }}
</style></head>
<body><main data-page="{name}"><h1>{heading}</h1>{why}
<form method="post" action="start"><input type="hidden" name="token" value="{token}">
<button data-testid="start">{start}</button></form></main></body></html>
"""


def render(trouble: str, accept_language: str, form_token: str) -> bytes:
    """The page; ``trouble`` is why no desktop could be started, empty if nobody has tried."""
    language = spoken(accept_language)
    texts = words(language)["proxied"]
    name = "trouble" if trouble else "idle"
    return _PAGE.format(
        language=language,
        title=texts["title"],
        name=name,
        heading=texts[name],
        why=f'<p role="alert">{html.escape(trouble)}</p>' if trouble else "",
        token=html.escape(form_token),
        start=texts["start"],
    ).encode()
