"""The cases with Django on psycopg 3: click ids are text fields of tables that Django does not manage."""

import os

import django
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import connections, models
from django.db.backends.signals import connection_created
from psycopg.types import TypeInfo

from cases import A, B, fresh, report, same

DATABASE = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
    "USER": os.environ["PGUSER"], "NAME": os.environ["PGDATABASE"],
}
settings.configure(DATABASES={
    "default": DATABASE,
    "bound": DATABASE | {"OPTIONS": {"server_side_binding": True}},
})
django.setup()


class Click(models.Model):
    click_id = models.TextField(primary_key=True)
    page = models.TextField()

    class Meta:
        app_label, db_table, managed = "shop", "clicks", False


class Visit(models.Model):
    click = models.ForeignKey(Click, models.DO_NOTHING)  # the column click_id, of text
    visitor = models.TextField(primary_key=True)

    class Meta:
        app_label, db_table, managed = "shop", "visits", False


class Journey(models.Model):
    visitor = models.TextField(primary_key=True)
    click_ids = ArrayField(models.TextField())

    class Meta:
        app_label, db_table, managed = "shop", "journeys", False


class Order(models.Model):
    id = models.IntegerField(primary_key=True)
    click_id = models.TextField(null=True)

    class Meta:
        app_label, db_table, managed = "shop", "orders", False


class Callback(models.Model):
    id = models.BigIntegerField(primary_key=True)
    transaction_id = models.TextField()
    click_id = models.TextField(null=True)

    class Meta:
        app_label, db_table, managed = "shop", '"s2s"."queue"', False


def pages(using="default", **conditions):
    clicks = Click.objects.using(using).filter(**conditions)
    return list(clicks.order_by("page").values_list("page", flat=True))


def insert():
    Click.objects.create(click_id=fresh(), page="/insert")
    Click.objects.bulk_create([Click(click_id=fresh(), page="/insert") for _ in range(2)])
    same(pages(page="/insert"), ["/insert"] * 3)


def read():
    same(Click.objects.get(page="/a").click_id, A)


def equal():
    same(pages(click_id=A), ["/a"])


def in_list():
    same(pages(click_id__in=[A, B]), ["/a", "/b"])


def in_array():
    found = Click.objects.raw("select * from clicks where click_id = any(%s) order by page", [[A, B]])
    same([click.page for click in found], ["/a", "/b"])


def join():
    same(list(Visit.objects.filter(click__page="/a").values_list("visitor", flat=True)), ["ann"])


def array():
    Journey(visitor="bob", click_ids=[A, B]).save()
    same(list(Journey.objects.values_list("click_ids", flat=True)), [[A, B], [A, B]])


def register(connection, **_):
    TypeInfo.fetch(connection.connection, "s2s.click_id").register(connection.connection)


def registered_array():
    connection_created.connect(register)
    try:
        array()
    finally:
        connection_created.disconnect(register)


def prepared():
    same(pages("bound", click_id=A), ["/a"])
    same(pages("bound", click_id__in=[A, B]), ["/a", "/b"])
    Click.objects.using("bound").create(click_id=fresh(), page="/prepared")


def get():
    same(Click.objects.get(pk=A).page, "/a")


def filter():
    same(pages(click_id__contains="::a::"), ["/a"])
    same(pages(click_id__startswith="0::12345::b"), ["/b"])


def callback():
    Order.objects.create(id=1, click_id=A)
    queued = Callback.objects.get(transaction_id="1")
    assert queued.id > 0
    same(queued.click_id, A)


report(django.__version__, {
    "insert": insert, "read": read, "=": equal, "in": in_list, "any": in_array, "join": join,
    "array": {"": array, "type": registered_array}, "prepared": prepared, "get": get, "filter": filter, "callback": callback,
}, connect=connections.close_all)
