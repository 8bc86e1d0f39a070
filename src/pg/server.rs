//! Servers as SQL sees them: validating their options, and finding them by name.
#![forbid(unsafe_code)]

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::{self, quote_identifier};

use crate::http::client::read_ca_file;
use crate::network::secret::Secret;
use crate::network::{Network, Server, linktrust, postback, tradetracker};
use crate::pg::error::{PgResult, refuse_new};
use crate::pg::queue;
use crate::pg::sys::foreign_server::{self, CalledAs, ForeignServer, is_superuser};
use crate::problem::{Class, Problem, Quoted, list, nearest};

/// Validator of a network's wrapper: the SQL function is called as the network, with `_validator` at
/// the end.
#[pg_extern(sql = false)]
fn network_validator(options: Array<&str>, catalog: pg_sys::Oid, name: CalledAs) -> PgResult<()> {
    let CalledAs(name) = name;
    let network = name.strip_suffix("_validator").and_then(Network::from_name);
    let network = network.ok_or_else(|| {
        let message = format!("function {} validates no network", Quoted(&name));
        Problem::new(Class::UndefinedObject, message).hint(
            "Rename it: such functions are called as their network, with _validator at the end.",
        )
    })?;
    validate(network, &options, catalog)
}

// Up to 0.2.0 each network had a function of its own, which databases call until they are updated.

#[pg_extern(sql = false)]
fn tradetracker_validator(options: Array<&str>, catalog: pg_sys::Oid) -> PgResult<()> {
    validate(&tradetracker::NETWORK, &options, catalog)
}

#[pg_extern(sql = false)]
fn linktrust_validator(options: Array<&str>, catalog: pg_sys::Oid) -> PgResult<()> {
    validate(&linktrust::NETWORK, &options, catalog)
}

#[pg_extern(sql = false)]
fn postback_validator(options: Array<&str>, catalog: pg_sys::Oid) -> PgResult<()> {
    validate(&postback::NETWORK, &options, catalog)
}

/// Checks the options of an object in `catalog`: a wrapper, server or user mapping.
fn validate(
    network: &'static Network,
    options: &Array<&str>,
    catalog: pg_sys::Oid,
) -> PgResult<()> {
    let options: Vec<(&str, &str)> = options
        .iter()
        .flatten()
        .map(|option| option.split_once('=').unwrap_or((option, "")))
        .collect();
    let object = match catalog {
        pg_sys::ForeignServerRelationId => {
            let server = Server::parse("", network, options.iter().copied())?;
            let checked = server.check_new(options.iter().copied());
            refuse_new(checked.map_err(Into::into))?;
            return match server.request.ca_file {
                Some(_) if !is_superuser() => Err(Problem::new(
                    Class::InsufficientPrivilege,
                    "only superusers may set option \"ca_file\"",
                )
                .into()),
                Some(path) => check_ca_file(&path).map_err(Into::into),
                None => Ok(()),
            };
        }
        pg_sys::UserMappingRelationId if network.wants_password => {
            return match options.as_slice() {
                [("password", "")] => Err(Problem::new(
                    Class::InvalidParameter,
                    "the password is empty",
                )
                .hint(format!(
                    "Give the password that {} asks for: OPTIONS (password '…').",
                    network.name
                ))
                .into()),
                [("password", text)] => refuse_new(Secret::check_new(text).map_err(Into::into)),
                _ => Err(Problem::new(
                    Class::InvalidOptionName,
                    "a user mapping has the option \"password\" and no other",
                )
                .hint(format!(
                    "Give the password that {} asks for: OPTIONS (password '…').",
                    network.name
                ))
                .into()),
            };
        }
        pg_sys::UserMappingRelationId => "user mapping",
        pg_sys::ForeignTableRelationId => "foreign table",
        pg_sys::AttributeRelationId => "column",
        _ => "foreign-data wrapper",
    };
    match options.first() {
        Some((name, _)) => Err(Problem::new(
            Class::InvalidOptionName,
            format!("invalid option {}", Quoted(name)),
        )
        .detail(format!("A {object} of {} has no options.", network.name))
        .into()),
        None => Ok(()),
    }
}

