"""SQLite, opened the same way everywhere: WAL, synchronous=normal, a busy time-out, explicit transactions.

``_sqlite3`` is the C module below ``sqlite3``; the Python wrapper costs 5 ms at start-up (datetime adapters).
A connection never crosses a fork: each process opens its own.

Each room keeps its DDL in its own tables module as ``SCHEMA``; ``app`` gives the list to ``open_database``, which
runs it only when ``PRAGMA user_version`` is not the expected one.
"""

from __future__ import annotations

import os

from firkin.db.sqlite import DatabaseError, OperationalError, connect
from firkin.errors import Internal, PermissionDenied, ResourceExhausted, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    Row = tuple[Any, ...]
    Value = str | int | float | bytes | None

BUSY_MS = 20_000
_DISK = ("disk i/o error", "database or disk is full")
_DAMAGE = ("malformed", "not a database")


class Database:
    """One connection. ``with db.write():`` is one IMMEDIATE transaction; nested ones join the outer."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._depth = 0
        self._pid = os.getpid()
        self._refusal: Exception | None = None
        self.path = path

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run ``sql`` and return all rows."""
        return list(self._run(sql, parameters))

    def row(self, sql: str, parameters: Sequence[Value] = ()) -> Row | None:
        """Run ``sql`` and return the first row, or None."""
        found: Row | None = self._run(sql, parameters).fetchone()
        return found

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Run ``sql`` and return the number of rows it changed."""
        return self._run(sql, parameters).rowcount

    def script(self, sql: str) -> None:
        """Run several statements (DDL)."""
        self._connection.executescript(sql)

    def write(self) -> _Transaction:
        """Return a context manager: BEGIN IMMEDIATE, then COMMIT, or ROLLBACK on any exception."""
        return _Transaction(self)

    def pretend(self, table: str, because: Exception) -> None:
        """From now on changes of ``table`` are seen by this connection alone, and ``write`` raises ``because``.

        For a full disk: what is known to be true can be shown although it cannot be kept.
        """
        if self._refusal is None:
            self.script(f"PRAGMA temp_store=memory; create temp table {table} as select * from main.{table};")  # noqa: S608 - a table's name of ours
        self._refusal = because

    def stop_pretending(self, table: str) -> None:
        """Try to write again."""
        if self._refusal is not None:
            self.script(f"drop table temp.{table}")
            self._refusal = None

    def close(self) -> None:
        self._connection.close()

    def _run(self, sql: str, parameters: Sequence[Value]) -> sqlite3.Cursor:
        if os.getpid() != self._pid:
            raise Internal("a database connection crossed a fork")
        try:
            return self._connection.execute(sql, parameters)
        except OperationalError as error:
            raise _translated(error, self.path) from error
        except DatabaseError as error:
            if not any(sign in str(error) for sign in _DAMAGE):
                raise
            raise _translated(error, self.path) from error

    def _begin(self) -> None:
        if self._depth == 0:
            if self._refusal is not None:
                raise self._refusal
            self._run("BEGIN IMMEDIATE", ())
        self._depth += 1

    def _end(self, *, failed: bool) -> None:
        self._depth -= 1
        if self._depth:
            return
        if not failed:
            try:
                self._run("COMMIT", ())
            except BaseException:
                self._rollback()
                raise
        else:
            self._rollback()

    def _rollback(self) -> None:
        if self._connection.in_transaction:  # a full disk may have rolled back already
            self._run("ROLLBACK", ())


class _Transaction:
    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Database:
        self._database._begin()
        return self._database

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._database._end(failed=kind is not None)


def open_database(path: str, version: int, schemas: Callable[[], Iterator[str]]) -> Database:
    """Open (or make) the database at ``path`` and bring it to ``version``.

    ``schemas`` yields DDL scripts made of ``create ... if not exists``; it is called only when needed, so the usual
    start imports no tables module. Raises Internal for a database of a newer firkin.
    """
    try:
        connection = connect(path, timeout=BUSY_MS / 1000, isolation_level=None,
                                      check_same_thread=False)  # fmt: skip
        database = Database(connection, path)
        connection.execute("PRAGMA synchronous=normal")
        connection.execute("PRAGMA foreign_keys=on")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found != version:
            _migrate(database, found, version, schemas)
    except (OperationalError, DatabaseError) as error:
        raise _translated(error, path) from error
    return database


def _migrate(database: Database, found: int, version: int, schemas: Callable[[], Iterator[str]]) -> None:
    if found > version:
        raise Internal(
            f"{database.path} was written by a newer firkin (schema {found}, this one knows {version})",
            hint="update firkin, or choose another --root",
        )
    database.execute("PRAGMA journal_mode=wal")
    with database.write():
        # executescript would commit first, so the statements go one by one.
        for schema in schemas():
            for statement in schema.split(";\n"):
                if statement.strip():
                    database.execute(statement)
        database.execute(f"PRAGMA user_version={version}")


def _translated(error: Exception, path: str) -> Exception:
    text = str(error).lower()
    if any(sign in text for sign in _DISK):
        return ResourceExhausted(
            f"cannot write {path}: {text}", hint="free space on its file system and try again"
        )
    if "locked" in text or "busy" in text:
        return Unavailable(f"{path} was locked for {BUSY_MS // 1000} s", hint="try again")
    if "readonly" in text or "unable to open" in text:
        return PermissionDenied(f"cannot open {path}: {text}", hint="check the owner of --root")
    if any(sign in text for sign in _DAMAGE):
        return Internal(
            f"{path} is damaged ({text})",
            hint="restore it from a backup, or choose another --root and load again",
        )
    return Internal(f"{path}: {error}", hint="run firkin doctor")
