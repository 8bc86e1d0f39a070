//! The foreign servers as PostgreSQL has them: options, passwords, and the connections to them.

#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi;

use crate::delivery::lane::Limits;
use crate::delivery::{Callback, ServerKey};
use crate::http::client::{Client, ClientSettings, Clients, SystemRoots};
use crate::network::secret::Secret;
use crate::network::{Network, Server};
use crate::pg::settings;
use crate::pg::sys::spi::run;
use crate::problem::Problem;

/// A foreign server of our networks, as it stands in the catalogs.
pub struct FoundServer {
    definition: ServerDefinition,
    password: Option<Secret>,
}

/// What a [`Server`] is read from.
#[derive(Clone)]
struct ServerDefinition {
    key: ServerKey,
    owner: pg_sys::Oid,
    network: &'static Network,
    options: Vec<(String, String)>,
}

impl ServerDefinition {
    /// Whether nothing has changed, the name either, which is none of the key's identity.
    fn is_unchanged(&self, before: &ServerDefinition) -> bool {
        (&self.key.name, self.owner, &self.options)
            == (&before.key.name, before.owner, &before.options)
            && self.network.name == before.network.name
    }

    fn parse(&self) -> Result<Arc<Server>, Problem> {
        let options = self.options.iter();
        let options = options.map(|(name, value)| (name.as_str(), value.as_str()));
        let mut server = Server::parse(&self.key.name, self.network, options)?;
        server.limits.owner = self.owner.to_u32();
        Ok(Arc::new(server))
    }
}

/// Reads all of them, and the keys of foreign servers of other wrappers.
pub fn read() -> spi::Result<(Vec<FoundServer>, Vec<ServerKey>)> {
    Spi::connect(|client| {
        let mut servers = Vec::new();
        let mut others = Vec::new();
        let sql = include_str!("../../../../sql/runtime/servers.sql");
        for row in run(client, sql, &[])? {
            let wrapper: String = row.get(3)?.unwrap_or_default();
            let oid: Option<pg_sys::Oid> = row.get(1)?;
            let key = ServerKey {
                name: row.get(2)?.unwrap_or_default(),
                oid: oid.map(pg_sys::Oid::to_u32),
            };
            let Some(network) = Network::from_name(&wrapper) else {
                others.push(key);
                continue;
            };
            let options: Vec<String> = row.get(4)?.unwrap_or_default();
            let values: Vec<String> = row.get(5)?.unwrap_or_default();
            servers.push(FoundServer {
                definition: ServerDefinition {
                    key,
                    owner: row.get(7)?.unwrap_or(pg_sys::InvalidOid),
                    network,
                    options: options.into_iter().zip(values).collect(),
                },
                password: row.get::<String>(6)?.and_then(Secret::new),
            });
        }
        Ok((servers, others))
    })
}

/// All servers that callbacks are queued for or can be.
pub struct Servers {
    clients: Clients,
    known: HashMap<ServerKey, Connected>,
    /// What was read of each foreign server; `None`: its options are unusable, as the log says.
    read: HashMap<ServerKey, (ServerDefinition, Option<Arc<Server>>)>,
}

/// A server, and the connections to it.
struct Connected {
    /// The foreign server, unless it is gone and only its callbacks are left.
    server: Option<Arc<Server>>,
    password: Option<Secret>,
    client: Result<Client, String>,
    settings: ClientSettings,
}

impl Connected {
    fn limits(&self) -> Limits {
        match &self.server {
            None => Limits::NONE,
            Some(server) if server.paused || self.client.is_err() => Limits {
                max_in_flight: 0,
                ..server.limits
            },
            Some(server) => server.limits,
        }
    }
}

impl Servers {
    /// No server yet. So many connections may be idle.
    pub fn new(idle: usize) -> Servers {
        let roots = SystemRoots::load();
        if roots.is_empty() {
            warning!(
                "s2s: this system trusts no certificate authority: install its ca-certificates"
            );
        }
        Servers {
            clients: Clients::new(roots, idle),
            known: HashMap::new(),
            read: HashMap::new(),
        }
    }

    /// Whether nothing can be sent there until something is mended on this side.
    pub fn is_cut_off(&self, server: &ServerKey) -> bool {
        let connected = self.known.get(server);
        connected.is_some_and(|connected| connected.client.is_err())
    }

