"""Open OnDemand's door, where the pages of all users are one origin: a real browser, a real desktop.

The owner logs in and types; then he opens a page of another user, which his cookie goes with.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.desktop import type_command
from tests.browser.host_ends import comes_back
from tests.browser.viewer import DROP, FRAME, close_tool, open_tool
from tests.cluster.users import TestUser
from tests.support import axe
from tests.support.chromium import chromium, colours, keep, person
from tests.support.one_origin import Front
from tests.support.waiting import wait_for

from .conftest import Launch
from .sessions import AgentSession, settings
from .test_sunshine_encoders import site

# The picture is known by the colours of its background.
pytestmark = pytest.mark.usefixtures("whole_desktop")
_DESKTOP_COLOURS = 200

# All that a page may try by itself. Each gives what it got, or why it got nothing.
HOSTILE = """<!doctype html><html><head><title>SESSION</title></head><body><script>
const theirs = '/node/n1/PORT';
const tell = async (name, what) => {
  try { results[name] = String(await what()); } catch (e) { results[name] = 'error ' + e; }
};
const got = async (path, init) => {
  const answer = await fetch(theirs + path, init);
  const text = await answer.text();
  return answer.status + (text.includes('moonlight-page') ? ' with the token' : '');
};
const opened = (path, protocols, Kind = WebSocket) => new Promise((done) => {
  const socket = new Kind('wss://' + location.host + theirs + path, protocols);
  socket.onopen = () => done('open');
  socket.onerror = () => done('refused');
});
const frameOf = (path) => new Promise((done) => {
  const frame = document.createElement('iframe');
  frame.onload = () => done(frame);
  frame.src = theirs + path;
  document.body.append(frame);
});
const framed = async (path) => {
  const page = (await frameOf(path)).contentDocument;
  return page ? page.documentElement.outerHTML : 'nothing';
};
const results = {};
(async () => {
  await tell('page', () => got('/'));
  await tell('as a page', () => got('/', { headers: { Accept: 'text/html' } }));
  await tell('script', () => got('/gate.js').then((said) => said.slice(0, 3)));
  await tell('files', () => got('/api/files/'));
  await tell('files as it', () => got('/api/files/', { referrer: theirs + '/' }));
  await tell('own files', () => got('/files/list?in=~'));
  await tell('own files beside the desktop', () => got('/desktop/files/places'));
  await tell('own upload', () => got('/files/uploads', { method: 'POST' }));
  await tell('own download', () => got('/files/fetch/' + 'x'.repeat(43)));
  await tell('own files in a frame', async () => {
    return (await framed('/desktop/files/list?in=~')).includes('own window only');
  });
  await tell('screenshot', () => got('/api/screenshot'));
  await tell('encoded', () => got('/%61pi/screenshot'));
  await tell('upload', () => got('/api/upload', { method: 'POST', body: 'x' }));
  await tell('wrong token', () => got('/api/files/', { headers: { 'X-Moonlight-Page': 'guess' } }));
  await tell('stream', () => opened('/api/websockets'));
  await tell('signaling', () => opened('/signaling'));
  await tell('guessed', () => opened('/api/websockets', ['moonlight-page', 'moonlight-page.guess']));
  await tell('frame', async () => (await framed('/')).includes('moonlight-page'));
  await tell('frame that is refused', async () => (await framed('/')).includes('own window only'));
  await tell('session', () => got('/api/moonlight/sessions'));
  await tell('session beside the desktop', () => got('/desktop/api/moonlight/sessions'));
  const session = '/api/moonlight/sessions/' + document.title;
  await tell('stop', () => got(session, { method: 'DELETE' }));
  const invitation = { method: 'POST', body: '{"role": "view"}' };
  await tell('invitation', () => got(session + '/sharing', invitation));
  await tell('clipboard', () => got(session + '/clipboard'));
  await tell('clipboard in a frame', async () => {
    const found = await framed('/desktop' + session + '/clipboard');
    return found.includes('own window only');
  });
  await tell("host's frame", async () => {
    const frame = await frameOf('/desktop/core.html');
    const { WebSocket: Kind } = frame.contentWindow;
    const page = frame.contentDocument.documentElement.outerHTML;
    const stream = await opened('/desktop/api/websockets', [], Kind);
    return [page.includes('moonlight-page'), page.includes('selkies-core'), stream];
  });
  results.done = 'true';
})();
</script></body></html>
"""
DASHBOARD = """<!doctype html><html><body><form method="post" action="/node/n1/PORT/login">
<input type="hidden" name="token" value="TOKEN"><button>Launch</button></form></body></html>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def victim(browser: Browser) -> Iterator[BrowserContext]:
    with person(browser, ignore_https_errors=True) as one:
        yield one


