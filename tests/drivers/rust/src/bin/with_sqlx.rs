//! The cases with sqlx, which sends texts as `text` and reads a type only into what is declared as it.

use drivers::{A, B, Outcome, fresh, report, same, version_of};
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, query, query_scalar};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut client = PgConnectOptions::new()
        .connect()
        .await
        .expect("a connection");
    let client = &mut client;

    println!("version\t{}", version_of("sqlx"));
    report("insert", &[("", insert(client).await)]);
    report(
        "read",
        &[
            (
                "",
                read(client, "select click_id from clicks where page = '/a'").await,
            ),
            (
                "cast",
                read(
                    client,
                    "select click_id::text from clicks where page = '/a'",
                )
                .await,
            ),
        ],
    );
    report("=", &[("", equal(client).await)]);
    report("in", &[("", in_list(client).await)]);
    report("any", &[("", any(client).await)]);
    report("join", &[("", join(client).await)]);
    report(
        "array",
        &[
            ("", array(client, "select click_ids from journeys").await),
            (
                "cast",
                array(client, "select click_ids::text[] from journeys").await,
            ),
        ],
    );
    report("prepared", &[("", prepared(client).await)]);
    report("binary", &[("type", binary(client).await)]);
    report("copy", &[("", copy(client).await)]);
    report("binary copy", &[]);
    report("get", &[]);
    report("filter", &[]);
    report("callback", &[("", callback(client).await)]);
}

async fn insert(client: &mut PgConnection) -> Outcome {
    let sql = "insert into clicks values ($1, '/insert')";
    let done = query(sql).bind(fresh()).execute(&mut *client).await?;
    same(done.rows_affected(), 1)?;
    let sql = "insert into clicks select id, '/insert' from unnest($1) id";
    let done = query(sql).bind([fresh(), fresh()]).execute(client).await?;
    same(done.rows_affected(), 2)
}

async fn read(client: &mut PgConnection, sql: &'static str) -> Outcome {
    let id: String = query_scalar(sql).fetch_one(client).await?;
    same(id.as_str(), A)
}

async fn equal(client: &mut PgConnection) -> Outcome {
    let sql = "select page from clicks where click_id = $1";
    let page: String = query_scalar(sql).bind(A).fetch_one(client).await?;
    same(page.as_str(), "/a")
}

async fn in_list(client: &mut PgConnection) -> Outcome {
    let sql = "select page from clicks where click_id in ($1, $2) order by page";
    let pages: Vec<String> = query_scalar(sql).bind(A).bind(B).fetch_all(client).await?;
    same(pages, vec!["/a".to_owned(), "/b".to_owned()])
}

async fn any(client: &mut PgConnection) -> Outcome {
    let sql = "select page from clicks where click_id = any($1) order by page";
    let pages: Vec<String> = query_scalar(sql).bind([A, B]).fetch_all(client).await?;
    same(pages, vec!["/a".to_owned(), "/b".to_owned()])
}

async fn join(client: &mut PgConnection) -> Outcome {
    let sql = "select visitor from visits join clicks using (click_id) where page = $1";
    let visitor: String = query_scalar(sql).bind("/a").fetch_one(client).await?;
    same(visitor.as_str(), "ann")
}

async fn array(client: &mut PgConnection, sql: &'static str) -> Outcome {
    let insert = "insert into journeys values ('bob', $1) on conflict do nothing";
    query(insert).bind([A, B]).execute(&mut *client).await?;
    let found: Vec<Vec<String>> = query_scalar(sql).fetch_all(client).await?;
    let ids = vec![A.to_owned(), B.to_owned()];
    same(found, vec![ids.clone(), ids])
}

async fn prepared(client: &mut PgConnection) -> Outcome {
    for _ in 0..2 {
        let sql = "select page from clicks where click_id = $1 and click_id = any($2)";
        let page = query_scalar(sql).bind(A).bind([A]).persistent(true);
        let page: String = page.fetch_one(&mut *client).await?;
        same(page.as_str(), "/a")?;
    }
    Ok(())
}

/// A click id: in binary it is its text in UTF-8, as a `String`'s.
#[derive(Debug, PartialEq, sqlx::Type)]
#[sqlx(type_name = "s2s.click_id")]
struct ClickId(String);

/// sqlx sends and receives in binary wherever there are parameters.
async fn binary(client: &mut PgConnection) -> Outcome {
    let sql = "select click_id from clicks where click_id = $1";
    let id = ClickId(A.to_owned());
    let found: ClickId = query_scalar(sql).bind(&id).fetch_one(client).await?;
    same(&found, &id)
}

async fn copy(client: &mut PgConnection) -> Outcome {
    let ids = [fresh(), fresh()];
    let mut writer = client.copy_in_raw("copy clicks from stdin").await?;
    for id in &ids {
        writer.send(format!("{id}\t/copy\n").into_bytes()).await?;
    }
    writer.finish().await?;
    let sql = "copy (select click_id from clicks where page = '/copy' order by 1) to stdout";
    let copied: Vec<_> = client.copy_out_raw(sql).await?.try_collect().await?;
    same(
        String::from_utf8(copied.concat())?,
        ids.map(|id| id + "\n").concat(),
    )
}

async fn callback(client: &mut PgConnection) -> Outcome {
    let sql = "insert into orders values (1, $1)";
    query(sql).bind(A).execute(&mut *client).await?;
    let sql = "select id from s2s.queue where transaction_id = $1";
    let id: i64 = query_scalar(sql).bind("1").fetch_one(client).await?;
    same(id > 0, true)
}
