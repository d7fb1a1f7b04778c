"""The cluster's own MariaDB, which slurmdbd writes to."""

from __future__ import annotations

import pwd
import secrets
import subprocess
from pathlib import Path

from tests.cluster.config import Layout, write_private
from tests.cluster.daemon import CLEAN_ENVIRONMENT, Daemon
from tests.cluster.errors import DaemonFailed
from tests.cluster.packages import find_program


class MariaDB:
    """A private data directory, filled once, and the daemon on it."""

    def __init__(self, layout: Layout, port: int) -> None:
        self.layout = layout
        self.folder = layout.directory / "mariadb"
        self.data = self.folder / "data"
        self.password = self._password()
        self.daemon = Daemon("mariadbd", self._argv(port), layout.log("mariadbd"), user="mysql")

    def _password(self) -> str:
        """Kept in the directory: a cluster started again on it meets the same database."""
        path = self.folder / "password"
        if not path.exists():
            write_private(path, secrets.token_hex(16), "mysql")
        return path.read_text(encoding="ascii")

    def _argv(self, port: int) -> list[str]:
        return [
            find_program("mariadbd"),
            # The machine's own MariaDB may have any options; none of them are ours.
            "--no-defaults",
            f"--datadir={self.data}",
            self._own_tmpdir(),
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--init-file={self._init_file()}",
            "--skip-name-resolve",
            "--skip-log-bin",
            # Small and without waiting for the disk: the data is worth nothing after the tests.
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=8M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--innodb-fast-shutdown=2",
            "--performance-schema=OFF",
            "--innodb-lock-wait-timeout=900",  # slurmdbd complains about less
        ]

    def _own_tmpdir(self) -> str:
        """A MariaDB that starts removes every temporary table from its TMPDIR, those of others too."""
        return f"--tmpdir={self.folder}"

    def _init_file(self) -> Path:
        path = self.folder / "init.sql"
        user = "'slurm'@'127.0.0.1'"
        statements = [
            "CREATE DATABASE IF NOT EXISTS slurm_acct_db;",
            f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{self.password}';",
            f"GRANT ALL ON slurm_acct_db.* TO {user};",
        ]
        write_private(path, "\n".join(statements) + "\n", "mysql")
        return path

    def install(self) -> None:
        """Create the system tables, unless an earlier start has."""
        if (self.data / "mysql").is_dir():
            return
        entry = pwd.getpwnam("mysql")
        finished = subprocess.run(
            [
                find_program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={self.data}",
                self._own_tmpdir(),
                "--skip-test-db",
                "--skip-name-resolve",
                "--auth-root-authentication-method=socket",
                "--innodb-flush-method=nosync",
                "--innodb-log-file-size=8M",
            ],
            env=CLEAN_ENVIRONMENT,
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            raise DaemonFailed(f"mariadb-install-db failed:\n{finished.stdout.strip()}")
