"""A process that behaves as Sunshine v2026.817.185037 did in the recordings (no picture in it).

Run it as ``tests/standins/sunshine CONF [key=value ...]``, or put a copy for another user
anywhere with ``tests.standins.sunshine_install.install(directory)``.

What it cannot know by itself is set by knobs: environment variables, or a file
``sunshine_knobs.json`` beside the executable (for a driver that clears the environment); the
environment wins. All of them, with their defaults:

STANDIN_PYTHON
    The interpreter. Else the repository's ``.venv``, else ``python3`` on PATH.
STANDIN_SUNSHINE_NVENC (0), STANDIN_SUNSHINE_VAAPI (0)
    1: the GPU has that encoder. 0: it fails and another one is taken silently.
STANDIN_SUNSHINE_NVENC_HEVC (1), STANDIN_SUNSHINE_NVENC_AV1 (0)
    Which codecs it has besides H.264: L4, L40 and RTX 40 have both, T4 and V100 no AV1.
STANDIN_SUNSHINE_NVENC_FAILS (codec)
    What the log says of an NVENC that fails. ``codec``: recorded, that FFmpeg had none.
    ``cuda``: no libcuda, as without ``--nv``. ``driver``: too old. ``hardware``: an A100.
STANDIN_SUNSHINE_SOFTWARE (1)
    0: libx264 fails too, so that no encoder is found although there is a display.
STANDIN_SUNSHINE_SOFTWARE_HEVC (1)
    0: that FFmpeg has no libx265.
STANDIN_SUNSHINE_DISPLAY (x11)
    ``x11``: DISPLAY is really connected to, with its Xauthority. ``none``, ``present``: as if.
STANDIN_SUNSHINE_TAKEN (recorded)
    What a taken TCP port leads to, ``exit`` (rc 0) or ``half-dead``; the real one does either by
    chance. ``recorded``: what was seen most often for that port. ``random``: by chance.
STANDIN_SUNSHINE_TERM_HANG (pairing)
    When TERM is not obeyed: ``never``, ``pairing`` (one is or was pending), ``always``.
STANDIN_SUNSHINE_FORCE_SECONDS (10)
    After how long a half-dead process that got TERM ends with SIGTRAP.
STANDIN_SUNSHINE_PAIR_SECONDS (300)
    How long a pending pair request is kept open.
STANDIN_SUNSHINE_START_SECONDS (0)
    Waits that long before it opens its ports.
STANDIN_SUNSHINE_PROBE_SECONDS (0.4)
    What one failing encoder costs when there is no display.
STANDIN_SUNSHINE_UINPUT (/dev/uinput), STANDIN_SUNSHINE_UHID (/dev/uhid)
    The devices that take precedence over XTest if they can be read and written. The real one logs
    nothing of either; a regular file gets the name of each device as a line (see input.py).
STANDIN_SUNSHINE_AUDIO (1)
    0: no PulseAudio. 1: looks for PULSE_SERVER or ``$XDG_RUNTIME_DIR/pulse/native``, with
    ``pactl`` and ``parec`` from PATH.
STANDIN_SUNSHINE_DEFAULT_PORT (47989)
    what a port that cannot be used stands for: others on this machine may have Sunshine's own
STANDIN_SUNSHINE_HANG_SECONDS (10)
    After how long a stream whose sound cannot end takes the process with it (SIGTRAP).

A knob in the file may be changed while the process runs: an encoder that worked at the start and
fails at the launch, for example.
"""

VERSION = "2026.817.185037"
