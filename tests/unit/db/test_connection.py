from __future__ import annotations

import os

import pytest

from firkin.db.connection import Database, open_database
from firkin.errors import Internal

SCHEMA = "create table if not exists t (k text primary key, v int);\ncreate index if not exists tv on t (v)"


def opened(tmp_path, version=1) -> Database:
    return open_database(str(tmp_path / "db"), version, lambda: iter([SCHEMA]))


def test_rows_survive_reopening_and_the_schema_is_asked_for_once(tmp_path):
    database = opened(tmp_path)
    with database.write():
        database.execute("insert into t values (?, ?)", ("a", 1))
    database.close()

    def never():
        raise AssertionError("schemas were asked for though the version is right")
        yield

    again = open_database(str(tmp_path / "db"), 1, never)
    assert again.rows("select * from t") == [("a", 1)]
    assert again.row("select * from t where k = 'b'") is None
    again.close()


def test_failed_transaction_changes_nothing(tmp_path):
    database = opened(tmp_path)
    with pytest.raises(ZeroDivisionError), database.write():
        database.execute("insert into t values ('a', 1)")
        raise ZeroDivisionError
    assert database.rows("select * from t") == []
    database.close()


def test_nested_transaction_joins_the_outer(tmp_path):
    database = opened(tmp_path)
    with pytest.raises(ZeroDivisionError), database.write():
        with database.write():
            database.execute("insert into t values ('a', 1)")
        raise ZeroDivisionError
    assert database.rows("select * from t") == []
    database.close()


def test_newer_schema_is_refused(tmp_path):
    opened(tmp_path, 7).close()
    with pytest.raises(Internal, match="newer firkin"):
        opened(tmp_path, 6)


def test_damaged_file_is_named(tmp_path):
    (tmp_path / "db").write_bytes(b"not a database" * 100)
    with pytest.raises(Internal, match="db"):
        opened(tmp_path)


def test_connection_refuses_to_cross_a_fork(tmp_path):
    database = opened(tmp_path)
    pid = os.fork()
    if pid == 0:
        try:
            database.rows("select 1")
        except Internal:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    database.close()
