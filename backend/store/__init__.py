"""The only room with SQL: statements in `sql/`, one thin function a statement, migrations."""
