//! Sessions that write orders: they commit, roll back, use savepoints and prepare transactions, and
//! note in the book what they know of each.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use oorandom::Rand64;
use postgres::Client;
use postgres::error::{Error, Severity};

use super::book::{Fate, Report};
use super::desk::Desk;

/// How many sessions write at once.
const WRITERS: u64 = 3;

/// Between two transactions of a writer, at most: the tests share the machine.
const PAUSE_MILLIS: u64 = 40;

/// What a round's transactions are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// All that there is.
    Mixed,
    /// Each has savepoints.
    Savepoints,
    /// Each is prepared, then committed or rolled back.
    Prepared,
}

/// The sessions; they end when this is dropped.
pub struct Writers {
    desk: Arc<Desk>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    pub fn start(desk: &Arc<Desk>, style: Style, seed: u64) -> Writers {
        let writer = |number| {
            let mut writer = Writer {
                desk: Arc::clone(desk),
                number,
                transactions: 0,
                style,
                random: Rand64::new(u128::from(seed) << 8 | u128::from(number)),
                orders: Vec::new(),
            };
            thread::spawn(move || writer.write())
        };
        Writers {
            desk: Arc::clone(desk),
            threads: (0..WRITERS).map(writer).collect(),
        }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.desk.close();
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a writer panicked");
        }
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The one statement commits by itself.
    ByItself,
    Commit,
    Rollback,
    PreparedCommit,
    PreparedRollback,
}

/// A transaction as it is meant to be.
struct Plan {
    statements: Vec<String>,
    end: End,
    /// What it writes.
    kept: Vec<Report>,
    /// What it writes and rolls back to a savepoint.
    undone: Vec<Report>,
}

struct Writer {
    desk: Arc<Desk>,
    number: u64,
    transactions: u64,
    style: Style,
    random: Rand64,
    /// Committed for sure, to be updated.
    orders: Vec<Report>,
}

impl Writer {
    fn write(&mut self) {
        let mut session = None;
        while !self.desk.is_closed() {
            thread::sleep(Duration::from_millis(self.below(PAUSE_MILLIS)));
            let Some(client) = &mut session else {
                session = self.desk.try_connect().and_then(introduce);
                continue;
            };
            let plan = self.plan();
            if let Err(error) = self.run(client, &plan) {
                // After an error the session goes on, unless it is the session's end.
                if !is_certain(&error) || client.batch_execute("rollback").is_err() {
                    session = None;
                }
            }
        }
    }

    /// Runs a transaction and notes what became of it.
    fn run(&mut self, client: &mut Client, plan: &Plan) -> Result<(), Error> {
        let desk = Arc::clone(&self.desk);
        desk.note(&plan.undone, Fate::RolledBack);
        for statement in &plan.statements {
            if let Err(error) = client.batch_execute(statement) {
                let is_decided = plan.end != End::ByItself || is_certain(&error);
                desk.note(
                    &plan.kept,
                    if is_decided {
                        Fate::RolledBack
                    } else {
                        Fate::Unknown
                    },
                );
                return Err(error);
            }
        }
        let ended = match plan.end {
            End::ByItself => Ok(()),
            End::Commit => client.batch_execute("commit"),
            End::Rollback => {
                desk.note(&plan.kept, Fate::RolledBack);
                return client.batch_execute("rollback");
            }
            End::PreparedCommit => return self.prepare(client, plan, Fate::Committed),
            End::PreparedRollback => return self.prepare(client, plan, Fate::RolledBack),
        };
        let fate = match &ended {
            Ok(()) => Fate::Committed,
            Err(error) if is_certain(error) => Fate::RolledBack,
            Err(_) => Fate::Unknown,
        };
        desk.note(&plan.kept, fate);
        if fate == Fate::Committed {
            self.orders.extend(&plan.kept);
        }
        ended
    }