@pytest.fixture
def session(launch: Launch, user: TestUser) -> AgentSession:
    session = launch(env=settings(user, sharing="control"))
    session.wait_running()
    return session


@pytest.fixture
def front(session: AgentSession) -> Iterator[Front]:
    port = str(session.gateway.port)
    form = DASHBOARD.replace("PORT", port).replace("TOKEN", session.token)
    hostile = HOSTILE.replace("PORT", port).replace("SESSION", session.id)
    with Front({"/pun/sys/dashboard": form, "/hostile": hostile}) as front:
        yield front


def test_the_owner_works_and_shares_and_a_page_of_another_user_gets_nothing(
    session: AgentSession, front: Front, victim: BrowserContext, browser: Browser, user: TestUser
) -> None:
    page = victim.new_page()
    page.goto(f"{front.url}/pun/sys/dashboard")
    page.get_by_text("Launch").click()
    wait_for_desktop(page)
    cookie = next(c for c in victim.cookies() if c["name"].startswith("moonlight_"))
    assert cookie["sameSite"] == "Strict" and cookie["path"] == f"/node/n1/{session.gateway.port}"
    typed(page, user)
    page.reload()  # the address alone opens it again
    wait_for_desktop(page)
    said = comes_back(
        page, session.find("selkies", "selkies_start.py"), lambda: shows_a_desktop(page)
    )
    # A host that is back before the page has noticed is told of by its restarts alone.
    assert said in (["interrupted host", "restored"], ["restored"])
    assert page.frame_locator(FRAME).locator("#overlayInput").count() == 1, "without its own panel"

    with person(browser, ignore_https_errors=True) as colleague:
        share(page, colleague.new_page(), user)

    hostile = victim.new_page()
    hostile.goto(f"{front.url}/hostile")
    hostile.wait_for_function("results.done")
    got = hostile.evaluate("results")
    assert got == {
        "page": "200",  # the host's own page, which shows nothing by itself
        "as a page": "403",
        "script": "200",
        "files": "403",
        "files as it": "403",
        "own files": "403",
        "own files beside the desktop": "403",
        "own upload": "403",
        "own download": "403",
        "own files in a frame": "true",
        "screenshot": "403",
        "encoded": "403",
        "upload": "403",
        "wrong token": "403",
        "stream": "refused",
        "signaling": "refused",
        "guessed": "refused",
        "frame": "false",
        "frame that is refused": "true",
        "session": "403",
        "session beside the desktop": "403",
        "stop": "403",
        "invitation": "403",
        "clipboard": "403",
        "clipboard in a frame": "true",
        "host's frame": "false,true,refused",  # the client's page, which has no token there
        "done": "true",
    }
    for log in session.directory.glob("*.log"):
        assert "moonlight-page" not in log.read_text("utf-8", "replace")
    assert "moonlight-page" not in page.url and "token" not in page.url


