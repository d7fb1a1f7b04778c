"""Every template of the app, rendered as Open OnDemand renders it, with what a form sends and with what
nobody should send."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from collections.abc import Callable
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from moonlight_spawner import __version__
from moonlight_spawner.model.names import MOST_SIGNS
from moonlight_spawner.ood.install import app_files

from .ondemand import Refused, change_settings, command, render, render_all

HOSTILE = [
    "'; touch /tmp/owned; '",
    '"; rm -rf ~; "',
    "$(touch /tmp/owned)",
    "`touch /tmp/owned`",
    "#{`touch /tmp/owned`}",
    "<%= `touch /tmp/owned` %>",
    "us\nMOONLIGHT_REQUEST\ntouch /tmp/owned",
    "1\n2",
    "--help",
    "\\",
    "x: [y, {z",
    "- a\n- b",
    "&a *a !ruby/object:Object {}",
    "<script>alert(1)</script>",
    "</div>\n\n# [x](javascript:alert(1)) **b** ![i](x) `c` ~~~",
    "한국어 😀 \u202e\u2028\u0085\x00",
    "9" * 5000,
]
FIELDS = ("image", "hours", "gpus", "cores", "memory", "resolution", "quality", "keyboard")
DESKTOP = {"id": "host-desktop", "name": "Desktop", "default": True, "available": True}
TOKEN = "t-Zo9_0123456789abcdefghijklmnopqrstuvwxyz-"


def staged(tmp_path: Path, **files: Any) -> dict[str, str]:
    """A job's directory as its script leaves it, and the card's session with it."""
    directory = tmp_path / "staged"
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        path = directory / name.replace("_", ".")
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return {"id": "0-0", "staged_root": str(directory), "state": "completed"}


class Tags(HTMLParser):
    """The tags of a page, and what it reads like."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}


def is_one_block(text: str) -> bool:
    """Whether markdown takes it for HTML and for nothing else: no line that is empty or its own."""
    return all(line.startswith("<") for line in text.strip("\n").split("\n") if text.strip())


def test_the_form_offers_what_can_be_launched_within_the_limits(
    app: Path, home: dict[str, str]
) -> None:
    form = render(None, home, do="form", app=str(app))["form"]
    assert form["cluster"] == "lab"
    assert form["form"] == [*FIELDS, "desktop_name"]
    assert form["attributes"]["desktop_name"]["maxlength"] == MOST_SIGNS
    attributes = form["attributes"]
    assert [option[1] for option in attributes["image"]["options"]] == ["host-desktop"]
    assert attributes["hours"] | {"help": ""} == {
        **{"widget": "number_field", "label": "Hours", "help": "", "required": True},
        **{"value": 8, "min": 1, "max": 8, "step": 0.5},
    }
    assert (attributes["gpus"]["max"], attributes["cores"]["max"]) == (2, 16)
    assert "English (US)" in [option[0] for option in attributes["keyboard"]["options"]]
    for name in ("resolution", "quality", "keyboard"):
        assert all(isinstance(value, str) for _, value in attributes[name]["options"])


def test_partitions_have_limits_of_their_own_and_no_gpu_is_no_question(
    app: Path, home: dict[str, str], says: Callable[..., Path]
) -> None:
    says(images=[DESKTOP])
    small = {"name": "small", "label": "Small nodes", "max": {"hours": 2, "cores": 4}}
    change_settings(app, partitions=[small, {"name": "viz"}], account="ask")
    change_settings(app, gpus={"default": 0, "min": 0, "max": 0})
    form = render(None, home, do="form", app=str(app))["form"]
    assert form["form"] == [
        "image",
        "queue",
        *(f for f in FIELDS[1:] if f != "gpus"),
        "desktop_name",
        "auto_accounts",
    ]
    [first, second] = form["attributes"]["queue"]["options"]
    assert first[:2] == ["Small nodes", "small"] and second[:2] == ["viz", "viz"]
    assert (first[2]["data-max-hours"], first[2]["data-max-cores"]) == (2, 4)
    assert (second[2]["data-max-hours"], second[2]["data-max-cores"]) == (8, 16)

    def submit(**context: str) -> dict[str, Any]:
        asked = {"do": "submit", "app": str(app), "context": context}
        script: dict[str, Any] = render(None, home, **asked)["submit"]["script"]
        return script

    assert submit(queue="small", hours="2")["queue_name"] == "small"
    with pytest.raises(Refused, match="hours is 3, but this site allows 1 to 2"):
        submit(queue="small", hours="3")
    assert submit(queue="viz", hours="3", auto_accounts="lab")["accounting_id"] == "lab"
    with pytest.raises(Refused, match=r"queue is .*, but must be one of small, viz"):
        submit(queue="other")
    with pytest.raises(Refused, match=r"account is .*, but must be the name of an account"):
        submit(auto_accounts="--uid=0")


