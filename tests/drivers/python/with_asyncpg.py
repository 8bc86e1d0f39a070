"""The cases with asyncpg, which prepares every statement and asks PostgreSQL for its parameters' types."""

import asyncio
import io

import asyncpg

from cases import A, B, fresh, report, same

loop = asyncio.new_event_loop()
wait = loop.run_until_complete


def connect():
    global connection
    connection = wait(asyncpg.connect())


def rows(sql, *parameters):
    return [tuple(row) for row in wait(connection.fetch(sql, *parameters))]


def insert():
    rows("insert into clicks values ($1, '/insert')", fresh())
    wait(connection.executemany("insert into clicks values ($1, '/insert')", [(fresh(),), (fresh(),)]))
    same(rows("select page from clicks where page = '/insert'"), [("/insert",)] * 3)


def read():
    same(rows("select click_id from clicks where page = '/a'"), [(A,)])


def equal():
    same(rows("select page from clicks where click_id = $1", A), [("/a",)])


def in_list():
    same(rows("select page from clicks where click_id in ($1, $2) order by page", A, B), [("/a",), ("/b",)])


def in_array():
    same(rows("select page from clicks where click_id = any($1) order by page", [A, B]), [("/a",), ("/b",)])


def join():
    sql = "select visitor from visits join clicks using (click_id) where page = $1"
    same(rows(sql, "/a"), [("ann",)])


def array():
    rows("insert into journeys values ('bob', $1) on conflict do nothing", [A, B])
    same(rows("select click_ids from journeys where visitor in ('ann', 'bob')"), [([A, B],), ([A, B],)])


def prepared():
    for condition, value in [("$1::text", A), ("any($1::text[])", [A])]:
        statement = wait(connection.prepare(f"select page from clicks where click_id = {condition}"))
        same(wait(statement.fetchval(value)), "/a")


def register():
    """From here on click ids are sent and received in binary, in which they are their text in UTF-8."""
    wait(connection.set_type_codec(
        "click_id", schema="s2s", encoder=str.encode, decoder=bytes.decode, format="binary"))


def registered_binary():
    register()
    read()
    equal()
    in_array()


def copy():
    ids = [fresh(), fresh()]
    lines = io.BytesIO("".join(f"{id}\t/copy\n" for id in ids).encode())
    wait(connection.copy_to_table("clicks", source=lines))
    copied = io.BytesIO()
    wait(connection.copy_from_query("select click_id from clicks where page = '/copy' order by 1", output=copied))
    same(copied.getvalue().decode(), "".join(f"{id}\n" for id in ids))


def binary_copy():
    ids = [fresh(), fresh()]
    wait(connection.copy_records_to_table("clicks", records=[(id, "/binary copy") for id in ids]))
    same(rows("select click_id from clicks where page = '/binary copy' order by 1"), [(id,) for id in ids])


def registered_binary_copy():
    register()
    binary_copy()


def callback():
    rows("insert into orders values (1, $1)", A)
    [(id, click_id)] = rows("select id, click_id from s2s.queue where transaction_id = $1", "1")
    assert id > 0
    same(click_id, A)


report(asyncpg.__version__, {
    "insert": insert, "read": read, "=": equal, "in": in_list, "any": in_array, "join": join,
    "array": array, "prepared": prepared, "binary": {"type": registered_binary}, "copy": copy,
    "binary copy": {"": binary_copy, "type": registered_binary_copy}, "callback": callback,
}, connect)
