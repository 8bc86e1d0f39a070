"""The cases with psycopg 2, which writes values into the statement."""

import io

import psycopg2
import psycopg2.extensions
from psycopg2.extras import execute_values

from cases import A, B, fresh, report, same

def connect():
    global connection
    connection = psycopg2.connect("")
    connection.autocommit = True


def rows(sql, parameters=()):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def insert():
    rows("insert into clicks values (%s, '/insert')", [fresh()])
    with connection.cursor() as cursor:
        execute_values(cursor, "insert into clicks values %s", [(fresh(), "/insert"), (fresh(), "/insert")])
    same(rows("select page from clicks where page = '/insert'"), [("/insert",)] * 3)


def read():
    same(rows("select click_id from clicks where page = '/a'"), [(A,)])


def equal():
    same(rows("select page from clicks where click_id = %s", [A]), [("/a",)])


def in_list():
    same(rows("select page from clicks where click_id in %s order by page", [(A, B)]), [("/a",), ("/b",)])


def in_array():
    same(rows("select page from clicks where click_id = any(%s) order by page", [[A, B]]), [("/a",), ("/b",)])


def join():
    sql = "select visitor from visits join clicks using (click_id) where page = %s"
    same(rows(sql, ["/a"]), [("ann",)])


def array():
    rows("insert into journeys values ('bob', %s) on conflict do nothing", [[A, B]])
    same(rows("select click_ids from journeys where visitor in ('ann', 'bob')"), [([A, B],), ([A, B],)])


def registered_array():
    [(oid,)] = rows("select 's2s.click_id[]'::regtype::oid")
    click_ids = psycopg2.extensions.new_array_type((oid,), "click_id[]", psycopg2.STRING)
    psycopg2.extensions.register_type(click_ids, connection)
    array()


def prepared():
    rows("prepare page_of(text) as select page from clicks where click_id = $1")
    same(rows("execute page_of(%s)", [A]), [("/a",)])


def copy():
    ids = [fresh(), fresh()]
    with connection.cursor() as cursor:
        cursor.copy_expert("copy clicks from stdin", io.StringIO("".join(f"{id}\t/copy\n" for id in ids)))
        copied = io.StringIO()
        cursor.copy_expert("copy (select click_id from clicks where page = '/copy' order by 1) to stdout", copied)
    same(copied.getvalue(), "".join(f"{id}\n" for id in ids))


def callback():
    rows("insert into orders values (1, %s)", [A])
    [(id, click_id)] = rows("select id, click_id from s2s.queue where transaction_id = %s", ["1"])
    assert id > 0
    same(click_id, A)


report(psycopg2.__version__.split()[0], {
    "insert": insert, "read": read, "=": equal, "in": in_list, "any": in_array, "join": join,
    "array": {"": array, "type": registered_array},
    "prepared": prepared, "copy": copy, "callback": callback,
}, connect)
