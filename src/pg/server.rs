//! Servers: validating their options, and finding them by name.

use std::ffi::{CStr, CString};
use std::fmt;

use pgrx::list::old_list::PgList;
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::{self, quote_identifier};

use crate::network::linktrust;
use crate::network::options::{OptionError, Options};
use crate::network::secret::Secret;
use crate::network::{Account, Network, NoPassword, Server};
use crate::pg::error::{PgResult, report};
use crate::pg::queue;
use crate::problem::{Class, Problem, Quoted, list, nearest};

/// Validator of the wrapper `tradetracker`.
#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
fn tradetracker_validator(options: Array<&str>, catalog: pg_sys::Oid) -> PgResult<()> {
    Ok(validate(Network::TradeTracker, &options, catalog)?)
}

/// Validator of the wrapper `linktrust`.
#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
fn linktrust_validator(options: Array<&str>, catalog: pg_sys::Oid) -> PgResult<()> {
    Ok(validate(Network::LinkTrust, &options, catalog)?)
}

/// Validator of the wrapper `postback`.
#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
fn postback_validator(options: Array<&str>, catalog: pg_sys::Oid) -> PgResult<()> {
    Ok(validate(Network::Postback, &options, catalog)?)
}

/// Checks the options of a wrapper, server or user mapping; `catalog` says which.
fn validate(
    network: Network,
    options: &Array<&str>,
    catalog: pg_sys::Oid,
) -> Result<(), OptionError> {
    let options: Vec<(&str, &str)> = options
        .iter()
        .flatten()
        .map(|option| option.split_once('=').unwrap_or((option, "")))
        .collect();
    let object = match catalog {
        pg_sys::ForeignServerRelationId => {
            let server = Server::parse("", network, options.iter().copied())?;
            Options::new(network, options.iter().copied())?.check_new()?;
            return match server.request.ca_file {
                Some(_) if !is_superuser() => Err(OptionError::SuperuserOnly { option: "ca_file" }),
                _ => Ok(()),
            };
        }
        pg_sys::UserMappingRelationId if network.wants_password() => {
            return match options.as_slice() {
                [("password", text)] if !text.is_empty() => Ok(()),
                _ => Err(OptionError::OnlyPassword { network }),
            };
        }
        pg_sys::UserMappingRelationId => "user mapping",
        pg_sys::ForeignTableRelationId => "foreign table",
        pg_sys::AttributeRelationId => "column",
        _ => "foreign-data wrapper",
    };
    match options.first() {
        Some((name, _)) => Err(OptionError::NoOptions {
            network,
            option: (*name).to_owned(),
            object,
        }),
        None => Ok(()),
    }
}

#[allow(unsafe_code)]
fn is_superuser() -> bool {
    // SAFETY: a look-up in the catalogs, within the transaction of the statement.
    unsafe { pg_sys::superuser() }
}

/// A server that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerProblem {
    /// No server was named.
    NotGiven,
    /// There is none of this name.
    DoesNotExist {
        /// The name.
        server: String,
        /// The name that is most like it, of those that there are.
        nearest: Option<String>,
    },
    /// It belongs to a wrapper that is not ours.
    NotANetwork {
        /// The server.
        server: String,
        /// Its wrapper.
        wrapper: String,
    },
    /// The current user has no USAGE on it.
    NotAllowed(String),
    /// It is another role's, and what is asked for reveals its password.
    NotOwner(String),
    /// It is of another network than the one that is asked for.
    OtherNetwork {
        /// The server.
        server: String,
        /// Its network.
        network: Network,
        /// The one asked for.
        wanted: Network,
    },
    /// Its options are wrong.
    Options {
        /// The server.
        server: String,
        /// What is wrong with them.
        error: OptionError,
    },
}

impl fmt::Display for ServerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerProblem::NotGiven => f.write_str("server is required"),
            ServerProblem::DoesNotExist { server, .. } => {
                write!(f, "server {} does not exist", Quoted(server))
            }
            ServerProblem::NotANetwork { server, .. } => {
                write!(
                    f,
                    "server {} is not one of an affiliate network",
                    Quoted(server)
                )
            }
            ServerProblem::NotAllowed(server) => {
                write!(f, "permission denied for foreign server {}", Quoted(server))
            }
            ServerProblem::NotOwner(server) => {
                write!(f, "must be owner of foreign server {}", Quoted(server))
            }
            ServerProblem::OtherNetwork {
                server,
                network,
                wanted,
            } => {
                let (network, wanted) = (network.name(), wanted.name());
                write!(
                    f,
                    "server {} is of {network}, not of {wanted}",
                    Quoted(server)
                )
            }
            ServerProblem::Options { server, error } => {
                write!(f, "server {}: {error}", Quoted(server))
            }
        }
    }
}

