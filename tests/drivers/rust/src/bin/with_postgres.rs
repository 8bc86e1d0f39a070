//! The cases with the crate postgres, where each Rust type says which PostgreSQL types it accepts.

use std::error::Error;
use std::io::{Read as _, Write as _};

use drivers::{A, B, Outcome, fresh, report, same, version_of};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, NoTls};

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

fn main() {
    let variable = |name| std::env::var(name).expect(name);
    let mut client = postgres::Config::new()
        .host(&variable("PGHOST"))
        .port(variable("PGPORT").parse().expect("PGPORT"))
        .user(&variable("PGUSER"))
        .dbname(&variable("PGDATABASE"))
        .connect(NoTls)
        .expect("a connection");
    let client = &mut client;
    let (one, two) = (
        vec!["/a".to_owned()],
        vec!["/a".to_owned(), "/b".to_owned()],
    );
    let ids = vec![A, B];

    println!("version\t{}", version_of("postgres"));
    report(
        "insert",
        &[
            (
                "",
                insert(client, "insert into clicks values ($1, '/insert')"),
            ),
            (
                "cast",
                insert(client, "insert into clicks values ($1::text, '/insert')"),
            ),
        ],
    );
    let read = [
        "select click_id from clicks where page = '/a'",
        "select click_id::text from clicks where page = '/a'",
    ];
    report(
        "read",
        &as_it_is_or_cast(client, read, &[], &[A.to_owned()]),
    );
    let equal = [
        "select page from clicks where click_id = $1",
        "select page from clicks where click_id = $1::text",
    ];
    report("=", &as_it_is_or_cast(client, equal, &[&A], &one));
    let in_list = [
        "select page from clicks where click_id in ($1, $2) order by page",
        "select page from clicks where click_id in ($1::text, $2::text) order by page",
    ];
    report("in", &as_it_is_or_cast(client, in_list, &[&A, &B], &two));
    let any = [
        "select page from clicks where click_id = any($1) order by page",
        "select page from clicks where click_id = any($1::text[]) order by page",
    ];
    report("any", &as_it_is_or_cast(client, any, &[&ids], &two));
    let join = "select visitor from visits join clicks using (click_id) where page = $1";
    report(
        "join",
        &[("", returns(client, join, &[&"/a"], &["ann".to_owned()]))],
    );
    report(
        "array",
        &[
            (
                "",
                array(
                    client,
                    "insert into journeys values ('bob', $1)",
                    "select click_ids from journeys",
                ),
            ),
            (
                "cast",
                array(
                    client,
                    "insert into journeys values ('bob', $1::text[])",
                    "select click_ids::text[] from journeys",
                ),
            ),
        ],
    );
    report("prepared", &[("", prepared(client))]);
    report(
        "binary",
        &[
            ("", binary::<String>(client, A.to_owned())),
            ("type", binary(client, ClickId(A.to_owned()))),
        ],
    );
    report("copy", &[("", copy(client))]);
    report("binary copy", &[("", binary_copy(client))]);
    report("get", &[]);
    report("filter", &[]);
    report(
        "callback",
        &[
            ("", callback(client, "insert into orders values (1, $1)")),
            (
                "cast",
                callback(client, "insert into orders values (1, $1::text)"),
            ),
        ],
    );
}

/// A statement as it is, and with casts.
fn as_it_is_or_cast(
    client: &mut Client,
    [as_it_is, cast]: [&str; 2],
    parameters: Parameters,
    expected: &[String],
) -> [(&'static str, Outcome); 2] {
    [
        ("", returns(client, as_it_is, parameters, expected)),
        ("cast", returns(client, cast, parameters, expected)),
    ]
}

fn returns(client: &mut Client, sql: &str, parameters: Parameters, expected: &[String]) -> Outcome {
    let rows = client.query(sql, parameters)?;
    let found: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    same(found?.as_slice(), expected)
}

fn insert(client: &mut Client, sql: &str) -> Outcome {
    same(client.execute(sql, &[&fresh()])?, 1)?;
    let sql = "insert into clicks select id, '/insert' from unnest($1::text[]) id";
    same(client.execute(sql, &[&vec![fresh(), fresh()]])?, 2)
}

fn array(client: &mut Client, insert: &str, select: &str) -> Outcome {
    let ids = vec![A.to_owned(), B.to_owned()];
    client.execute(insert, &[&ids])?;
    let rows = client.query(select, &[])?;
    let found: Result<Vec<Vec<String>>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    same(found?, vec![ids.clone(), ids])
}

fn prepared(client: &mut Client) -> Outcome {
    let page = "select page from clicks where click_id = $1";
    let page = client.prepare_typed(page, &[Type::TEXT])?;
    same(client.query_one(&page, &[&A])?.try_get(0)?, "/a".to_owned())?;
    let page = "select page from clicks where click_id = any($1)";
    let page = client.prepare_typed(page, &[Type::TEXT_ARRAY])?;
    same(
        client.query_one(&page, &[&vec![A]])?.try_get(0)?,
        "/a".to_owned(),
    )
}

/// A click id: in binary it is its text in UTF-8, as a `String`'s.
#[derive(Clone, Debug, PartialEq)]
struct ClickId(String);

impl ToSql for ClickId {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        ty.name() == "click_id"
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for ClickId {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<ClickId, Box<dyn Error + Sync + Send>> {
        String::from_sql(ty, raw).map(ClickId)
    }

    fn accepts(ty: &Type) -> bool {
        ty.name() == "click_id"
    }
}

/// This crate sends and receives in binary only.
fn binary<T>(client: &mut Client, id: T) -> Outcome
where
    T: for<'a> FromSql<'a> + ToSql + Sync + PartialEq + std::fmt::Debug,
{
    let sql = "select click_id from clicks where click_id = any($1)";
    let ids = vec![id];
    let found: T = client.query_one(sql, &[&ids])?.try_get(0)?;
    same(&found, &ids[0])
}

fn copy(client: &mut Client) -> Outcome {
    let ids = [fresh(), fresh()];
    let mut writer = client.copy_in("copy clicks from stdin")?;
    for id in &ids {
        writeln!(writer, "{id}\t/copy")?;
    }
    writer.finish()?;
    let mut copied = String::new();
    client
        .copy_out("copy (select click_id from clicks where page = '/copy' order by 1) to stdout")?
        .read_to_string(&mut copied)?;
    same(copied, ids.map(|id| id + "\n").concat())
}

fn binary_copy(client: &mut Client) -> Outcome {
    let writer = client.copy_in("copy clicks from stdin (format binary)")?;
    let mut writer = BinaryCopyInWriter::new(writer, &[Type::TEXT, Type::TEXT]);
    for _ in 0..2 {
        writer.write(&[&fresh(), &"/binary copy"])?;
    }
    same(writer.finish()?, 2)
}

fn callback(client: &mut Client, insert: &str) -> Outcome {
    client.execute(insert, &[&A])?;
    let row = client.query_one(
        "select id from s2s.queue where transaction_id = $1",
        &[&"1"],
    )?;
    same(row.try_get::<_, i64>(0)? > 0, true)
}
