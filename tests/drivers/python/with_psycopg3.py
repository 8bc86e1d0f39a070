"""The cases with psycopg 3, which binds on the server."""

import psycopg
from psycopg.types import TypeInfo
from psycopg.types.string import StrDumper, TextBinaryLoader

from cases import A, B, fresh, report, same

def connect():
    global connection
    connection = psycopg.connect(autocommit=True)


def rows(sql, parameters=(), **options):
    return connection.execute(sql, parameters, **options).fetchall()


def insert():
    connection.execute("insert into clicks values (%s, '/insert')", [fresh()])
    connection.cursor().executemany("insert into clicks values (%s, '/insert')", [[fresh()], [fresh()]])
    same(rows("select page from clicks where page = '/insert'"), [("/insert",)] * 3)


def read():
    same(rows("select click_id from clicks where page = '/a'"), [(A,)])


def equal():
    same(rows("select page from clicks where click_id = %s", [A]), [("/a",)])


def in_list():
    same(rows("select page from clicks where click_id in (%s, %s) order by page", [A, B]), [("/a",), ("/b",)])


def in_array():
    same(rows("select page from clicks where click_id = any(%s) order by page", [[A, B]]), [("/a",), ("/b",)])


def join():
    same(rows("select visitor from visits join clicks using (click_id) where page = %s", ["/a"]), [("ann",)])


def array():
    connection.execute("insert into journeys values ('bob', %s) on conflict do nothing", [[A, B]])
    same(rows("select click_ids from journeys where visitor in ('ann', 'bob')"), [([A, B],), ([A, B],)])


def registered_array():
    TypeInfo.fetch(connection, "s2s.click_id").register(connection)
    array()


def prepared():
    connection.adapters.register_dumper(str, StrDumper)  # text, not unknown
    same(rows("select page from clicks where click_id = %s", [A], prepare=True), [("/a",)])
    same(rows("select page from clicks where click_id = any(%s)", [[A]], prepare=True), [("/a",)])


def binary():
    sql = "select click_id from clicks where click_id = %b"
    same(rows(sql, [A], binary=True), [(A,)])


def registered_binary():
    click_id = TypeInfo.fetch(connection, "s2s.click_id")
    connection.adapters.register_loader(click_id.oid, TextBinaryLoader)
    binary()


def copy():
    ids = [fresh(), fresh()]
    with connection.cursor().copy("copy clicks from stdin") as lines:
        for id in ids:
            lines.write_row([id, "/copy"])
    with connection.cursor().copy("copy (select * from clicks where page = '/copy' order by 1) to stdout") as lines:
        same(list(lines.rows()), [(id, "/copy") for id in ids])


def binary_copy():
    ids = [fresh(), fresh()]
    with connection.cursor().copy("copy clicks from stdin (format binary)") as lines:
        lines.set_types(["text", "text"])
        for id in ids:
            lines.write_row([id, "/binary copy"])
    same(rows("select click_id from clicks where page = '/binary copy' order by 1"), [(id,) for id in ids])


def callback():
    connection.execute("insert into orders values (1, %s)", [A])
    [(id, click_id)] = rows("select id, click_id from s2s.queue where transaction_id = %s", ["1"])
    assert id > 0
    same(click_id, A)


report(psycopg.__version__, {
    "insert": insert, "read": read, "=": equal, "in": in_list, "any": in_array, "join": join,
    "array": {"": array, "type": registered_array},
    "prepared": prepared,
    "binary": {"": binary, "type": registered_binary},
    "copy": copy, "binary copy": binary_copy, "callback": callback,
}, connect)
