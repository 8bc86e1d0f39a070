"""The cases with SQLAlchemy on psycopg 3: click ids are mapped as text, and sent as such."""

import sqlalchemy
from psycopg.types import TypeInfo
from sqlalchemy import ARRAY, Text, any_, bindparam, create_engine, event, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from cases import A, B, fresh, report, same


class Base(DeclarativeBase):
    pass


class Click(Base):
    __tablename__ = "clicks"
    click_id: Mapped[str] = mapped_column(Text, primary_key=True)
    page: Mapped[str] = mapped_column(Text)


class Visit(Base):
    __tablename__ = "visits"
    click_id: Mapped[str] = mapped_column(Text)
    visitor: Mapped[str] = mapped_column(Text, primary_key=True)


class Journey(Base):
    __tablename__ = "journeys"
    visitor: Mapped[str] = mapped_column(Text, primary_key=True)
    click_ids: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    click_id: Mapped[str | None] = mapped_column(Text)


class Callback(Base):
    __tablename__ = "queue"
    __table_args__ = {"schema": "s2s"}
    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[str] = mapped_column(Text)
    click_id: Mapped[str | None] = mapped_column(Text)


def connect():
    global engine
    engine = create_engine("postgresql+psycopg://", isolation_level="AUTOCOMMIT")


def scalars(query):
    with Session(engine) as session:
        return list(session.scalars(query))


def add(*rows):
    with Session(engine) as session:
        session.add_all(rows)
        session.commit()


def pages(condition):
    return scalars(select(Click.page).where(condition).order_by(Click.page))


def insert():
    add(Click(click_id=fresh(), page="/insert"))
    add(Click(click_id=fresh(), page="/insert"), Click(click_id=fresh(), page="/insert"))
    same(pages(Click.page == "/insert"), ["/insert"] * 3)


def read():
    same(scalars(select(Click.click_id).where(Click.page == "/a")), [A])


def equal():
    same(pages(Click.click_id == A), ["/a"])


def in_list():
    same(pages(Click.click_id.in_([A, B])), ["/a", "/b"])


def in_array():
    same(pages(Click.click_id == any_([A, B])), ["/a", "/b"])


def join():
    same(scalars(select(Visit.visitor).join(Click, Visit.click_id == Click.click_id).where(Click.page == "/a")), ["ann"])


def array():
    with Session(engine) as session:
        session.merge(Journey(visitor="bob", click_ids=[A, B]))
        session.commit()
    same(scalars(select(Journey.click_ids).where(Journey.visitor.in_(["ann", "bob"]))), [[A, B], [A, B]])


def registered_array():
    @event.listens_for(engine, "connect")
    def register(connection, _):
        TypeInfo.fetch(connection, "s2s.click_id").register(connection)

    array()


def prepared():
    query = text("select page from clicks where click_id = :id").bindparams(bindparam("id", type_=Text))
    with engine.connect() as connection:
        for _ in range(10):  # psycopg prepares what it has seen five times
            same(connection.scalars(query, {"id": A}).all(), ["/a"])


def get():
    with Session(engine) as session:
        same(session.get(Click, A).page, "/a")


def filter():
    with Session(engine) as session:
        same(session.query(Click).filter_by(click_id=A).one().page, "/a")
        same(session.query(Click).filter(Click.click_id.startswith("0::12345::b")).one().page, "/b")


def callback():
    add(Order(id=1, click_id=A))
    [queued] = scalars(select(Callback).where(Callback.transaction_id == "1"))
    assert queued.id > 0
    same(queued.click_id, A)


report(sqlalchemy.__version__, {
    "insert": insert, "read": read, "=": equal, "in": in_list, "any": in_array, "join": join,
    "array": {"": array, "type": registered_array}, "prepared": prepared, "get": get, "filter": filter, "callback": callback,
}, connect)
