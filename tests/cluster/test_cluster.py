"""The test cluster's own tests: it works, it breaks as asked, and it leaves nothing behind."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster import packages
from tests.cluster.accounting import REPOSITORY
from tests.cluster.config import CGROUP_ROOT, Layout, Settings
from tests.cluster.errors import ClusterError, CommandFailed, DaemonFailed, MissingProgram
from tests.cluster.fixtures import SlurmUsers, require_slurm
from tests.cluster.processes import Process, mentioning
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser, ensure_users, remove_users, run_as, unique_names
from tests.support.waiting import PATIENCE, STILL, wait_until

pytestmark = pytest.mark.slow

# A job that does all it can to outlive its cluster: a background process, a new session, and a
# daemon whose parent has ended.
CLINGING = """#!/bin/sh
sleep 6001 &
setsid sleep 6002 &
(setsid sh -c 'sleep 6003 & sleep 6004' &)
exec sleep 6005
"""
UP = [sys.executable, "-m", "tests.cluster", "up"]
BATCH = "#!/bin/sh\nexec sleep 600\n"


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path that other users can reach; tmp_path is neither."""
    with tempfile.TemporaryDirectory(prefix="mlt-", dir="/var/tmp") as path:
        yield Path(path)


def left_behind(directory: Path) -> dict[int, str]:
    return mentioning(str(directory))