    /// How much each may be sent.
    pub fn limits(&self) -> HashMap<ServerKey, Limits> {
        let known = self.known.iter();
        known
            .map(|(key, connected)| (key.clone(), connected.limits()))
            .collect()
    }

    /// Takes over the servers as they are now, and those that have callbacks queued and are gone, or are
    /// of other wrappers. Those that did not change are not parsed again, and connections to them stay.
    pub fn refresh(
        &mut self,
        servers: Vec<FoundServer>,
        others: Vec<ServerKey>,
        queued: Vec<String>,
    ) {
        let mut old = std::mem::take(&mut self.known);
        let mut names = HashSet::new();
        let mut read = std::mem::take(&mut self.read);
        for FoundServer {
            definition,
            password,
        } in servers
        {
            let key = definition.key.clone();
            let before = read.remove(&key);
            let (definition, server) = match before {
                Some(before) if definition.is_unchanged(&before.0) => before,
                _ => {
                    let server = definition.parse();
                    let server = server.inspect_err(|problem| {
                        warning!("s2s: server \"{key}\": {problem}");
                    });
                    (definition, server.ok())
                }
            };
            if let Some(server) = &server {
                let server = Some(server.clone());
                let connected = self.connect(&key, old.remove(&key), server, password);
                self.known.insert(key.clone(), connected);
            }
            names.insert(key.name.clone());
            self.read.insert(key, (definition, server));
        }
        for name in queued {
            if !names.contains(&name) {
                let other = others.iter().find(|other| other.name == name);
                let oid = other.and_then(|other| other.oid);
                let key = ServerKey { name, oid };
                let connected = self.connect(&key, old.remove(&key), None, None);
                self.known.insert(key, connected);
            }
        }
    }

    /// Closes connections that are idle; returns when to call this again.
    pub fn close_idle(&mut self, now: Instant) -> Option<Instant> {
        self.clients.close_idle(now)
    }

    fn connect(
        &mut self,
        key: &ServerKey,
        old: Option<Connected>,
        server: Option<Arc<Server>>,
        password: Option<Secret>,
    ) -> Connected {
        let request = match &server {
            Some(server) => server.request.clone(),
            None => Default::default(),
        };
        let settings = ClientSettings {
            timeout: request.timeout,
            user_agent: settings::user_agent(),
            allow_private_addresses: settings::allow_private_addresses(),
            ca_file: request.ca_file,
        };
        let client = match old {
            Some(old) if old.settings == settings && old.client.is_ok() => old.client,
            old => {
                let client = self.clients.client(&settings);
                let before = old.and_then(|old| old.client.err());
                match (&before, &client) {
                    (_, Err(problem)) if before.as_ref() != Some(problem) => warning!(
                        "s2s: nothing can be sent to server \"{key}\", its callbacks wait: {problem}"
                    ),
                    (Some(_), Ok(_)) => log!("s2s: server \"{key}\" can be sent to again"),
                    _ => {}
                }
                client
            }
        };
        Connected {
            server,
            password,
            client,
            settings,
        }
    }

    /// What to send for a callback as its server is now, or why there is nothing.
    pub fn sending(&self, callback: &Callback) -> Result<Sending, String> {
        let does_not_exist = || format!("server \"{}\" does not exist", callback.server);
        let connected = self
            .known
            .get(&callback.server)
            .ok_or_else(does_not_exist)?;
        let server = connected.server.as_ref().ok_or_else(does_not_exist)?;
        let url = server
            .url(callback.action, &callback.parameters())
            .map_err(|problem| problem.one_line())?;
        let url_as_sent = server
            .url_as_sent(&url, connected.password.as_ref())
            .map_err(|problem| problem.one_line())?
            .into_owned();
        Ok(Sending {
            client: connected.client.clone()?,
            url_as_sent,
            server: server.clone(),
            password: connected.password.clone(),
            url,
        })
    }
}

/// A request, and what is needed to judge its answer.
pub struct Sending {
    pub client: Client,
    /// With the password.
    pub url_as_sent: String,
    /// As it is now.
    pub server: Arc<Server>,
    /// As it is now.
    pub password: Option<Secret>,
    /// For the record, without the password.
    pub url: String,
}
