"""The page behind jupyter-server-proxy: the start step by step, then the desktop, then its end."""

from __future__ import annotations

import html
from dataclasses import dataclass

from ..model.session import Session, State, Step

#: Headers of every page: nothing but its own script, styles, forms and the desktop's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'"
)

_TEXTS = {
    "en": {
        "title": "Moonlight Desktop",
        "pending": "Your desktop waits in the queue",
        "starting": "Your desktop is starting",
        "stopping": "Your desktop is being stopped",
        "completed": "This desktop has ended",
        "cancelled": "This desktop has ended",
        "timeout": "This desktop has ended: its time was up",
        "failed": "This desktop has failed",
        "trouble": "The desktop could not be started",
        "idle": "No desktop runs here",
        "start": "Start a desktop",
        "log": "The end of its log",
        "place": "Place {position} of {pending} in the queue.",
        "frame": "The picture of your desktop",
    },
    "ko": {
        "title": "Moonlight 데스크톱",
        "pending": "데스크톱이 대기열에서 기다리고 있습니다",
        "starting": "데스크톱을 시작하는 중입니다",
        "stopping": "데스크톱을 중지하는 중입니다",
        "completed": "데스크톱이 종료되었습니다",
        "cancelled": "데스크톱이 종료되었습니다",
        "timeout": "사용 시간이 끝나 데스크톱이 종료되었습니다",
        "failed": "데스크톱이 실패했습니다",
        "trouble": "데스크톱을 시작할 수 없습니다",
        "idle": "실행 중인 데스크톱이 없습니다",
        "start": "데스크톱 시작",
        "log": "로그의 끝부분",
        "place": "대기 순서: {pending}개 중 {position}번째.",
        "frame": "데스크톱 화면",
        "claim": "디스플레이와 포트 확보",
        "xserver": "X 서버 시작",
        "desktop": "데스크톱 시작",
        "host": "스트리밍 시작",
        "picture": "첫 화면 기다리기",
        "gateway": "게이트웨이 열기",
    },
}
_MARKS = {"waiting": "·", "running": "…", "done": "✓", "failed": "✗"}

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: dark light }}
body {{ font: 1rem/1.6 system-ui, "Noto Sans KR", sans-serif; margin: 0; min-height: 100vh;
 display: grid; place-items: center; background: #10131f; color: #e8ebf5 }}
main {{ max-width: 40rem; padding: 2rem }} h1 {{ font-size: 1.4rem }}
ul {{ list-style: none; padding: 0 }} .waiting {{ color: #8b93ad }} .failed {{ color: #ff9d9d }}
pre {{ overflow: auto; max-height: 18rem; background: #0008; padding: 1rem; font-size: .8rem }}
button {{ font: inherit; padding: .5rem 1.2rem; border: 0; border-radius: .5rem; cursor: pointer;
 background: #f3d58b; color: #1b2450 }}
main[data-page=desktop] {{ max-width: none; padding: 0 }}
iframe {{ position: fixed; inset: 0; width: 100%; height: 100%; border: 0 }}
</style></head>
<body>{body}{script}</body></html>
"""
_SCRIPT = '<script src="watch.js"></script>'
_ALLOWED = "clipboard-read; clipboard-write; fullscreen; autoplay; gamepad; keyboard-map"


@dataclass(frozen=True)
class Look:
    """What there is to show: a session (``log`` is the end of its log), or why there is none."""

    session: Session | None = None
    trouble: str = ""
    log: str = ""


def render(look: Look, accept_language: str, form_token: str) -> bytes:
    """The page of this moment."""
    language = "ko" if accept_language.strip().lower().startswith("ko") else "en"
    texts = _TEXTS[language]
    session = look.session
    again = f'<form method="post" action="start">{_hidden(form_token)}'
    again += f"<button data-testid='start'>{texts['start']}</button></form>"
    if session and session.status is State.RUNNING:
        frame = f'<iframe src="desktop/" title="{texts["frame"]}" allow="{_ALLOWED}" '
        body, live = f'{frame}data-testid="desktop-frame"></iframe>', True
        return _whole(texts, language, "desktop", body, live)
    if session is None:
        name = "trouble" if look.trouble else "idle"
        body = f"<h1>{texts[name]}</h1>{_paragraph(look.trouble)}{again}"
        return _whole(texts, language, name, body, False)
    # Of a start the reason is the step that is on its way, which the list shows.
    why = "" if session.status is State.STARTING and session.steps else session.reason
    body = f"<h1>{texts[session.status.value]}</h1>{_paragraph(why)}"
    if session.queue and session.queue.position:
        words = texts["place"].format(**vars(session.queue))
        body += _paragraph(words)
    body += "<ul>" + "".join(_step(step, texts) for step in session.steps) + "</ul>"
    if session.live:
        return _whole(texts, language, "waiting", body, True)
    if look.log and session.status is State.FAILED:
        body += f"<p>{texts['log']}</p><pre>{html.escape(look.log)}</pre>"
    return _whole(texts, language, "ended", body + again, False)


def _whole(texts: dict[str, str], language: str, name: str, body: str, live: bool) -> bytes:
    page = _PAGE.format(
        language=language,
        title=texts["title"],
        body=f'<main data-page="{name}" role="status">{body}</main>',
        script=_SCRIPT if live else "",
    )
    return page.encode()


def _step(step: Step, texts: dict[str, str]) -> str:
    state = step.state.value
    label = html.escape(texts.get(step.id, step.label))
    detail = f": {html.escape(step.detail)}" if step.detail else ""
    return f'<li class="{state}" data-step="{html.escape(step.id)}">{_MARKS[state]} {label}{detail}</li>'


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>" if text else ""


def _hidden(form_token: str) -> str:
    return f'<input type="hidden" name="token" value="{html.escape(form_token)}">'