fn check_ca_file(path: &str) -> Result<(), Problem> {
    let read = read_ca_file(path);
    read.map(|_| ()).map_err(|reason| {
        Problem::new(Class::InvalidParameter, reason)
            .hint("Give the absolute path of a PEM file with certificates that the server's operating-system user may read.")
    })
}

/// Why nothing can be sent to a server until something is mended on this side, if so.
#[pg_extern(sql = false)]
fn server_problem(server: &str) -> Option<String> {
    let problem = read(server).and_then(|server| match server.request.ca_file {
        Some(path) => check_ca_file(&path),
        None => Ok(()),
    });
    problem.err().map(|problem| problem.one_line())
}

/// The server that a function's argument names, if the current user may use it.
pub fn find(name: Option<&str>) -> Result<Server, Problem> {
    let (oid, server) = read_argument(name)?;
    match foreign_server::may_use(oid) {
        true => Ok(server),
        false => Err(permission_denied(&server.name)),
    }
}

/// The same for what is to be queued: until the end of the database transaction the server keeps its
/// name.
pub fn find_held(name: Option<&str>) -> Result<Server, Problem> {
    find(Some(hold(name)?))
}

/// Holds the server that a function's argument names, if the current user may use it; its options may be
/// broken. Returns the name.
pub fn hold(name: Option<&str>) -> Result<&str, Problem> {
    // Without the privilege it is not locked; after the lock it may be another server's name.
    foreign_server::hold(check_may_use(name)?);
    check_may_use(name)
}

fn check_may_use(name: Option<&str>) -> Result<&str, Problem> {
    let (name, found) = find_argument(name)?;
    match foreign_server::may_use(found.oid) {
        true => Ok(name),
        false => Err(permission_denied(name)),
    }
}

/// The server of a trigger, if the owner of the trigger's table may use it.
pub fn of_table(name: &str, found: &ForeignServer, owner: pg_sys::Oid) -> Result<Server, Problem> {
    match foreign_server::is_usable_by(found.oid, owner) {
        true => parse(name, found),
        false => Err(denied_to_owner(name)),
    }
}

fn denied_to_owner(name: &str) -> Problem {
    permission_denied(name).detail("The table's owner needs USAGE of it.")
}

/// The problem of a server that the owner of a trigger's table may not use.
pub fn lacks_usage(name: &str, owner: pg_sys::Oid) -> Option<Problem> {
    let found = ForeignServer::find(name)?;
    let lacks = !foreign_server::is_usable_by(found.oid, owner);
    lacks.then(|| denied_to_owner(name))
}

fn permission_denied(name: &str) -> Problem {
    let message = format!("permission denied for foreign server {}", Quoted(name));
    Problem::new(Class::InsufficientPrivilege, message).hint(format!(
        "A superuser or the server's owner can GRANT USAGE ON FOREIGN SERVER {}.",
        quote_identifier(name)
    ))
}

/// Refuses to let the current user see or change the callbacks of a server that it may neither use
/// nor owns. Those of a server that is gone are for the owner of the queue. The server is held, by those
/// who may act.
pub fn check_may_act(name: &str) -> Result<(), Problem> {
    may_act(name)?;
    foreign_server::hold(name);
    may_act(name)
}

fn may_act(name: &str) -> Result<(), Problem> {
    match ForeignServer::find(name) {
        Some(found) if foreign_server::may_use(found.oid) => Ok(()),
        Some(found) if foreign_server::is_owner(found.oid) => Ok(()),
        Some(_) => Err(permission_denied(name)),
        None if queue::is_owner() => Ok(()),
        None => {
            let message = format!("permission denied for foreign server {}", Quoted(name));
            Err(Problem::new(Class::InsufficientPrivilege, message)
                .detail("It does not exist; what is queued for it is the extension's owner's."))
        }
    }
}