def traces(directory: Path) -> list[str]:
    """Cgroups and mounts of the cluster in `directory`."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    cgroups = CGROUP_ROOT.glob(f"*/{Layout(directory).cgroup}")
    return [*map(str, cgroups), *(line for line in mounts if str(directory) in line)]


class TestACluster:
    def test_two_idle_nodes_with_gpus(self, slurm: SlurmCluster) -> None:
        found = slurm.command(["sinfo", "-h", "-N", "-p", "viz", "-o", "%N %T %c %m %G"]).stdout
        assert found.splitlines() == ["n1 idle 16 16000 gpu:3", "n2 idle 16 16000 gpu:3"]

    def test_a_job_runs_as_its_user_and_gets_a_gpu(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers
    ) -> None:
        alice = slurm_users.alice
        output = alice.home / "job.out"
        script = '#!/bin/sh\necho "$(id -un) $CUDA_VISIBLE_DEVICES $SLURM_CONF"\n'
        job = slurm.submit(alice, script, "--gres=gpu:1", f"--output={output}")
        assert slurm.wait_job(job, "COMPLETED")["Partition"] == "viz"
        assert output.read_text().split() == [alice.name, "0", str(slurm.slurm_conf)]

    def test_carol_is_refused(self, slurm: SlurmCluster, slurm_users: SlurmUsers) -> None:
        with pytest.raises(CommandFailed, match="Invalid qos specification"):
            slurm.submit(slurm_users.carol)
        with pytest.raises(CommandFailed, match="Invalid qos specification"):
            slurm.submit(slurm_users.carol, qos="normal")  # AllowQos and EnforcePartLimits
        job = slurm.submit(slurm_users.carol, BATCH, "--partition=open", qos=None)
        slurm.wait_job(job, "RUNNING")

    def test_the_short_partition_refuses_or_holds_a_long_job(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers
    ) -> None:
        options = ["--partition=short", "--time=30"]
        with pytest.raises(CommandFailed, match="Requested time limit is invalid"):
            slurm.submit(slurm_users.alice, BATCH, *options)
        slurm.reconfigure(enforce_part_limits="NO")
        try:
            job = slurm.submit(slurm_users.alice, BATCH, *options)
            slurm.wait_reason(job, "PartitionTimeLimit")
        finally:
            slurm.reconfigure(enforce_part_limits="ALL")

    def test_squeue_tells_a_reason_with_the_separator_in_it(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers
    ) -> None:
        slurm.scontrol("update", "NodeName=n1,n2", "State=DRAIN", "Reason=a|b")
        job = slurm.submit(slurm_users.alice)
        slurm.wait_reason(job)
        assert [each.id for each in slurm.squeue()] == [job]
        assert slurm.node_state("n1") == "drained"

    def test_all_jobs_can_be_cancelled(self, slurm: SlurmCluster, slurm_users: SlurmUsers) -> None:
        deaf = "#!/bin/sh\ntrap '' TERM\nsleep 600 & wait; wait\n"
        job = slurm.submit(slurm_users.bob, deaf)
        slurm.wait_job(job, "RUNNING")
        slurm.cancel_all_jobs()
        assert slurm.squeue() == []
        assert [each.state for each in slurm.squeue(f"-j{job}", ended=True)] == ["CANCELLED"]


class TestFaults:
    def test_a_killed_controller_comes_back_with_its_jobs(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers
    ) -> None:
        job = slurm.submit(slurm_users.alice)
        slurm.wait_job(job, "RUNNING")
        slurm.kill_slurmctld()
        assert slurm.command(["scontrol", "ping"], check=False).returncode == 1
        slurm.start_slurmctld()
        slurm.wait_job(job, "RUNNING")  # it may not have saved that it runs; its node tells it

    def test_a_frozen_controller_accepts_and_says_nothing(self, slurm: SlurmCluster) -> None:
        slurm.freeze_slurmctld()
        # It would be 20 s until squeue gives up; that it hangs at all is the point here.
        with pytest.raises(subprocess.TimeoutExpired):
            slurm.command(["squeue"], timeout=STILL)
        slurm.thaw_slurmctld()
        assert slurm.squeue() == []

    def test_a_frozen_controller_can_be_stopped(self, slurm: SlurmCluster) -> None:
        slurm.freeze_slurmctld()
        slurm.slurmctld.stop()
        assert not slurm.slurmctld.alive

    def test_without_slurmdbd_jobs_are_still_taken(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers
    ) -> None:
        slurm.stop_slurmdbd()
        with pytest.raises(CommandFailed, match="Connection refused"):
            slurm.sacctmgr("show", "cluster")
        slurm.wait_job(slurm.submit(slurm_users.alice), "RUNNING")
        slurm.start_slurmdbd()
        assert slurm.sacctmgr("show", "cluster", "format=Cluster") == "lab\n"

    def test_a_job_outlives_its_slurmd(self, slurm: SlurmCluster, slurm_users: SlurmUsers) -> None:
        job = slurm.submit(slurm_users.alice, BATCH, "--nodelist=n1")
        slurm.wait_job(job, "RUNNING")
        slurm.kill_node("n1")
        assert not slurm.slurmds["n1"].alive
        assert slurm.job(job)["JobState"] == "RUNNING"
        # RUNNING is said before the script is.
        assert wait_until(lambda: sleeps(slurm) == ["sleep 600"])
        slurm.start_node("n1")
        slurm.command(["scancel", str(job)])
        slurm.wait_job(job, "CANCELLED")
        assert wait_until(lambda: sleeps(slurm) == []), "the new slurmd ends the old one's job"

    def test_a_node_can_die_with_all_its_processes_and_no_other(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers
    ) -> None:
        lost = slurm.submit(slurm_users.alice, CLINGING, "--nodelist=n1", "--no-requeue")
        kept = slurm.submit(slurm_users.bob, BATCH, "--nodelist=n2")
        for job in (lost, kept):
            slurm.wait_job(job, "RUNNING")
        assert wait_until(lambda: len(sleeps(slurm)) == 6), sleeps(slurm)
        slurm.kill_node("n1", jobs=True)
        assert sleeps(slurm) == ["sleep 600"]
        assert slurm.slurmds["n2"].alive

    def test_an_unknown_node_is_named(self, slurm: SlurmCluster) -> None:
        with pytest.raises(ClusterError, match="no node n7: there are n1, n2"):
            slurm.kill_node("n7")


def sleeps(cluster: SlurmCluster) -> list[str]:
    """Command lines of the sleeping processes of all the cluster's jobs."""
    commands = left_behind(cluster.directory).values()
    return sorted(command for command in commands if command.startswith("sleep "))