def test_images_that_cannot_be_used_and_hostile_names(
    app: Path, home: dict[str, str], says: Callable[..., Path]
) -> None:
    images = [
        {"id": f"i{i}", "name": t, "description": t, "available": True}
        for i, t in enumerate(HOSTILE)
    ]
    says(images=[*images, {"id": "gone", "name": "Gone", "available": False}])
    form = render(None, home, do="form", app=str(app))["form"]
    options = form["attributes"]["image"]["options"]
    assert [option[1] for option in options] == [image["id"] for image in images]
    assert all(set(option[2]) == {"data-description"} for option in options)
    assert options[0][0] == HOSTILE[0]
    assert options[6][0] == HOSTILE[6].replace("\n", " ")
    assert "\u202e" not in "".join(option[0] for option in options)
    says(images=[{"id": "gone", "name": "Gone", "available": False}])
    cached = {**home, "XDG_CACHE_HOME": home["HOME"] + "/other"}
    with pytest.raises(Refused, match="No desktop can be launched now"):
        render(None, cached, do="form", app=str(app))


def test_the_images_are_asked_for_once_a_minute_and_remembered_when_nobody_answers(
    app: Path, home: dict[str, str], says: Callable[..., Path]
) -> None:
    calls = says(images=[DESKTOP])
    for _ in range(3):
        render(None, home, do="form", app=str(app))
    assert calls.read_text() == "images --json\n"
    [cache] = Path(home["XDG_CACHE_HOME"], "moonlight-hpc").iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    says(images="", status=1)
    for _ in range(2):  # old by now
        stamp = cache.stat().st_mtime - 3600
        subprocess.run(["touch", "-d", f"@{stamp}", str(cache)], check=True)
        form = render(None, home, do="form", app=str(app))["form"]
        assert form["attributes"]["image"]["value"] == "host-desktop"
    cache.unlink()
    with pytest.raises(Refused, match="answers cannot be used here: it ended with status 1"):
        render(None, home, do="form", app=str(app))
    change_settings(app, command="/nowhere/moonlight-hpc")
    with pytest.raises(
        Refused, match=r"/nowhere/moonlight-hpc cannot be used here: .*No such file"
    ):
        render(None, home, do="form", app=str(app))


def test_what_slurm_is_asked_for(
    app: Path, home: dict[str, str], says: Callable[..., Path]
) -> None:
    says(images=[DESKTOP])
    change_settings(app, sbatch_options=["--constraint=viz"])
    context = {"image": "host-desktop", "hours": "1.5", "gpus": "2", "cores": "3", "memory": "4.5"}
    told = render(None, home, do="submit", app=str(app), context=context)["submit"]
    assert told["batch_connect"]["template"] == "basic"
    assert told["script"] == {
        "queue_name": "viz",
        "qos": "moonlight",
        "wall_time": 5400,
        "rerunnable": False,
        "native": [
            *("--nodes=1", "--ntasks=1", "--cpus-per-task=3", "--mem=4608M", "--gres=gpu:2"),
            "--constraint=viz",
        ],
    }
    # An empty name would be refused by sbatch; no GPU is no option.
    change_settings(app, partitions=[], qos="", sbatch_options=[])
    told = render(None, home, do="submit", app=str(app), context={"gpus": "0"})["submit"]
    assert told["script"] == {
        "wall_time": 28800,
        "rerunnable": False,
        "native": ["--nodes=1", "--ntasks=1", "--cpus-per-task=4", "--mem=8192M"],
    }