def test_the_owners_page_lists_and_fetches_his_files(
    session: AgentSession, front: Front, victim: BrowserContext, user: TestUser
) -> None:
    (user.home / "Desktop" / "result.txt").write_text("forty-two")
    page = victim.new_page()
    page.goto(f"{front.url}/pun/sys/dashboard")
    page.get_by_text("Launch").click()
    wait_for_desktop(page)
    base = f"/node/n1/{session.gateway.port}"
    [client] = page.main_frame.child_frames
    where = f"{base}/desktop/files/list?in=~/Desktop"
    assert "result.txt" in page.evaluate(f"fetch('{where}').then((a) => a.text())")
    by_xhr = f"""new Promise((done) => {{
      const asked = new XMLHttpRequest();
      asked.open('GET', '{where}');
      asked.onload = () => done(asked.responseText);
      asked.send();
    }})"""
    assert "result.txt" in page.evaluate(by_xhr)
    in_a_worker = f"""new Promise((done) => {{
      const text = "fetch('{front.url}{where}').then((a) => a.text())"
        + ".then((text) => postMessage(text))";
      const blob = new Blob([text], {{ type: 'text/javascript' }});
      new Worker(URL.createObjectURL(blob)).onmessage = (e) => done(e.data);
    }})"""
    assert "result.txt" in client.evaluate(in_a_worker)
    ticket = f"""fetch('{base}/desktop/files/fetch', {{
      method: 'POST', body: '{{"at": "~/Desktop/result.txt"}}'
    }}).then((a) => a.json()).then((told) => told.href)"""
    # The browser itself goes there, with the cookie alone.
    got = victim.request.get(f"{front.url}{base}/desktop/files/{page.evaluate(ticket)}")
    assert (got.status, got.body()) == (200, b"forty-two")
    assert got.headers["content-disposition"].startswith("attachment")
    bare = victim.request.get(f"{front.url}{where}")
    assert bare.status == 403
    # And nothing of it is left where another script could find it.
    for one in (page.main_frame, client):
        assert (
            one.evaluate("document.documentElement.outerHTML.includes('moonlight-page')") is False
        )


def test_sunshines_page_streams_behind_the_same_door(
    launch: Launch, victim: BrowserContext, user: TestUser
) -> None:
    session = launch(env=site(user))
    session.wait_running()
    form = DASHBOARD.replace("PORT", str(session.gateway.port)).replace("TOKEN", session.token)
    with Front({"/pun/sys/dashboard": form}) as front:
        page = victim.new_page()
        page.goto(f"{front.url}/pun/sys/dashboard")
        page.get_by_text("Launch").click()
        inner = page.frame_locator(FRAME)
        inner.locator("#state", has_text="connected").wait_for()
        frames = inner.locator("#frames")

        def streams() -> bool:
            return frames.count() == 1 and int(frames.inner_text()) > 5

        wait_for(streams, interval=0.1)
        inner.locator("body").evaluate(DROP, "dropped.bin")  # its client never hears of it
        wait_for(lambda: list(user.home.rglob("dropped.bin")))
        [dropped] = user.home.rglob("dropped.bin")
        assert dropped.read_bytes() == bytes(range(256)) * 4096
        for program in ("sunshine_standin", "web-server", "streamer"):
            [*_, pid] = [p for p, words in session.processes().items() if program in words]
            said = comes_back(page, pid, streams)
            ended = ["interrupted host"] if program != "streamer" else []
            assert said in ([*ended, "restored"], ["restored"]), (program, session.log())


