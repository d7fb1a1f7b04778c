"""What a node sees of what sessions need: asked in a job of a second, and compared with this host."""

from __future__ import annotations

import contextlib
import os
import secrets

from ..model.errors import MoonlightError
from ..model.files import write_private
from ..scheduler.command import CommandMissing, CommandTimeout, run
from ..site.options import MoonlightSite
from ..store import FileStore
from .ask import last_line
from .finding import Finding
from .ports import FILES, given_away

# Sessions may wait for hours; the answer of a doctor may not.
_WAIT_SECONDS = 8
_SECONDS = 14.0
_LOOK = (
    'echo "node $SLURMD_NODENAME"; for p; do [ -e "$p" ] && echo "yes" || echo "no"; done; '
    f"cat {' '.join(FILES)}"
)


async def a_node(site: MoonlightSite) -> Finding:
    """Whether a node sees the records, the logs, the home and the agent of this host.

    An XDG_DATA_HOME on the login host's own disk, a home that is not mounted: nothing of it shows
    here, and the job has no place to say it.
    """
    name = "a node"
    try:
        root = FileStore(site.sessions_dir).root
        mark = root / f".seen-{secrets.token_hex(8)}"
        write_private(mark, "")
    except (MoonlightError, OSError) as e:
        return Finding(name, True, f"not asked: the records cannot be written ({e})")
    home = os.path.expanduser("~")
    wanted = {
        str(
            mark
        ): f"the records in {root}: set `sessions_dir` (or XDG_DATA_HOME) to a shared place",
        site.logs_dir: f"the logs in {site.logs_dir}: set `logs_dir` to a shared place",
        home: f"the home {home}: is it mounted there?",
        next(iter(site.agent_command), ""): "the agent, "
        f"{' '.join(site.agent_command[:1])}: correct `agent_command`, or install it there",
    }
    paths = [path for path in wanted if os.path.isabs(path) and os.path.exists(path)]
    try:
        node, seen, ports = await _ask_node(site, paths)
    except LookupError as e:
        by_hand = f"srun -p {site.partition} --qos={site.qos} moonlight-hpc doctor --node"
        return Finding(name, True, f"not asked: {e}. By hand: {by_hand}")
    finally:
        mark.unlink(missing_ok=True)
    missing = [wanted[path] for path in paths if not seen[path]]
    if missing:
        what = " and ".join(text.partition(":")[0] for text in missing)
        return Finding(name, False, f"{node} does not see {what}", "; ".join(missing))
    text = f"{node} sees the records, the home and the agent"
    with contextlib.suppress(TypeError, ValueError):  # another kernel's, or none
        given, fix = given_away(site, *ports)
        if given:
            return Finding(name, True, f"{text}; {given}", f"On the nodes: {fix}", odd=True)
    return Finding(name, True, text)


async def _ask_node(
    site: MoonlightSite, paths: list[str]
) -> tuple[str, dict[str, bool], list[str]]:
    """A node's name, for each path whether it is there, and what :data:`.ports.FILES` say there.

    Raises
    ------
    LookupError
        No node answered; the text says why.
    """
    srun = site.slurm_command("srun")
    if srun is None:
        raise LookupError("srun is not installed here")
    argv = [srun, f"--immediate={_WAIT_SECONDS}", "--quiet", "--ntasks=1", "--time=1", "--mem=100M"]
    argv += [f"--{k}={v}" for k in ("partition", "qos", "account") if (v := getattr(site, k))]
    argv += ["--job-name=moonlight-doctor", "--chdir=/", "/bin/sh", "-c", _LOOK, "sh", *paths]
    try:
        result = await run(argv, _SECONDS)
    except (CommandMissing, CommandTimeout) as e:
        raise LookupError(str(e)) from e
    words = result.output.split("\n")
    if result.status or not words[0].startswith("node ") or len(words) < len(paths) + 1:
        raise LookupError(last_line(result.errors) or "no node was free")
    answers = dict(zip(paths, (word == "yes" for word in words[1:]), strict=False))
    ports = words[len(paths) + 1 :][: len(FILES)]
    return words[0].removeprefix("node ").strip() or "a node", answers, ports