impl Problem for ServerProblem {
    fn class(&self) -> Class {
        match self {
            ServerProblem::NotGiven
            | ServerProblem::NotANetwork { .. }
            | ServerProblem::OtherNetwork { .. } => Class::InvalidParameter,
            ServerProblem::DoesNotExist { .. } => Class::UndefinedObject,
            ServerProblem::NotAllowed(_) | ServerProblem::NotOwner(_) => {
                Class::InsufficientPrivilege
            }
            ServerProblem::Options { error, .. } => error.class(),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            ServerProblem::NotANetwork { wrapper, .. } => Some(format!(
                "It belongs to the foreign-data wrapper {}.",
                Quoted(wrapper)
            )),
            ServerProblem::NotOwner(_) => {
                Some("The result holds the server's password.".to_owned())
            }
            ServerProblem::Options { error, .. } => error.detail(),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ServerProblem::DoesNotExist {
                nearest: Some(nearest),
                ..
            } => Some(format!("Did you mean {}?", Quoted(nearest))),
            ServerProblem::NotGiven | ServerProblem::DoesNotExist { nearest: None, .. } => {
                Some("Create it with CREATE SERVER … FOREIGN DATA WRAPPER ….".to_owned())
            }
            ServerProblem::NotANetwork { .. } => Some(format!(
                "Name a server of one of the foreign-data wrappers {}.",
                list(Network::ALL.iter().map(|network| network.name()))
            )),
            ServerProblem::NotAllowed(server) => Some(format!(
                "A superuser or the server's owner can GRANT USAGE ON FOREIGN SERVER {}.",
                quote_identifier(server)
            )),
            ServerProblem::NotOwner(_) | ServerProblem::OtherNetwork { .. } => None,
            ServerProblem::Options { error, .. } => error.hint(),
        }
    }
}

impl From<ServerProblem> for pgrx::pg_sys::panic::ErrorReport {
    fn from(problem: ServerProblem) -> Self {
        report(&problem)
    }
}

/// The server that a function's argument names, if the current user may use it.
pub fn find(name: Option<&str>) -> Result<Server, ServerProblem> {
    let (name, server) = read_named(name)?;
    match may_use(name) {
        true => Ok(server),
        false => Err(ServerProblem::NotAllowed(name.to_owned())),
    }
}

/// The server that a function's argument names, if it is the current user's.
pub fn find_own(name: Option<&str>) -> Result<Server, ServerProblem> {
    let (name, server) = read_named(name)?;
    match is_owner(name) {
        true => Ok(server),
        false => Err(ServerProblem::NotOwner(name.to_owned())),
    }
}

fn read_named(name: Option<&str>) -> Result<(&str, Server), ServerProblem> {
    let name = name.ok_or(ServerProblem::NotGiven)?;
    Ok((name, read(name).map_err(with_nearest)?))
}

/// The problem, with the nearest name if there is no server of the one that was given.
fn with_nearest(problem: ServerProblem) -> ServerProblem {
    match problem {
        ServerProblem::DoesNotExist { server, .. } => {
            // A hint: what fails here does not hide the error that it belongs to.
            let names = names().unwrap_or_default();
            let nearest = nearest(&server, names.iter().map(String::as_str)).map(str::to_owned);
            ServerProblem::DoesNotExist { server, nearest }
        }
        problem => problem,
    }
}

/// The names of all servers of our networks.
fn names() -> spi::Result<Vec<String>> {
    Spi::connect(|client| {
        let mut names = Vec::new();
        for row in client.select(queue::SERVER_NAMES, None, &[])? {
            if let (Some(name), Some(wrapper)) = (row.get(1)?, row.get::<&str>(2)?)
                && Network::from_name(wrapper).is_some()
            {
                names.push(name);
            }
        }
        Ok(names)
    })
}

/// What LinkTrust knows of a server; an error if it is of another network.
pub fn linktrust_account(server: &Server) -> Result<&linktrust::Account, ServerProblem> {
    match &server.account {
        Account::LinkTrust(account) => Ok(account),
        Account::TradeTracker(_) | Account::Postback(_) => Err(ServerProblem::OtherNetwork {
            server: server.name.clone(),
            network: server.network(),
            wanted: Network::LinkTrust,
        }),
    }
}