/// The server that a function's argument names, if it is the current user's, for a result that
/// holds its password.
pub fn find_own(name: Option<&str>) -> Result<(pg_sys::Oid, Server, Option<Secret>), Problem> {
    let (name, found) = find_argument(name)?;
    match foreign_server::is_owner(found.oid) {
        true => Ok((found.oid, parse(name, &found)?, password(&found))),
        false => {
            let message = format!("must be owner of foreign server {}", Quoted(name));
            Err(Problem::new(Class::InsufficientPrivilege, message)
                .detail("The result holds the server's password."))
        }
    }
}

/// The server of a name, whatever the current user may do.
pub fn read(name: &str) -> Result<Server, Problem> {
    let found = ForeignServer::find(name).ok_or_else(|| does_not_exist(name))?;
    parse(name, &found)
}

fn read_argument(name: Option<&str>) -> Result<(pg_sys::Oid, Server), Problem> {
    let (name, found) = find_argument(name)?;
    Ok((found.oid, parse(name, &found)?))
}

fn find_argument(name: Option<&str>) -> Result<(&str, ForeignServer), Problem> {
    let name = name.ok_or_else(|| {
        Problem::new(Class::InvalidParameter, "server is required")
            .hint("Give the name of a foreign server.")
    })?;
    let Some(found) = ForeignServer::find(name) else {
        let problem = does_not_exist(name);
        // A hint: what fails here does not hide the error that it belongs to.
        let names = names().unwrap_or_default();
        return Err(match nearest(name, names.iter().map(String::as_str)) {
            Some(nearest) => problem.hint(format!("Did you mean {}?", Quoted(nearest))),
            None => problem,
        });
    };
    Ok((name, found))
}

const CREATE: &str = "Create it with CREATE SERVER … FOREIGN DATA WRAPPER ….";

/// Whether a foreign server has the name.
pub fn exists(name: &str) -> bool {
    ForeignServer::find(name).is_some()
}

/// The problem of a name that no foreign server has.
pub fn does_not_exist(name: &str) -> Problem {
    let message = format!("server {} does not exist", Quoted(name));
    Problem::new(Class::UndefinedObject, message).hint(CREATE)
}

/// The problem of a server that was dropped.
pub fn was_dropped(name: &str) -> Problem {
    let message = format!("server {} was dropped", Quoted(name));
    Problem::new(Class::UndefinedObject, message).hint(
        "Name another server with CREATE OR REPLACE TRIGGER, or drop the trigger. A new server of that name gets nothing of it.",
    )
}

fn parse(name: &str, found: &ForeignServer) -> Result<Server, Problem> {
    let network = Network::from_name(&found.wrapper).ok_or_else(|| {
        let message = format!("server {} is not one of an affiliate network", Quoted(name));
        Problem::new(Class::InvalidParameter, message)
            .detail(format!(
                "It belongs to the foreign-data wrapper {}.",
                Quoted(&found.wrapper)
            ))
            .hint(format!(
                "Name a server of one of the foreign-data wrappers {}.",
                list(Network::ALL.iter().map(|network| network.name))
            ))
    })?;
    let options = found.options.iter();
    let options = options.map(|(name, value)| (name.as_str(), value.as_str()));
    Server::parse(name, network, options)
        .map_err(|problem| problem.within(format_args!("server {}", Quoted(name))))
}

/// The names of all servers of our networks.
fn names() -> spi::Result<Vec<String>> {
    Spi::connect(|client| {
        let mut names = Vec::new();
        let query = include_str!("../../sql/runtime/server_names.sql");
        for row in client.select(query, None, &[])? {
            if let (Some(name), Some(wrapper)) = (row.get(1)?, row.get::<&str>(2)?)
                && Network::from_name(wrapper).is_some()
            {
                names.push(name);
            }
        }
        Ok(names)
    })
}

fn password(server: &ForeignServer) -> Option<Secret> {
    let options = server.user_mapping()?;
    let (_, text) = options.into_iter().find(|(name, _)| name == "password")?;
    Secret::new(text)
}

/// The problem of a server whose network wants a password, if it has none.
pub fn lacks_password(name: &str) -> Option<Problem> {
    let server = read(name).ok()?;
    let has_password = || ForeignServer::find(name).is_some_and(|found| password(&found).is_some());
    let lacks = server.network().wants_password && !has_password();
    lacks.then(|| server.no_password())
}