class TestTheEnd:
    def test_nothing_is_left_and_a_second_cluster_is_not_disturbed(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers, directory: Path
    ) -> None:
        alice = slurm_users.alice
        with SlurmCluster(directory, [alice]) as other:
            theirs, ours = other.submit(alice, CLINGING), slurm.submit(alice)
            other.wait_job(theirs, "RUNNING")
            slurm.wait_job(ours, "RUNNING")
            assert wait_until(lambda: len(sleeps(other)) == 5), sleeps(other)
            if other.settings.process_tracking() == "cgroup":
                assert traces(directory) != []
        assert left_behind(directory) == {}
        assert traces(directory) == []
        assert slurm.job(ours)["JobState"] == "RUNNING"
        assert wait_until(lambda: sleeps(slurm) == ["sleep 600"])

    def test_a_stopped_cluster_starts_again_with_its_jobs(
        self, slurm_users: SlurmUsers, directory: Path
    ) -> None:
        cluster = SlurmCluster(directory, [slurm_users.alice])
        with cluster:
            running = cluster.submit(slurm_users.alice)
            cluster.wait_job(running, "RUNNING")
            ended = cluster.submit(slurm_users.alice, "#!/bin/sh\n")
            cluster.wait_job(ended, "COMPLETED")
        with cluster:
            assert cluster.job(ended)["JobState"] == "COMPLETED"
            assert cluster.job(running)["JobId"] == str(running)

    def test_a_start_that_fails_leaves_nothing(
        self, slurm_users: SlurmUsers, directory: Path
    ) -> None:
        broken = Settings(extra="NoSuchParameter=1")
        cluster = SlurmCluster(directory, [slurm_users.alice], settings=broken)
        with pytest.raises(ClusterError, match="NoSuchParameter"):
            cluster.start()
        assert not cluster.running
        assert left_behind(directory) == {}

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
    def test_the_owners_end_is_the_clusters_end(
        self, slurm_users: SlurmUsers, directory: Path, number: signal.Signals
    ) -> None:
        owner = subprocess.Popen(
            [*UP, f"--dir={directory}", f"--users={slurm_users.alice}"],
            cwd=REPOSITORY,
            # As a shell does to what it starts with `&`.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert owner.stdout is not None
        try:
            said = ""
            while "Ctrl-C" not in said:
                line = owner.stdout.readline()
                assert line, said
                said += line
            assert f"export SLURM_CONF={directory}/etc/slurm.conf" in said
            env = {"SLURM_CONF": f"{directory}/etc/slurm.conf"}
            sbatch = ["sbatch", "--qos=moonlight", "--output=/dev/null"]
            run_as(slurm_users.alice, sbatch, env=env, input=CLINGING, check=True)
            assert wait_until(lambda: "sleep 6005" in left_behind(directory).values())
        finally:
            owner.send_signal(number)
            owner.communicate(timeout=PATIENCE)
        assert wait_until(lambda: left_behind(directory) == {}), left_behind(directory)
        assert wait_until(lambda: not traces(directory)), traces(directory)

    @pytest.mark.parametrize("how", ["the terminal is closed", "the starter is killed"])
    def test_it_ends_also_while_it_starts(self, directory: Path, how: str) -> None:
        starter = subprocess.Popen(
            ["sh", "-c", '"$@" & echo $!; wait', "sh", *UP, f"--dir={directory}"],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
            # As a terminal starts it, although these tests may have been started by nohup.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
        assert starter.stdout is not None
        cluster = Process.of(int(starter.stdout.readline()))
        try:
            assert wait_until(lambda: any("munged" in c for c in left_behind(directory).values()))
            if how == "the terminal is closed":
                cluster.signal(signal.SIGHUP)
            else:
                starter.kill()
            assert cluster.wait()
        finally:
            cluster.signal(signal.SIGTERM)
            starter.kill()
            starter.communicate(timeout=PATIENCE)
        assert wait_until(lambda: left_behind(directory) == {}), left_behind(directory)


class TestErrors:
    def test_a_missing_program_names_its_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(packages, "SEARCH_PATH", "/nonexistent")
        with pytest.raises(MissingProgram, match="slurmctld not found: apt-get install slurmctld"):
            packages.find_program("slurmctld")

    def test_a_directory_that_others_cannot_reach(self, directory: Path) -> None:
        directory.chmod(0o700)
        require_slurm()
        with pytest.raises(ClusterError, match=f"chmod o\\+x {directory}"):
            SlurmCluster(directory / "cluster").start()

    def test_a_directory_too_long_for_a_socket(self, directory: Path) -> None:
        with pytest.raises(ClusterError, match="too long for a Unix socket"):
            SlurmCluster(directory / ("x" * 100))

    def test_a_directory_in_use(self, slurm_cluster: SlurmCluster) -> None:
        with pytest.raises(ClusterError, match=f"in use by a cluster of process {os.getpid()}"):
            SlurmCluster(slurm_cluster.directory).start()

    def test_an_unknown_user(self, directory: Path) -> None:
        require_slurm()
        with pytest.raises(ClusterError, match="no user nobody-there on this machine"):
            SlurmCluster(directory, ["nobody-there"]).start()

    def test_a_daemon_that_fails_shows_the_end_of_its_log(self, directory: Path) -> None:
        require_slurm()
        settings = Settings(extra="SelectType=select/nosuch")
        with pytest.raises(DaemonFailed, match=r"slurmctld ended while starting(.|\n)*nosuch"):
            SlurmCluster(directory, settings=settings).start()


class TestUsers:
    @pytest.fixture
    def names(self) -> Iterator[list[str]]:
        require_slurm()
        names = unique_names(4)
        yield names
        remove_users(names)

    def test_users_are_made_once_and_removed_with_their_processes(self, names: list[str]) -> None:
        first, second = ensure_users(names[:2])
        assert ensure_users(names[:2]) == [first, second]
        assert first.home == Path("/home", first.name)
        assert first.home.stat().st_mode & 0o777 == 0o700
        remains = run_as(first, ["/bin/sh", "-c", "setsid sleep 600 >/dev/null 2>&1 & echo $!"])
        remove_users(names[:2])
        assert not Path("/proc", remains.stdout.strip(), "exe").exists()
        assert not first.home.exists()
        with pytest.raises(KeyError):
            TestUser.named(first.name)

    def test_many_at_once(self, names: list[str]) -> None:
        with ThreadPoolExecutor() as pool:
            made = list(pool.map(lambda name: ensure_users([name])[0], names))
        assert len({user.uid for user in made}) == len(names)

    def test_users_of_the_machine_are_spared(self) -> None:
        remove_users(["root", "daemon", "nobody-there"])
        assert pwd.getpwnam("root").pw_uid == 0
        assert pwd.getpwnam("daemon").pw_uid == 1

    def test_those_of_a_killed_run_are_removed(self, names: list[str]) -> None:
        # Whoever makes users next removes them, be that another process of this test run.
        code = f"from tests.cluster import ensure_users; print(*ensure_users(['{names[0]}']))"
        argv = [sys.executable, "-c", code]
        done = subprocess.run(argv, cwd=REPOSITORY, check=True, capture_output=True, text=True)
        assert done.stdout == f"{names[0]}\n"
        ensure_users(names[1:2])
        with pytest.raises(KeyError):
            TestUser.named(names[0])

    def test_a_run_that_cannot_be_looked_at_is_not_taken_for_a_killed_one(self) -> None:
        """Its users would be removed while it works with them."""
        code = """
import os, resource
from tests.cluster.processes import Process
living = Process.of(os.getppid())
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
try:
    print(living.alive())
except OSError as e:
    print(e.strerror)
"""
        argv = [sys.executable, "-c", code]
        done = subprocess.run(argv, cwd=REPOSITORY, check=True, capture_output=True, text=True)
        assert done.stdout == "Too many open files\n"

    def test_a_user_gets_a_clean_environment(
        self, names: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECRET", "roots")
        user = ensure_users(names[:1])[0]
        environment = run_as(user, ["env"], env={"EXTRA": "1"}).stdout.split("\n")
        expected = [f"HOME={user.home}", f"USER={user}", f"LOGNAME={user}", "EXTRA=1"]
        assert set(expected) <= set(environment)
        assert "SECRET=roots" not in environment
        assert run_as(user, ["id", "-u"]).stdout == f"{user.uid}\n"
        assert run_as(user, ["id", "-G"]).stdout == f"{user.gid}\n"
        assert run_as(user, ["pwd"]).stdout == f"{user.home}\n"