/// The server of a name, whoever asks.
#[allow(unsafe_code)]
pub fn read(name: &str) -> Result<Server, ServerProblem> {
    let does_not_exist = || ServerProblem::DoesNotExist {
        server: name.to_owned(),
        nearest: None,
    };
    let c_name = CString::new(name).map_err(|_| does_not_exist())?;
    // SAFETY: catalog look-ups within a transaction; what they return is palloc'ed in the current
    // context and valid until that is reset; its strings are NUL-terminated.
    let (wrapper, options) = unsafe {
        let server = pg_sys::GetForeignServerByName(c_name.as_ptr(), true);
        if server.is_null() {
            return Err(does_not_exist());
        }
        let wrapper = pg_sys::GetForeignDataWrapper((*server).fdwid);
        (text((*wrapper).fdwname), read_options((*server).options))
    };
    let network = Network::from_name(&wrapper).ok_or_else(|| ServerProblem::NotANetwork {
        server: name.to_owned(),
        wrapper: wrapper.clone(),
    })?;
    let options = options
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    Server::parse(name, network, options).map_err(|error| ServerProblem::Options {
        server: name.to_owned(),
        error,
    })
}

/// Whether the current user has USAGE on the server.
#[allow(unsafe_code)]
pub fn may_use(name: &str) -> bool {
    let Ok(c_name) = CString::new(name) else {
        return false;
    };
    // SAFETY: catalog look-ups within a transaction.
    unsafe {
        let oid = pg_sys::get_foreign_server_oid(c_name.as_ptr(), true);
        let user = pg_sys::GetUserId();
        let usage = pg_sys::ACL_USAGE as pg_sys::AclMode;
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_foreign_server_aclcheck(oid, user, usage);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_aclcheck(pg_sys::ForeignServerRelationId, oid, user, usage);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether the current user is the server's owner: of its role, or a superuser.
#[allow(unsafe_code)]
fn is_owner(name: &str) -> bool {
    let Ok(c_name) = CString::new(name) else {
        return false;
    };
    // SAFETY: catalog look-ups within a transaction.
    unsafe {
        let oid = pg_sys::get_foreign_server_oid(c_name.as_ptr(), true);
        let user = pg_sys::GetUserId();
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_foreign_server_ownercheck(oid, user);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_ownercheck(pg_sys::ForeignServerRelationId, oid, user);
        result
    }
}

/// The server's password, whoever asks: that of its owner's user mapping, else of PUBLIC's. It is
/// what the worker reads with `sql/runtime/servers.sql`.
#[allow(unsafe_code)]
pub fn password(name: &str) -> Option<Secret> {
    let c_name = CString::new(name).ok()?;
    // SAFETY: catalog look-ups within a transaction; what they return is palloc'ed in the current
    // context. A mapping that there is not would be an error, so it is looked for first.
    let options = unsafe {
        let server = pg_sys::GetForeignServerByName(c_name.as_ptr(), true);
        if server.is_null() {
            return None;
        }
        let (oid, owner) = ((*server).serverid, (*server).owner);
        let is_mapped = |user: pg_sys::Oid| {
            pg_sys::SearchSysCacheExists(
                pg_sys::SysCacheIdentifier::USERMAPPINGUSERSERVER as i32,
                pg_sys::Datum::from(user),
                pg_sys::Datum::from(oid),
                pg_sys::Datum::null(),
                pg_sys::Datum::null(),
            )
        };
        if !is_mapped(owner) && !is_mapped(pg_sys::InvalidOid) {
            return None;
        }
        read_options((*pg_sys::GetUserMapping(owner, oid)).options)
    };
    let (_, text) = options.into_iter().find(|(name, _)| name == "password")?;
    Secret::new(text)
}

/// What is wrong with a server whose network wants a password, if it has none.
pub fn lacks_password(name: &str) -> Option<NoPassword> {
    let server = read(name).ok()?;
    let lacks = server.network().wants_password() && password(name).is_none();
    lacks.then(|| NoPassword {
        server: name.to_owned(),
    })
}

/// Names and values of a list of `DefElem`.
///
/// # Safety
///
/// `options` is such a list, or null.
#[allow(unsafe_code)]
unsafe fn read_options(options: *mut pg_sys::List) -> Vec<(String, String)> {
    // SAFETY: as the caller says; options of foreign objects are strings.
    unsafe {
        PgList::<pg_sys::DefElem>::from_pg(options)
            .iter_ptr()
            .map(|option| (text((*option).defname), text(pg_sys::defGetString(option))))
            .collect()
    }
}

/// # Safety
///
/// `c_string` is NUL-terminated.
#[allow(unsafe_code)]
unsafe fn text(c_string: *const std::ffi::c_char) -> String {
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(c_string) }
        .to_string_lossy()
        .into_owned()
}
