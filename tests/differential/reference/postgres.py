"""PostgreSQL as the reference: a cluster of its own in a temporary folder, reached through a Unix socket there, and one psql process."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

from .data import Table

TYPES = {"whole": "bigint", "real": "double precision", "text": "text"}
END = "end-of-rows"


def programs() -> pathlib.Path | None:
    """The folder of initdb and postgres; Debian keeps it out of PATH."""
    known = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb", path=os.pathsep.join([*map(str, known), os.environ.get("PATH", "")]))
    return pathlib.Path(found).parent if found and shutil.which("psql") else None


def missing() -> str:
    """Why PostgreSQL cannot run here; empty where it can."""
    if programs() is None:
        return "needs PostgreSQL (package postgresql)"
    if os.geteuid() == 0 and unprivileged() is None:
        return "PostgreSQL does not run as root, and there is no user postgres or nobody"
    return ""


def unprivileged():
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


class Postgres:
    name = "postgres"

    def __init__(self):
        # Not below TMPDIR: the path of a Unix socket has at most 107 bytes.
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-pg-", dir="/tmp"))
        self._server = self._psql = None
        self._as = {}
        if os.geteuid() == 0:
            user = unprivileged()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        cluster = self._folder / "cluster"
        where = {"cwd": self._folder, "stdin": subprocess.DEVNULL, **self._as}
        options = ["-U", "sluice", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"]
        made = subprocess.run([programs() / "initdb", "-D", cluster, *options], capture_output=True, text=True, **where)
        if made.returncode != 0:
            raise RuntimeError(f"initdb: {made.stderr}")
        settings = {"listen_addresses": "", "unix_socket_directories": self._folder, "fsync": "off", "shared_buffers": "16MB", "jit": "off",
                    "max_parallel_workers_per_gather": 0, "autovacuum": "off",
                    # One row of a recursive query meets one of the table: by its index, not by a hash table made anew for each.
                    "enable_hashjoin": "off", "enable_mergejoin": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with open(self._folder / "log", "wb") as log:
            # Where the test is killed the server ends, too.
            command = ["setpriv", "--pdeathsig", "TERM", programs() / "postgres", "-D", cluster, *options]
            self._server = subprocess.Popen(command, stdout=log, stderr=log, **where)
        # Asked until the server answers or has ended.
        connection = ["psql", "-X", "-q", "-A", "-t", "-h", self._folder, "-U", "sluice", "-d", "postgres"]
        while subprocess.run([*connection, "-c", "SELECT 1"], capture_output=True).returncode != 0:
            if self._server.poll() is not None:
                raise RuntimeError(f"postgres: {(self._folder / 'log').read_text()}")
        self._psql = subprocess.Popen(connection, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def load(self, name: str, table: Table):
        """The rows as table t of a schema of that name, beside its own columns with one that is always NULL."""
        columns = ", ".join(f'"{column}" {TYPES[kind]}' for column, kind in zip(table.columns, table.kinds))
        names = ", ".join(f'"{column}"' for column in table.columns)
        self._ask(f"CREATE SCHEMA {name}; CREATE TABLE {name}.t ({columns}, absent double precision, PRIMARY KEY (n));")
        lines = "\n".join("\t".join("\\N" if value is None else str(value) for value in row) for row in table.rows)
        self._ask(f"COPY {name}.t ({names}) FROM STDIN;\n{lines}\n\\.\nANALYZE {name}.t;")

    def rows(self, name: str, query: str) -> list:
        """The result rows as dictionaries. Numbers come as the shortest text that reads back the same."""
        lines = self._ask(f"SET search_path = {name}; SELECT row_to_json(result) FROM ({query}) AS result;")
        return [json.loads(line) for line in lines]

    def _ask(self, script: str) -> list:
        self._psql.stdin.write(f"{script}\n\\echo {END}\n")
        self._psql.stdin.flush()
        lines = []
        for line in self._psql.stdout:
            if line.rstrip("\n") == END:
                break
            lines.append(line)
        wrong = [line for line in lines if line.startswith(("ERROR", "psql", "FATAL"))]
        if wrong or self._psql.poll() is not None:
            raise RuntimeError("".join(lines))
        return lines

    def close(self):
        if self._psql is not None:
            self._psql.communicate()
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
