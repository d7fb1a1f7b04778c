"""`make demo-portal`: a whole HPC portal on this machine, until Ctrl-C (root).

Its users, its login page, its nginx, its Redis, a Slurm of two nodes, and `moonlight-hpc serve` under an
account of its own that acts as the users by sudo. All of it is made here and removed at the end, accounts
included.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time

import psutil
from demo import ROOT, directory, end_by_signals, ended_in_order
from moonlight_spawner.agent.display.screen import make_sockets

from tests.cluster import ClusterError, SlurmCluster
from tests.portal.login_page import login_page
from tests.portal.place import Place, portal_place
from tests.support.redis import RedisServer, redis_server
from tests.user_side.portal import Portal, portal

_ACL = ROOT / "deploy/redis/moonlight.acl"
_HOURS = 12


def main() -> int:
    if os.geteuid() != 0:
        sys.exit(
            "make demo-portal needs root: it makes accounts, a sudo rule and a Slurm of its own."
        )
    os.umask(0o022)  # its users read what it makes
    end_by_signals("its desktops, its portal, its Slurm, its accounts and its files")
    try:
        with ended_in_order() as stack:
            print("Making a portal of three users on this machine …", flush=True)
            side = stack.enter_context(portal(3))
            make_sockets()  # as a node's boot does; its users may not
            cluster = SlurmCluster(directory(stack), side.users)
            stack.callback(cluster.stop)
            cluster.start()
            _use(cluster, stack.enter_context(redis_server()), side)
            stack.callback(cluster.cancel_all_jobs)  # before its nodes end: desktops leave nothing
            place = stack.enter_context(portal_place(side, directory(stack)))
            _welcome(place, cluster)
            assert place.process
            place.process.wait()
            print("The service has ended, and so does the demo. Its last words:", file=sys.stderr)
            print(place.log.read_text("utf-8", "replace")[-2000:], file=sys.stderr)
            return 1
    except KeyboardInterrupt:
        return 0
    except ClusterError as e:
        sys.exit(f"The demo cannot go on: {e}")


def _use(cluster: SlurmCluster, server: RedisServer, side: Portal) -> None:
    """The portal's settings with this Slurm and this Redis, of which the service has the shipped user.
    sudo passes no SLURM_CONF on, so that stands in there."""
    with server.client() as client:
        _, name, *rules = _ACL.read_text("ascii").split()
        client.execute_command("ACL", "SETUSER", name, *rules, "on", f">{server.password}")
    password = server.password_file(server.directory / "password", side.service)
    settings = server.settings(password)
    settings |= {"portal_redis_url": server.unix_url, "portal_redis_user": name}
    text = side.config.read_text("utf-8").replace('scheduler = "local"', 'scheduler = "slurm"')
    text += f"c.MoonlightSite.gateway_address = {_own_address()!r}\n"
    text += "".join(f"c.MoonlightSite.{n} = {value!r}\n" for n, value in settings.items())
    conf = f"import os\nos.environ['SLURM_CONF'] = {str(cluster.slurm_conf)!r}\n"
    side.config.write_text(conf + text, "utf-8")


def _own_address() -> str:
    """Where its nodes are reached: the service takes no user's word for one on its own loopback."""
    found = [one.address for some in psutil.net_if_addrs().values() for one in some]
    own = [address for address in found if re.fullmatch(r"[0-9.]+", address)]
    for address in own:
        if not address.startswith(("127.", "169.254.")):
            return address
    sys.exit("make demo-portal needs a network: this machine has no address but its loopback's.")


def _welcome(place: Place, cluster: SlurmCluster) -> None:
    *users, admin = map(str, place.side.users)
    until = int(time.time()) + _HOURS * 3600
    tokens = {name: place.token(name, exp=until) for name in users}
    tokens[admin] = place.token(admin, exp=until, groups=["hpc-admins"])
    place.issuer.page = login_page(tokens)
    port = place.origin.rpartition(":")[2]
    print(
        f"""
  Open this link (the certificate is the demo's own: the browser asks):

      {place.origin}/moonlight/

  Users: {", ".join(users)}; admin: {admin}. They log in by a click. Then "Launch", and "Connect".
  From another machine first:  ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}
  To look at its Slurm:  export SLURM_CONF={cluster.slurm_conf}; squeue
  For moonlight-hpc in a terminal:  export MOONLIGHT_HPC_CONFIG={place.config}
  What it logs:  {place.log}
  Ctrl-C here ends the demo and its desktops.
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
