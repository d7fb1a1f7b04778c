"""What of its surroundings each kind of program gets, and what it does not."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest
from moonlight_spawner.agent.desktop.home import NoHome, look_at_home, own_places
from moonlight_spawner.agent.desktop.shell import shell_for_terminals
from moonlight_spawner.model.account import usable_shell
from moonlight_spawner.processes import environment
from moonlight_spawner.processes.caller import command_environment, local_environment
from moonlight_spawner.processes.environment import (
    desktop_environment,
    find,
    find_in_system,
    held_back,
    job_environment,
    origins,
    parts_environment,
)
from moonlight_spawner.site.machine import base_directory, python

HOME = pwd.getpwuid(os.geteuid()).pw_dir
JUNK = {
    "SLURM_TIME_FORMAT": "%Y",
    "SLURM_MEM_PER_CPU": "300",
    "SLURM_CPU_BIND": "quiet,mask_cpu:0x1",
    "SLURM_STEP_ID": "0",
    "SLURM_CLUSTERS": "other",
    "SLURM_EXPORT_ENV": "NONE",
    "SBATCH_QOS": "debug",
    "SQUEUE_FORMAT": "%i",
    "SACCT_FORMAT": "JobID",
    "PYTHONPATH": "/nonexistent",
    "JUPYTERHUB_API_TOKEN": "s3cret",
    "LC_ALL": "ko_KR.EUC-KR",
}


@pytest.mark.parametrize(
    "command", ["sbatch", "/opt/slurm/bin/squeue", "sacct", "scancel", "sinfo"]
)
def test_nothing_of_the_caller_steers_a_command_of_slurm(command: str) -> None:
    needed = {"PATH": "/usr/bin", "HOME": "/root", "SLURM_CONF": "/c", "KRB5CCNAME": "FILE:/k"}
    env = command_environment(command, {**JUNK, **needed})
    tells_times = Path(command).name in ("squeue", "sacct", "sinfo")
    times = {"SLURM_TIME_FORMAT": "%s"} if tells_times else {}
    assert env == {**needed, **times, "LC_ALL": "C"}


def test_a_local_job_begins_as_a_login() -> None:
    env = local_environment(
        {**JUNK, "PATH": "/opt/mine:/usr/bin", "HOME": "/x", "TZ": "Asia/Seoul"}
    )
    assert env["HOME"] == HOME and env["TZ"] == "Asia/Seoul"
    assert env["PATH"].split(":")[:2] == ["/opt/mine", "/usr/bin"]
    assert not {*env} & {*JUNK} - {"LC_ALL"}


SITES_WORDS = {
    "OMP_NUM_THREADS": "4",
    "KRB5CCNAME": "FILE:/tmp/krb5cc_x",
    "SITE_SCRATCH": "/scratch/u",
    "REQUESTS_CA_BUNDLE": "/etc/site.pem",
    "HTTPS_PROXY": "http://u:pw@10.0.0.1:3128",
    "GTK_IM_MODULE": "ibus",
    "MPI_HOME": "/opt/mpi",
    "LOADEDMODULES": "mpi/4",
    "BASH_FUNC_module%%": "() { :; }",
    "SLURM_JOB_ID": "7",
    "SLURM_CPUS_PER_TASK": "2",
    "CUDA_VISIBLE_DEVICES": "0",
    "LC_TIME": "de_DE.UTF-8",
    "XDG_CONFIG_HOME": "/data/config",
    "APPTAINER_CACHEDIR": "/scratch/u/cache",
}


@pytest.mark.parametrize("name", SITES_WORDS)
def test_what_the_site_and_modules_set_is_in_the_desktop(name: str) -> None:
    assert desktop_environment(SITES_WORDS)[name] == SITES_WORDS[name]
    assert name not in held_back(SITES_WORDS)


@pytest.mark.parametrize(
    "name",
    ["SLURM_EXPORT_ENV", "SLURM_GET_USER_ENV", "SLURM_JWT", "SLURM_STEP_ID", "SLURM_STEPID",
     "SLURM_CPU_BIND", "SLURM_CPU_BIND_LIST", "SBATCH_QOS", "MOONLIGHT_HPC_QOS", "DISPLAY",
     "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "XDG_SESSION_ID", "ICEAUTHORITY",
     "DBUS_SESSION_BUS_ADDRESS", "SESSION_MANAGER", "SSH_AUTH_SOCK", "PULSE_SERVER", "TERM",
     "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "IFS", "SHELLOPTS", "PWD", "_"],
)  # fmt: skip
def test_what_is_anothers_is_nowhere(name: str) -> None:
    job = {name: "value"}
    assert name not in desktop_environment(job)
    assert name not in parts_environment(job)
    assert name not in held_back(job)


@pytest.mark.parametrize(
    "name",
    ["LD_LIBRARY_PATH", "LD_PRELOAD", "GTK_PATH", "GTK_MODULES", "GIO_EXTRA_MODULES", "GI_TYPELIB_PATH",
     "GDK_PIXBUF_MODULE_FILE", "GSETTINGS_SCHEMA_DIR", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM",
     "FONTCONFIG_FILE", "XKB_CONFIG_ROOT", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PERL5LIB",
     "BASH_ENV", "ENV", "CONDA_PREFIX", "VIRTUAL_ENV"],
)  # fmt: skip
def test_what_breaks_a_desktop_is_in_its_shells_alone(name: str) -> None:
    job = {name: "value"}
    assert name not in desktop_environment(job)
    assert name not in parts_environment(job)
    assert held_back(job)[name] == "value"


@pytest.mark.parametrize("name", [*SITES_WORDS, "SOME_TOKEN"])
def test_the_sessions_own_parts_get_what_they_need(name: str) -> None:
    needed = {"SLURM_JOB_ID", "SLURM_CPUS_PER_TASK", "CUDA_VISIBLE_DEVICES", "LC_TIME"}
    assert (name in parts_environment({**SITES_WORDS, "SOME_TOKEN": "s3cret"})) == (name in needed)


def test_no_part_of_the_session_gets_a_proxys_password() -> None:
    job = {"http_proxy": "http://u:pw@proxy:1", "https_proxy": "http://proxy:1"}
    parts = parts_environment(job)
    assert "http_proxy" not in parts and parts["https_proxy"] == "http://proxy:1"


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    for directory in ("conda-meta", "bin", "lib", "share/man", "envs/x/conda-meta", "envs/x/bin"):
        (tmp_path / "conda" / directory).mkdir(parents=True)
    return tmp_path / "conda"


def test_path_lists_lose_what_is_condas_or_the_users_own(conda: Path) -> None:
    job = {
        "PATH": f"{conda}/bin:/opt/site/bin:{HOME}/.local/bin::/usr/bin:{conda}/envs/x/bin",
        "MANPATH": f"{conda}/share/man:/opt/site/man",
        "XDG_DATA_DIRS": f"/opt/site/share:/usr/share:{HOME}/share",
    }
    env = desktop_environment(job)
    path = env["PATH"].split(":")
    assert {"/usr/local/bin", "/usr/bin", "/bin"} == set(path[:3])
    assert path[-1] == "/opt/site/bin" and len(path) == len(set(path))
    assert env["MANPATH"] == "/opt/site/man"
    assert env["XDG_DATA_DIRS"] == "/usr/local/share:/usr/share:/opt/site/share"
    assert held_back(job)["PATH"].startswith(
        f"{conda}/bin:/opt/site/bin:{HOME}/.local/bin:/usr/bin"
    )
    assert "/sbin" in held_back(job)["PATH"].split(":")


def test_a_link_into_conda_is_condas(conda: Path, tmp_path: Path) -> None:
    (tmp_path / "tools").symlink_to(conda / "bin")
    env = desktop_environment({"PATH": f"{tmp_path}/tools:/usr/bin"})
    assert str(tmp_path) not in env["PATH"]


def test_a_home_is_known_by_all_its_paths(tmp_path: Path) -> None:
    real, link = tmp_path / "lustre", tmp_path / "home"
    real.mkdir()
    link.symlink_to(real)
    for home in (str(link), str(real), f"{link}/"):
        assert environment._safe([f"{real}/bin", f"{link}/bin2", str(link), "/usr/bin"], home) == [
            "/usr/bin"
        ]
    assert environment._safe([f"{real}2/bin"], str(link)) == [f"{real}2/bin"]
    assert environment._safe(["/opt/x"], "/") == ["/opt/x"]


def test_a_program_of_the_desktop_is_the_systems_and_a_chosen_one_the_jobs(tmp_path: Path) -> None:
    for name in ("sh", "only-here"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    job = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert find("sh", job) == f"{tmp_path}/sh"
    assert find_in_system("sh", job) in ("/usr/bin/sh", "/bin/sh")
    assert find_in_system("only-here", job) == f"{tmp_path}/only-here"
    assert find_in_system("not-anywhere", job) is None


def test_who_the_user_is_comes_from_the_account() -> None:
    env = desktop_environment({"HOME": "/nonexistent", "USER": "other", "SHELL": "/bin/false"})
    entry = pwd.getpwuid(os.geteuid())
    assert (env["USER"], env["HOME"]) == (entry.pw_name, entry.pw_dir)
    assert env["SHELL"] != "/bin/false"


@pytest.mark.parametrize(
    "shell",
    ["/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/nonexistent/zsh", "", "/etc/passwd"],
)
def test_a_shell_that_opens_for_nobody_is_bash(shell: str) -> None:
    assert usable_shell(shell) == "/bin/bash"


def test_another_shell_is_the_users() -> None:
    assert usable_shell("/bin/sh") == "/bin/sh"


def test_what_the_jobs_script_set_aside_is_there_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONLIGHT_KEPT_LD_LIBRARY_PATH", "/opt/mpi/lib")
    assert job_environment()["LD_LIBRARY_PATH"] == "/opt/mpi/lib"
    assert "MOONLIGHT_KEPT_LD_LIBRARY_PATH" not in job_environment()


NASTY = 'it\'s $(id) `x` "q" \\ \n한'


def test_a_shell_of_the_desktop_has_what_is_held_back(tmp_path: Path) -> None:
    job = {"PYTHONPATH": NASTY, "LD_LIBRARY_PATH": "/opt/mpi/lib", "PATH": f"{HOME}/bin:/usr/bin"}
    shell = shell_for_terminals(tmp_path, job, "/bin/bash")
    assert Path(shell).name == "bash" and Path(shell).stat().st_mode & 0o777 == 0o700
    env = {**desktop_environment(job), "SHELL": shell}
    print_all = 'printf "%s|" "$PYTHONPATH" "$LD_LIBRARY_PATH" "$SHELL" "$PATH" "$@"'
    done = subprocess.run(
        [shell, "-c", print_all, "sh", "a b"], env=env, capture_output=True, text=True, check=True
    )
    said = done.stdout.split("|")
    assert said[:3] == [NASTY, "/opt/mpi/lib", "/bin/bash"]
    assert said[3].startswith(f"{HOME}/bin:/usr/bin:") and said[4] == "a b"


def test_where_nothing_is_held_back_the_shell_is_the_users_own(tmp_path: Path) -> None:
    path = desktop_environment({})["PATH"]
    assert shell_for_terminals(tmp_path, {"PATH": path, "TZ": "UTC"}, "/bin/sh") == "/bin/sh"


def test_a_failure_names_what_came_from_a_module(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libfoo.so.1").touch()
    job = {"LD_LIBRARY_PATH": f"{tmp_path}/lib", "PATH": f"{tmp_path}/bin:/usr/bin"}
    bad = f"xfwm4: symbol lookup error: {tmp_path}/lib/libX11.so.6: undefined symbol: XInit"
    assert f"{tmp_path}/lib/libX11.so.6 comes from LD_LIBRARY_PATH" in origins(bad, job)
    assert f"{tmp_path}/bin/Xvfb comes from PATH" in origins(f"{tmp_path}/bin/Xvfb broken", job)
    gone = "Xvfb: error while loading shared libraries: libfoo.so.1: cannot open shared object file"
    assert f"libfoo.so.1 is in {tmp_path}/lib" in origins(gone, job)
    for innocent in ("/usr/bin/Xvfb: died", "nothing", f"{tmp_path}/elsewhere/x", gone + "x"):
        assert origins(innocent.replace("libfoo", "libbar"), job) == ""


def test_a_home_that_is_not_there_is_named() -> None:
    with pytest.raises(
        NoHome, match=f"/nonexistent/u .* does not exist on node {os.uname().nodename}"
    ):
        look_at_home({"HOME": "/nonexistent/u"})
    look_at_home({"HOME": HOME})


def test_what_cannot_be_written_gets_a_place_in_the_session(tmp_path: Path) -> None:
    home, runtime = tmp_path / "home", tmp_path / "runtime"
    (home / ".config").mkdir(parents=True)
    runtime.mkdir()
    env = {"HOME": str(home), "USER": "u"}
    assert own_places(env, runtime) == ({}, [], [])
    (home / ".cache").write_text("a file, where a directory should be")
    found, readable, words = own_places(env, runtime)
    assert found == {"XDG_CACHE_HOME": f"{runtime}/home/.cache"} and readable == []
    assert Path(found["XDG_CACHE_HOME"]).stat().st_mode & 0o777 == 0o700
    assert "is no directory" in words[0]
    (home / ".config/xfce4").write_text("")
    found, readable, words = own_places({**env, "XDG_CACHE_HOME": f"{home}/elsewhere"}, runtime)
    assert found == {"XDG_CONFIG_HOME": f"{runtime}/home/.config"}
    assert readable == [f"{home}/.config"]
    assert f"{home}/.config/xfce4 cannot be written" in words[0]


def test_relative_base_directories_count_as_unset() -> None:
    default = os.path.expanduser("~/.local/share")
    for value in ("relative/dir", "", ".", "~/x"):
        assert base_directory("XDG_DATA_HOME", ".local/share", {"XDG_DATA_HOME": value}) == default
    assert base_directory("XDG_DATA_HOME", ".local/share", {"XDG_DATA_HOME": "/d"}) == "/d"


def test_our_python_obeys_no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pydantic").mkdir()
    (tmp_path / "pydantic/__init__.py").write_text("raise SystemExit('another pydantic')")
    for env in ({"PYTHONPATH": str(tmp_path)}, {"PYTHONHOME": str(tmp_path)}):
        argv = [*python("moonlight_spawner"), "agent", "--version"]
        done = subprocess.run(
            argv, env={**os.environ, **env}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
    import moonlight_spawner

    package = Path(moonlight_spawner.__file__).resolve().parent.parent
    monkeypatch.setenv("PYTHONPATH", str(package))  # where a module of the site brings us that way
    assert "-I" not in python("moonlight_spawner")


def test_a_site_may_give_desktops_a_home_of_their_own(tmp_path: Path) -> None:
    anothers = tmp_path / "anothers"
    anothers.mkdir()
    os.chown(anothers, 65534, -1)
    for made in (parts_environment, desktop_environment):
        assert made({"HOME": str(tmp_path)})["HOME"] == str(tmp_path)
        # Left of somebody else by su or sudo, or no directory at all.
        for wrong in (str(anothers), "/nonexistent", "/etc/hostname", ".", ""):
            assert made({"HOME": wrong})["HOME"] == HOME
