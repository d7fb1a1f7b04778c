"""The few pages that a server shows in place of a desktop: what is wrong and what to do."""

from __future__ import annotations

import html as _html
import json

# Per page: does it try again by itself, and title and text in English and Korean.
_PAGES: dict[str, tuple[bool, dict[str, tuple[str, str]]]] = {
    "login_needed": (
        False,
        {
            "en": (
                "Please come in through your portal",
                "This desktop opens only for its owner. Open it from the page or card where you "
                "started it.",
            ),
            "ko": (
                "포털에서 열어 주십시오",
                "이 데스크톱은 소유자만 열 수 있습니다. 시작한 페이지나 카드에서 여십시오.",
            ),
        },
    ),
    "login_refused": (
        False,
        {
            "en": (
                "The login was refused",
                "The token is not this session's. Open the desktop again from the page or card "
                "where you started it; after many failures wait a minute.",
            ),
            "ko": (
                "로그인이 거부되었습니다",
                "이 세션의 토큰이 아닙니다. 시작한 페이지나 카드에서 다시 여십시오. 여러 번 "
                "실패했다면 1분 기다리십시오.",
            ),
        },
    ),
    "other_origin": (
        False,
        {
            "en": ("Refused", "The request came from a page of another site."),
            "ko": ("거부됨", "다른 사이트의 페이지에서 온 요청입니다."),
        },
    ),
    "page_needed": (
        False,
        {
            "en": (
                "This opens in the desktop's own window only",
                "Open the desktop from the page or card where you started it, in a current browser "
                "and over https. Other pages, frames and programs get nothing here.",
            ),
            "ko": (
                "데스크톱 자체 창에서만 열립니다",
                "시작한 페이지나 카드에서 최신 브라우저와 https로 데스크톱을 여십시오. 다른 페이지나 "
                "프레임, 프로그램에는 열리지 않습니다.",
            ),
        },
    ),
    "files_off": (
        False,
        {
            "en": (
                "Files do not go this way",
                "This site lets no files in this direction through the desktop's page.",
            ),
            "ko": (
                "파일을 이 방향으로 보낼 수 없습니다",
                "이 사이트는 데스크톱 페이지에서 이 방향의 파일 전송을 허용하지 않습니다.",
            ),
        },
    ),
    "not_for_pages": (
        False,
        {
            "en": (
                "Refused",
                "The desktop's page may stream, and not change or delete what the stream needs.",
            ),
            "ko": (
                "거부됨",
                "데스크톱 페이지는 스트리밍만 할 수 있으며 스트리밍 설정을 바꾸거나 삭제할 수 없습니다.",
            ),
        },
    ),
    "no_websocket": (
        False,
        {
            "en": (
                "The picture cannot come this way",
                "A WebSocket was asked for, but the request came without its Upgrade header: a proxy "
                "before the portal takes it away. Its administrators have to let it pass Upgrade and "
                "Connection.",
            ),
            "ko": (
                "이 경로로는 화면을 보낼 수 없습니다",
                "WebSocket을 요청했지만 Upgrade 헤더 없이 도착했습니다. 포털 앞의 프록시가 헤더를 "
                "제거합니다. 관리자가 프록시에서 Upgrade와 Connection을 통과시켜야 합니다.",
            ),
        },
    ),
    "host_away": (
        True,
        {
            "en": (
                "One moment, the picture is coming back",
                "The desktop is there, but what streams it does not answer at present. This page "
                "tries again by itself.",
            ),
            "ko": (
                "잠시만 기다리십시오. 화면이 곧 돌아옵니다",
                "데스크톱은 살아 있지만 화면 전송이 지금 응답하지 않습니다. 자동으로 다시 "
                "시도합니다.",
            ),
        },
    ),
    "native_only": (
        False,
        {
            "en": (
                "This desktop has no client for the browser",
                "It runs, and native Moonlight clients can show it: the Moonlight page has its "
                "address. What is missing for the browser is among the notes there.",
            ),
            "ko": (
                "이 데스크톱에는 브라우저용 클라이언트가 없습니다",
                "데스크톱은 실행 중이며 네이티브 Moonlight 클라이언트로 볼 수 있습니다. 주소와 "
                "브라우저에 없는 것은 Moonlight 페이지에 있습니다.",
            ),
        },
    ),
    "pairing": (
        False,
        {
            "en": (
                "Pair a Moonlight client",
                "Add this desktop in your Moonlight client by its address and choose it there. Then "
                "type the PIN that the client shows.",
            ),
            "ko": (
                "Moonlight 클라이언트 페어링",
                "Moonlight 클라이언트에서 주소로 이 데스크톱을 추가하고 선택하십시오. 그다음 "
                "클라이언트에 표시된 PIN을 입력하십시오.",
            ),
        },
    ),
    "pairing_off": (
        False,
        {
            "en": ("No native client can be paired here", "Open the desktop in the browser."),
            "ko": (
                "여기에서는 네이티브 클라이언트를 페어링할 수 없습니다",
                "브라우저에서 데스크톱을 여십시오.",
            ),
        },
    ),
    "node_away": (
        True,
        {
            "en": (
                "The connection to the node is interrupted",
                "The desktop may still be running there. This page tries again by itself.",
            ),
            "ko": (
                "노드와의 연결이 끊겼습니다",
                "데스크톱은 노드에서 계속 실행 중일 수 있습니다. 자동으로 다시 시도합니다.",
            ),
        },
    ),
    "not_running": (
        True,
        {
            "en": (
                "The desktop is not ready yet",
                "It is queued or starting. This page tries again by itself.",
            ),
            "ko": ("데스크톱이 아직 준비되지 않았습니다", "대기 중이거나 시작하는 중입니다."),
        },
    ),
    "ended": (
        False,
        {
            "en": (
                "This desktop has ended",
                "Start a new one from the page or card where you started it.",
            ),
            "ko": ("이 데스크톱은 종료되었습니다", "시작한 페이지나 카드에서 새로 시작하십시오."),
        },
    ),
    "unknown": (
        False,
        {
            "en": ("There is no such desktop", "It may have been removed, or it is not yours."),
            "ko": ("그런 데스크톱이 없습니다", "삭제되었거나 본인의 것이 아닙니다."),
        },
    ),
}

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
<body><main role="alert" data-page="{name}"><h1>{title}</h1><p>{text}</p>{detail}</main></body></html>
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
        detail=extra + form,
        refresh='<meta http-equiv="refresh" content="3">' if again else "",
    )
    return page.encode()


def json_error(name: str, language: str = "", detail: str = "") -> bytes:
    """The same as JSON, in the form of the REST API's errors."""
    _, _, title, text = _choose(name, language)
    message = " ".join(part for part in (f"{title}.", text, detail) if part)
    return json.dumps({"message": message, "error": {"code": name}}).encode()


def _choose(name: str, language: str) -> tuple[bool, str, str, str]:
    again, texts = _PAGES[name]
    lang = spoken(language)
    return (again, lang, *texts[lang])


def spoken(accepted: str) -> str:
    """``en`` or ``ko``, by a browser's Accept-Language."""
    return "ko" if accepted.strip().lower().startswith("ko") else "en"