# All kinds of input that selkies knows, from a guest's own frame; answered when all of it has been read.
HANDS_OF_A_VIEWER = """() => new Promise((done, failed) => {
  const socket = new WebSocket(new URL('api/websockets?role=controller&slot=1', location.href));
  const input = ['m,300,300,0,0', 'm,300,300,1,0', 'm,300,300,0,0', 'm2,5,5,1,0', 'm2,0,0,0,0'];
  for (const key of [104, 105, 65293]) input.push(`kd,${key}`, `kh,${key}`, `ku,${key}`);
  input.push('co,end,theirs', 'kd,65293', 'ku,65293', 'cw,aGk=', 'cws,2', 'cwd,aGk=', 'cwe', 'cr');
  input.push('REQUEST_CLIPBOARD', 'cmd,touch theirs', 'js,c,0', 'js,b,0,0,1', 'r,640x480', 's,2');
  input.push('_f,5', 'vb,9', 'SET_NATIVE_CURSOR_RENDERING,1', 'STOP_AUDIO', '_gz,1');
  const heard = [];
  socket.onopen = () => {
    for (const message of input) {
      socket.send(message);
      socket.send(new TextEncoder().encode(`\\x05${message}`));
    }
    socket.send('START_VIDEO');
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== 'string') return;
    heard.push(data.split(',')[0]);
    if (data.startsWith('PIPELINE_RESETTING')) {
      socket.close();
      done(heard);
    }
  };
  socket.onerror = failed;
})"""


def share(owner: Page, guest: Page, user: TestUser) -> None:
    """The owner shows the desktop to a colleague, gives and takes control, and ends it."""
    ready, said, heard = (user.home / f"{name}.txt" for name in ("ready", "said", "heard"))
    hears = f"read -r line; echo $line > {said}; read -r line; echo $line > {heard}"
    type_command(owner, f"echo ready > {ready}; {hears}", ready)
    open_tool(owner, "sharing")
    assert axe.violations(owner) == []
    owner.get_by_label("For whom").fill("Bob")
    owner.get_by_test_id("invite").click()
    link = owner.get_by_test_id("invite-link").input_value()
    assert link.partition("#")[0].partition("?")[0] == owner.url + "join"

    guest.goto(link)
    assert "#" not in guest.url
    assert axe.violations(guest) == []
    guest.get_by_role("button", name="Join").click()
    wait_for_desktop(guest)
    expect(guest.get_by_role("status")).to_have_text("You look on")
    wait_for(lambda: guest.frame_locator("iframe").get_by_label("A desktop on").count())
    assert axe.violations(guest) == []
    row = owner.get_by_test_id("invitation")
    expect(row).to_contain_text("is here · look on")
    keep(owner, "sharing")
    close_tool(owner)
    mark = owner.get_by_test_id("shared-mark")
    expect(mark).to_have_text("Shared with 1")

    # Neither by the page nor by a program in its place.
    guest.mouse.click(640, 600)
    guest.keyboard.type("theirs\n")
    [client] = guest.main_frame.child_frames
    answered = client.evaluate(HANDS_OF_A_VIEWER)
    assert not {one for one in answered if "clipboard" in one}
    owner.locator(FRAME).focus()
    owner.keyboard.type("mine\n")
    wait_for(lambda: said.exists() and said.read_text())
    assert said.read_text() == "mine\n"

    mark.click()
    row.get_by_test_id("change-role").click()
    expect(row).to_contain_text("look on and control")
    expect(guest.get_by_role("status")).to_have_text("You have control")
    wait_for(lambda: client.evaluate("window.webrtcInput.isInputAttached()"))
    guest.keyboard.type("theirs now\n")
    wait_for(lambda: heard.exists() and heard.read_text())
    assert heard.read_text() == "theirs now\n"

    row.get_by_test_id("end-invitation").click()
    guest.get_by_role("heading", name="The desktop's owner has ended the sharing").wait_for()
    expect(row).to_have_count(0)
    close_tool(owner)
    expect(mark).to_have_count(0)
    guest.goto(link)
    guest.get_by_role("button", name="Join").click()
    guest.get_by_role("heading", name="This link opens nothing").wait_for()


def wait_for_desktop(page: Page) -> None:
    wait_for(lambda: shows_a_desktop(page), interval=0.5)


def shows_a_desktop(page: Page) -> bool:
    return colours(page.screenshot()) > _DESKTOP_COLOURS


def typed(page: Page, user: TestUser) -> None:
    result = user.home / "typed.txt"
    assert type_command(page, f"echo it works > {result}", result).strip() == "it works"