def test_a_later_start_and_mail_are_asked_where_the_site_has_them(
    app: Path, home: dict[str, str], says: Callable[..., Path]
) -> None:
    says(images=[DESKTOP])
    later = {"begin": "1.5", "mail": "1"}

    def asked() -> tuple[set[str], set[str]]:
        form = render(None, home, do="form", app=str(app))["form"]
        assert set(form["attributes"]) == set(form["form"])
        told = render(None, home, do="submit", app=str(app), context=later)["submit"]
        native = told["script"]["native"]
        return set(form["form"]), {w for w in native if w.startswith(("--begin", "--mail"))}

    with pytest.raises(Refused, match=r"^begin is 1\.5, but this site allows 0 to 0"):
        asked()
    change_settings(app, begin={"default": 0, "min": 0, "max": 48}, mail=True)
    fields, options = asked()
    assert {"begin", "mail"} <= fields
    assert options == {"--begin=now+5400", "--mail-type=BEGIN"}
    for wrong in ({"begin": "49"}, {"begin": "now"}, {"mail": "yes"}):
        with pytest.raises(Refused, match=f"^{next(iter(wrong))} is "):
            render(None, home, do="submit", app=str(app), context=wrong)


def test_a_hostile_value_is_refused_with_field_and_limit(
    app: Path, home: dict[str, str], says: Callable[..., Path], tmp_path: Path
) -> None:
    says(images=[DESKTOP])
    session = staged(tmp_path)
    asked = [
        {"do": do, "app": str(app), "session": session, "context": {name: value}}
        for name in FIELDS
        for value in [*HOSTILE, "-1", "1e3", "0x10", "99999", "NaN"]
        for do in ("submit", *(["stage"] if "REQUEST" in value else []))
    ]
    for one, answer in zip(asked, render_all(None, home, asked), strict=True):
        [name] = one["context"]
        words = answer["error"]
        assert words.startswith(f"{name} is ") and len(words) < 700
        assert "but must be" in words or "but this site allows" in words
    assert not Path("/tmp/owned").exists()


