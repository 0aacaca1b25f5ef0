"""SQLite as the reference: one database in memory a table."""

import sqlite3

from .data import Table


class Sqlite:
    name = "sqlite"

    def __init__(self):
        self._databases = {}

    def load(self, name: str, table: Table):
        """The rows as table t, beside its own columns with one that is always NULL."""
        database = sqlite3.connect(":memory:")
        database.execute("PRAGMA case_sensitive_like = ON")
        columns = ", ".join(f'"{column}"' for column in table.columns)
        database.execute(f"CREATE TABLE t ({columns}, absent)")
        places = ", ".join("?" * len(table.columns))
        database.executemany(f"INSERT INTO t VALUES ({places}, NULL)", table.rows)
        self._databases[name] = database

    def rows(self, name: str, query: str) -> list:
        """The result rows as dictionaries."""
        cursor = self._databases[name].execute(query)
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row)) for row in cursor]

    def tells(self, name: str, query: str) -> bool:
        """Does the result have at least ten rows, and at least two values in each column?"""
        rows = self._databases[name].execute(query).fetchall()
        return len(rows) >= 10 and all(len(set(column)) > 1 for column in zip(*rows))

    def close(self):
        for database in self._databases.values():
            database.close()
