# Moonlight HPC: the settings of a portal's machine, an example to copy to /etc/moonlight-hpc/config.py.
#
#   install -d -o root -m 0755 /etc/moonlight-hpc
#   install -o root -m 0644 deploy/moonlight_config.py /etc/moonlight-hpc/config.py
#
# It is root's and everybody may read it: no secret stands in it, only the names of files that have one.
# docs/configuration.md lists all settings. `moonlight-hpc doctor --portal` looks at what is set here.

c = get_config()  # noqa: F821  # what reads this gives it

# Slurm: deploy/slurm/create-qos makes the QoS.
c.MoonlightSite.partition = "viz"
c.MoonlightSite.qos = "moonlight"
c.MoonlightSite.max_hours = 8.0
# The nodes' network that the portal's machine reaches; not all of them.
c.MoonlightSite.gateway_address = "10.1.0.0/16"

# Images, and what sessions keep on the file system that all nodes share (docs/install.md, "The directories").
c.MoonlightSite.images_dir = "/opt/moonlight-hpc/images"
c.MoonlightSite.sessions_dir = "/scratch/sunshine_sessions"
c.MoonlightSite.logs_dir = "/scratch/sunshine_logs"
c.MoonlightSite.sandboxes_dir = "/scratch/sunshine_sandboxes"

# The portal: who its users are is what its auth service says (docs/portal.md, "Who is asking").
c.MoonlightSite.portal_url = "https://portal.site.org"
c.MoonlightSite.portal_login_url = "/login?redirect={next}"
c.MoonlightSite.portal_algorithm = "RS256"
c.MoonlightSite.portal_jwks_url = "https://portal.site.org:4430/.well-known/jwks.json"
c.MoonlightSite.portal_issuer = "https://portal.site.org"
c.MoonlightSite.portal_audience = "moonlight"
c.MoonlightSite.portal_user_claim = "preferred_username"
c.MoonlightSite.portal_admin_claims = {"groups": ["hpc-admins"]}

# Redis, with a user of its own (deploy/redis/moonlight.acl). Without it a service keeps what it knows.
c.MoonlightSite.portal_redis_url = "redis://127.0.0.1:6379/0"
c.MoonlightSite.portal_redis_user = "moonlight"
c.MoonlightSite.portal_redis_password_file = "/etc/moonlight-hpc/redis.password"  # noqa: S105  # a name

# Who did what: in the service's log, or alone in a file (deploy/logrotate/moonlight-hpc). The unit makes the
# directory; another one has to be the service's as well, and not below /usr or /etc, which it only reads.
# c.MoonlightSite.portal_audit_file = "/var/log/moonlight-hpc-audit/audit.log"

# What users may do, here as it is by itself (docs/install.md, "The settings").
# c.MoonlightSite.clipboard = "both"
# c.MoonlightSite.files = "both"
# c.MoonlightSite.files_folders = ["/scratch/{user}"]  # by itself the home alone
# c.MoonlightSite.previews = True
# c.MoonlightSite.idle_minutes = 0  # 60: a desktop that nobody uses for an hour is ended
# c.MoonlightSite.begin_days = 14
# c.MoonlightSite.mail = False

# WebRTC, with a TURN server (coturn with use-auth-secret). The secret is the service's alone, mode 0600;
# desktops that users begin by other doors with these settings go without TURN (docs/sunshine.md).
# c.MoonlightSite.webrtc = True
# c.MoonlightSite.turn_uris = ["turn:turn.site.org:3478"]
# c.MoonlightSite.turn_secret_file = "/etc/moonlight-hpc/turn.secret"

# Displays of X and ports on the nodes, apart from those of the VNC service below.
c.MoonlightSite.display_min = 10
c.MoonlightSite.display_max = 99
c.MoonlightSite.port_min = 47989
c.MoonlightSite.port_max = 48989

# What else runs at the site. `moonlight-hpc doctor --portal` looks whether each still listens, and answers
# where it has a `url`; and that no port, directory, Redis key, image, display or port range is both theirs
# and ours. Ours: ports 8004 and 8005, moonlight:*, sunshine_*.sif, and the directories and ranges above.
c.MoonlightSite.portal_neighbours = [
    {
        "name": "Auth Portal",
        "port": 4430,
        "url": "https://portal.site.org:4430/",
        "redis_prefix": "auth:*",
    },
    {"name": "SAML IdP", "port": 7000},
    {"name": "CAE Web", "port": 5000, "url": "http://127.0.0.1:5000/"},
    {"name": "CAE Automation", "port": 5001, "url": "http://127.0.0.1:5001/"},
    {
        "name": "Dashboard",
        "port": 5010,
        "url": "http://127.0.0.1:5010/",
        "redis_prefix": ["job:*", "user:*"],
    },
    {"name": "WebSocket", "port": 5011},
    {
        "name": "VNC backend",
        "redis_prefix": "vnc:session:*",
        "displays": ":1-:9",
        "port_range": "5901-5909",
        "image_prefix": "vnc_*.sif",
        "directory": "/scratch/vnc_sandboxes",
    },
    {"name": "VNC frontend", "port": 8002, "url": "http://127.0.0.1:8002/"},
    {"name": "CAE frontend", "port": 8001, "url": "http://127.0.0.1:8001/"},
    {"name": "Prometheus", "port": 9090, "url": "http://127.0.0.1:9090/-/healthy"},
    {"name": "node exporter", "port": 9100, "url": "http://127.0.0.1:9100/metrics"},
]