def test_what_is_staged_is_the_users_alone_and_asks_the_node_for_what_was_chosen(
    app: Path, home: dict[str, str], says: Callable[..., Path], tmp_path: Path
) -> None:
    says(images=[DESKTOP])
    change_settings(app, command='/opt/it\'s "here" $x/moonlight-hpc', config="/etc/a b.py")
    change_settings(app, node_proxy="rnode")
    cache = Path(home["XDG_CACHE_HOME"], "moonlight-hpc")
    session = staged(tmp_path)
    context = {"hours": "1", "gpus": "0", "cores": "2", "memory": "2", "quality": "saving"}
    with pytest.raises(Refused, match="cannot be used here"):
        render(None, home, do="stage", app=str(app), context=context, session=session)
    # Where the images are known already, the program has to be on the node only.
    says(images=[DESKTOP])
    render(None, home, do="form", app=str(app))
    change_settings(app, command='/opt/it\'s "here" $x/moonlight-hpc')
    assert cache.is_dir()
    render(None, home, do="stage", app=str(app), context=context, session=session)
    directory = Path(session["staged_root"])
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert directory.joinpath("script.sh").stat().st_mode & 0o100
    lines = directory.joinpath("script.sh").read_text().splitlines()
    at = lines.index("MOONLIGHT_REQUEST")
    assert json.loads(lines[at - 1]) == {
        **{"image": "host-desktop", "hours": 1, "cpus": 2, "memory_gb": 2, "gpus": 0},
        **{
            "resolution": "1920x1080",
            "follow_window": True,
            "fps": 30,
            "bitrate_kbps": 5000,
            "keyboard": "us",
        },
    }
    [execute] = [line for line in lines if line.startswith("exec ")]
    assert shlex.split(execute.rstrip("\\"))[1] == '/opt/it\'s "here" $x/moonlight-hpc'
    before = directory.joinpath("before.sh").read_text()
    assert "export MOONLIGHT_HPC_GATEWAY_PLAIN_HTTP=true" in before
    argv = ["shellcheck", "--shell=bash", "--exclude=SC2154,SC2034"]
    parts = [str(directory / f"{name}.sh") for name in ("before", "script", "after")]
    done = subprocess.run([*argv, *parts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_name_is_handed_on_as_it_is_and_never_anything_else(
    app: Path, home: dict[str, str], says: Callable[..., Path], tmp_path: Path
) -> None:
    says(images=[DESKTOP])
    names = ["유동 해석 3", *HOSTILE, "x" * (MOST_SIGNS + 1)]
    sessions = [staged(tmp_path / str(number)) for number in range(len(names))]
    asked = [
        {"do": "stage", "app": str(app), "session": session, "context": {"desktop_name": name}}
        for name, session in zip(names, sessions, strict=True)
    ]
    refused = []
    answers = render_all(None, home, asked)
    for name, session, answer in zip(names, sessions, answers, strict=True):
        if "error" in answer:
            assert answer["error"].startswith("desktop_name is ")
            refused.append(name)
        else:
            lines = Path(session["staged_root"], "script.sh").read_text().split("\n")
            assert json.loads(lines[lines.index("MOONLIGHT_REQUEST") - 1])["name"] == name
    odd = [name for name in names if len(name) > MOST_SIGNS or "\n" in name or "\u202e" in name]
    assert refused == odd


def test_where_the_program_is_not_on_the_node_the_job_says_so(
    app: Path, home: dict[str, str], says: Callable[..., Path], tmp_path: Path
) -> None:
    says(images=[DESKTOP])
    render(None, home, do="form", app=str(app))
    change_settings(app, command="/nowhere/it's/moonlight-hpc")
    session = staged(tmp_path)
    render(None, home, do="stage", app=str(app), context={}, session=session)
    argv = ["bash", "-c", "source ./before.sh; echo went on"]
    done = subprocess.run(argv, cwd=session["staged_root"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    card = render(None, home, do="card", app=str(app), session=session)
    assert "/nowhere/it's/moonlight-hpc is not on this node." in Tags(card["completed"]).words


@pytest.mark.parametrize("proxy", ["node", "rnode", "secure_node", "secure_rnode"])
def test_the_view_is_a_form_that_posts_the_token(
    app: Path, home: dict[str, str], tmp_path: Path, proxy: str
) -> None:
    connection = f"proxy: {proxy}\nsession_id: ml-a-b\nnative_host: \nnative_port: \n"
    connection += f"host: n1.example.org\nport: 40123\npassword: {TOKEN}\n"
    session = {**staged(tmp_path, connection_yml=connection), "state": "running"}
    card = render(None, home, do="card", app=str(app), session=session)
    assert card["connect"]["password"] == TOKEN  # through YAML, as it was
    seen = Tags(card["view"])
    [form] = [attributes for tag, attributes in seen.tags if tag == "form"]
    assert form["action"] == f"/{proxy}/n1.example.org/40123/login"
    assert (form["method"], form["target"]) == ("post", "_blank")
    assert card["view"].count(TOKEN) == 1
    assert ("input", {"type": "hidden", "name": "token", "value": TOKEN}) in seen.tags
    assert "script" not in seen.names() and " on" not in str([list(a) for _, a in seen.tags])
    assert is_one_block(card["view"])
    native = connection.replace(
        "native_host: \nnative_port: ", "native_host: 10.1.2.3\nnative_port: 47989"
    )
    session = {**staged(tmp_path, connection_yml=native), "state": "running"}
    card = render(None, home, do="card", app=str(app), session=session)
    assert "10.1.2.3:47989" in Tags(card["view"]).words
    assert ("input", {"type": "hidden", "name": "to", "value": "native"}) in Tags(card["view"]).tags


def test_a_view_of_what_nobody_should_have_written_is_a_sentence(
    app: Path, home: dict[str, str], tmp_path: Path
) -> None:
    good = {"proxy": "node", "host": "n1", "port": 40123, "password": TOKEN}
    asked = []
    for name in good:
        for value in [*HOSTILE, "", "//evil.example.org/", None, ["x"], {"a": 1}]:
            text = yaml.safe_dump(
                {**good, name: value, "native_host": deepcopy(value), "native_port": 1}
            )
            session = staged(tmp_path / str(len(asked)), connection_yml=text)
            card = {"do": "card", "app": str(app), "session": {**session, "state": "running"}}
            asked.append(card)
    for one, card in zip(asked, render_all(None, home, asked), strict=True):
        assert "view" in card, (one, card)
        seen = Tags(card["view"])
        assert seen.names() == {"div"}, (one, card["view"])
        assert "cannot be read" in seen.words


def test_the_card_says_how_it_ended_and_asks_once(
    app: Path, home: dict[str, str], says: Callable[..., Path], tmp_path: Path
) -> None:
    session = staged(tmp_path, session_json={"session_id": "ml-alice-4k7q2mzj5a"})
    ended = {"status": "failed", "reason": "X did not start.", "logs": {"agent": "one\ntwo\n"}}
    calls = says(images=[DESKTOP], session={**ended, "session_id": "ml-alice-4k7q2mzj5a"})
    for _ in range(3):
        card = render(None, home, do="card", app=str(app), session=session)
        seen = Tags(card["completed"])
        assert "X did not start." in seen.words and "support of your site" in seen.words
        assert "one\ntwo" in seen.words
    assert calls.read_text() == "session show ml-alice-4k7q2mzj5a --json --logs 4000\n"
    kept = Path(session["staged_root"], "ended.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    stopped = {"status": "cancelled", "reason": "You stopped it.", "logs": {"agent": "one\n"}}
    kept.write_text(json.dumps(stopped))
    seen = Tags(render(None, home, do="card", app=str(app), session=session)["completed"])
    assert "You stopped it." in seen.words and "pre" not in seen.names()


def test_an_end_that_is_not_known_yet_is_asked_for_again_later(
    app: Path, home: dict[str, str], says: Callable[..., Path], tmp_path: Path
) -> None:
    session = staged(tmp_path, session_json={"session_id": "ml-alice-4k7q2mzj5a"})
    calls = says(images=[DESKTOP], session={"status": "stopping"})
    for _ in range(2):
        card = render(None, home, do="card", app=str(app), session=session)
        assert "How is not known yet" in Tags(card["completed"]).words
    assert len(calls.read_text().splitlines()) == 1  # every ten seconds the card is made anew
    gone = {"message": "There is no session.", "error": {"code": "not_found"}}
    says(images=[DESKTOP], session=gone, status=1)
    Path(session["staged_root"], "asked").unlink()
    card = render(None, home, do="card", app=str(app), session=session)
    assert "its records were removed" in Tags(card["completed"]).words

    nothing = staged(tmp_path / "n")
    Path(nothing["staged_root"], "output.log").write_text("slurmstepd: error: no room\n")
    card = render(None, home, do="card", app=str(app), session=nothing)
    assert "ended before the desktop began" in Tags(card["completed"]).words
    assert "no room" in Tags(card["completed"]).words


def test_no_record_and_no_log_becomes_a_tag_or_markdown(
    app: Path, home: dict[str, str], tmp_path: Path
) -> None:
    asked = []
    for number, hostile in enumerate(HOSTILE):
        step = {"label": hostile, "detail": hostile, "state": "done"}
        names = ("session_id", "image_name", "gl_renderer", "encoder", "ends_at")
        progress = {name: hostile for name in names}
        session = staged(
            tmp_path / str(number),
            session_json={"session_id": hostile, "message": hostile},
            progress_json={
                **progress,
                "notes": [hostile, {"a": 1}],
                "steps": [step, hostile, None],
            },
            ended_json={
                "status": "failed",
                "reason": hostile,
                "logs": {"agent": f"{hostile}\n\n</pre>"},
            },
            connection_yml=f"proxy: node\nhost: n1\nport: 40123\npassword: {TOKEN}\n",
        )
        for state in ("running", "completed"):
            asked.append({"do": "card", "app": str(app), "session": {**session, "state": state}})
    known = {"div", "strong", "code", "br", "details", "summary", "pre"}
    for card, hostile in zip(
        render_all(None, home, asked), [h for h in HOSTILE for _ in "12"], strict=True
    ):
        for text in (card["info"], card.get("completed", "")):
            assert is_one_block(text), text
            seen = Tags(text)
            assert seen.names() <= known
            assert {name for _, names in seen.tags for name in names} <= {
                *("class", "role", "data-moonlight", "open", "lang")
            }
            assert not set("*_`[]!~\\") & set(bare(text)), text
            assert "\u202e" not in seen.words  # which would turn the rest of a line around
        if "completed" in card and hostile.isprintable():
            assert hostile in Tags(card["completed"]).words


def bare(text: str) -> str:
    """What stands between the tags of a part: what markdown would read, were it not one block."""
    return "".join(part.partition(">")[2] for part in text.split("<"))


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "null", '{"session_id": 3}', "\udc80"])
def test_damaged_files_are_as_none(
    app: Path, home: dict[str, str], says: Callable[..., Path], tmp_path: Path, content: str
) -> None:
    says(images=[DESKTOP], session="x")
    session = staged(tmp_path, session_json=content, progress_json=content, ended_json=content)
    card = render(None, home, do="card", app=str(app), session=session)
    assert "ended before the desktop began" in Tags(card["completed"]).words
    assert card["info"].strip() == ""
    Path(session["staged_root"], "session.json").unlink()
    Path(session["staged_root"], "session.json").symlink_to("/etc/passwd")
    render(None, home, do="card", app=str(app), session=session)


def test_a_log_that_is_a_pipe_keeps_no_card_waiting(
    app: Path, home: dict[str, str], says: Callable[..., Path], tmp_path: Path
) -> None:
    """A job may put one there; the card is made by its user's web server, which does one thing at a time."""
    says(images=[DESKTOP])
    session = staged(tmp_path)
    os.mkfifo(Path(session["staged_root"], "output.log"))
    card = render(None, home, do="card", app=str(app), session=session)
    assert "ended before the desktop began" in Tags(card["completed"]).words


def test_settings_that_are_wrong_are_told_by_name(app: Path, home: dict[str, str]) -> None:
    wrong = {
        "command": "moonlight-hpc",
        "node_proxy": "proxy",
        "hours": {"default": 1, "min": 3, "max": 2},
        "gpus": "many",
        "cores": 4,
        "resolutions": [],
        "keyboards": [1],
        "qualities": [{"name": "x"}],
        "partitions": ["viz"],
        "config": "../x",
    }
    whole = yaml.safe_load((app / "site.yml").read_text())
    for name, value in wrong.items():
        change_settings(app, **{**whole, name: value})
        with pytest.raises(Refused, match=f"^{name} in .*site.yml "):
            render(None, home, do="form", app=str(app))
    (app / "site.yml").write_text("a: [")
    with pytest.raises(Refused, match="are no YAML"):
        render(None, home, do="form", app=str(app))
    (app / "site.yml").unlink()
    with pytest.raises(Refused, match="moonlight-hpc ood install"):
        render(None, home, do="form", app=str(app))


def test_the_app_has_what_open_ondemand_reads_and_its_version() -> None:
    files = app_files()
    manifest = yaml.safe_load((files / "manifest.yml").read_text())
    assert manifest["role"] == "batch_connect" and manifest["category"]
    assert (files / "VERSION").read_text().strip() == __version__
    assert (files / "template" / "script.sh.erb").stat().st_mode & 0o111
    assert command().exists()
    settings = (files / "site.yml").read_text()
    for name in yaml.safe_load(settings):
        above = settings.split(f"\n{name}:")[0].rstrip().splitlines()[-1]
        assert above.startswith("#"), f"{name} is not explained"