    /// Prepares the transaction, and ends it a little later.
    fn prepare(&mut self, client: &mut Client, plan: &Plan, fate: Fate) -> Result<(), Error> {
        self.transactions += 1;
        let name = format!("writer {} transaction {}", self.number, self.transactions);
        let end = match fate {
            Fate::Committed => "commit",
            _ => "rollback",
        };
        for statement in [
            format!("prepare transaction '{name}'"),
            format!("{end} prepared '{name}'"),
        ] {
            if let Err(error) = client.batch_execute(&statement) {
                self.desk.book().note_prepared(name, &plan.kept);
                return Err(error);
            }
        }
        self.desk.note(&plan.kept, fate);
        if fate == Fate::Committed {
            self.orders.extend(&plan.kept);
        }
        Ok(())
    }

    fn plan(&mut self) -> Plan {
        let mut plan = Plan {
            statements: Vec::new(),
            end: End::ByItself,
            kept: Vec::new(),
            undone: Vec::new(),
        };
        let is_mixed = self.style == Style::Mixed;
        if is_mixed && self.below(3) == 0 {
            let reports = self.change(&mut plan.statements);
            plan.kept.extend(reports);
            return plan;
        }
        let is_prepared = match self.style {
            Style::Mixed => self.below(8) == 0,
            Style::Savepoints => false,
            Style::Prepared => true,
        };
        plan.end = match (is_prepared, self.below(4) == 0) {
            (true, true) => End::PreparedRollback,
            (true, false) => End::PreparedCommit,
            (false, true) => End::Rollback,
            (false, false) => End::Commit,
        };
        plan.statements.push("begin".to_owned());
        for _ in 0..=self.below(2) {
            let reports = self.change(&mut plan.statements);
            plan.kept.extend(reports);
        }
        let has_savepoint = match self.style {
            Style::Savepoints => true,
            _ => self.below(3) == 0,
        };
        if has_savepoint {
            self.savepoint(&mut plan, 1, true);
            let reports = self.change(&mut plan.statements);
            plan.kept.extend(reports);
        }
        plan
    }

    /// Adds a change after a savepoint, perhaps with another savepoint behind it, and the end of
    /// the savepoint.
    fn savepoint(&mut self, plan: &mut Plan, depth: u32, is_kept: bool) {
        let is_released = self.below(2) == 0;
        let is_kept = is_kept && is_released;
        plan.statements.push(format!("savepoint s{depth}"));
        let reports = self.change(&mut plan.statements);
        match is_kept {
            true => plan.kept.extend(reports),
            false => plan.undone.extend(reports),
        }
        if depth < 3 && self.below(2) == 0 {
            self.savepoint(plan, depth + 1, is_kept);
        }
        plan.statements.push(match is_released {
            true => format!("release s{depth}"),
            false => format!("rollback to s{depth}"),
        });
    }

    /// Adds a statement that inserts orders or updates one.
    fn change(&mut self, statements: &mut Vec<String>) -> Vec<Report> {
        let update = match self.orders.len() as u64 {
            0 => None,
            count if self.below(4) == 0 => Some(self.below(count) as usize),
            _ => None,
        };
        if let Some(place) = update {
            let Report { order, step } = self.orders.swap_remove(place);
            let step = step + 1;
            statements.push(format!(
                "update orders set step = {step} where id = {order}"
            ));
            return vec![Report { order, step }];
        }
        let count = match self.below(10) {
            0 => 10,
            other => 1 + other as i64 / 4,
        };
        let first = self.desk.new_orders(count);
        statements.push(insert(first, count));
        (first..first + count)
            .map(|order| Report { order, step: 1 })
            .collect()
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.rand_range(0..end)
    }
}

/// The statement that inserts orders.
pub fn insert(first: i64, count: i64) -> String {
    let last = first + count - 1;
    format!(
        "insert into orders select id, 1, '0::12345::abc::::1405418672'
         from generate_series({first}, {last}) id"
    )
}

/// Lets the faults know whose session it is.
fn introduce(mut client: Client) -> Option<Client> {
    let done = client.batch_execute("set application_name = 'writer'");
    done.ok().map(|()| client)
}

/// The server refused and goes on: what was asked for has not happened. After anything else, such as
/// the end of the connection, one cannot know.
fn is_certain(error: &Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}
