//! The worker's servers: their options, the connections to them, and how far their callbacks are
//! read.

use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::sql::{self, FoundServer, Position};
use crate::delivery::Callback;
use crate::delivery::client::{Client, ClientSettings, SystemRoots};
use crate::delivery::pool::Request;
use crate::delivery::scheduler::Limits;
use crate::network::Server;
use crate::network::secret::Secret;
use crate::pg::settings;

/// All servers that callbacks are queued for or can be.
pub struct Lanes {
    roots: SystemRoots,
    by_server: HashMap<String, Lane>,
}

/// A server, the connections to it, and how far its callbacks are read.
pub struct Lane {
    /// The foreign server, unless it is gone and only its callbacks are left.
    server: Option<(pg_sys::Oid, Rc<Server>)>,
    password: Option<Secret>,
    client: Result<Client, String>,
    settings: ClientSettings,
    /// Where the next reading starts.
    pub read_up_to: Position,
    /// There may be more to read.
    pub has_more: bool,
}

impl Lane {
    /// Nothing is sent there: somebody says so, or it cannot be.
    pub fn is_paused(&self) -> bool {
        let is_told_to = |(_, server): &(_, Rc<Server>)| server.paused;
        self.client.is_err() || self.server.as_ref().is_some_and(is_told_to)
    }

    fn limits(&self) -> Limits {
        match &self.server {
            None => Limits::NONE,
            Some((_, server)) => Limits {
                max_in_flight: match self.is_paused() {
                    true => 0,
                    false => server.limits.max_in_flight,
                },
                requests_per_second: server.limits.requests_per_second,
            },
        }
    }

    /// Lets the next reading start there, if it would start later.
    pub fn rewind(&mut self, to: Position) {
        self.read_up_to = self.read_up_to.min(to);
        self.has_more = true;
    }
}

impl Lanes {
    /// No server yet.
    pub fn new() -> Lanes {
        let roots = SystemRoots::load();
        if roots.is_empty() {
            warning!(
                "s2s: this system trusts no certificate authority: install its ca-certificates"
            );
        }
        Lanes {
            roots,
            by_server: HashMap::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_server.len()
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Lane)> {
        self.by_server
            .iter()
            .map(|(server, lane)| (server.as_str(), lane))
    }

    /// One of them.
    pub fn get_mut(&mut self, server: &str) -> Option<&mut Lane> {
        self.by_server.get_mut(server)
    }

    /// Lets the next reading of every server start there, if it would start later.
    pub fn rewind(&mut self, to: Position) {
        self.by_server.values_mut().for_each(|lane| lane.rewind(to));
    }

    /// The foreign server's OID, if there is one.
    pub fn oid(&self, server: &str) -> Option<pg_sys::Oid> {
        self.by_server
            .get(server)?
            .server
            .as_ref()
            .map(|(oid, _)| *oid)
    }

    /// Whether nothing can be sent there until something is mended on this side.
    pub fn is_cut_off(&self, server: &str) -> bool {
        let lane = self.by_server.get(server);
        lane.is_some_and(|lane| lane.client.is_err())
    }

    /// How much each server may be sent.
    pub fn limits(&self) -> HashMap<String, Limits> {
        self.iter()
            .map(|(server, lane)| (server.to_owned(), lane.limits()))
            .collect()
    }

    /// Takes over the servers as they are now, and those that are gone and have callbacks queued.
    /// Connections to those that did not change stay.
    pub fn refresh(&mut self, servers: Vec<FoundServer>, queued: Vec<String>) {
        let mut old = std::mem::take(&mut self.by_server);
        let mut unusable = Vec::new();
        for FoundServer {
            name,
            oid,
            server,
            password,
        } in servers
        {
            match server {
                Ok(server) => {
                    let lane = Lane {
                        password,
                        ..self.lane(&name, old.remove(&name), Some((oid, Rc::new(server))))
                    };
                    self.by_server.insert(name, lane);
                }
                Err(problem) => {
                    warning!("s2s: server \"{name}\": {problem}");
                    unusable.push(name);
                }
            }
        }
        for name in queued {
            if !self.by_server.contains_key(&name) && !unusable.contains(&name) {
                let lane = self.lane(&name, old.remove(&name), None);
                self.by_server.insert(name, lane);
            }
        }
    }

    fn lane(
        &self,
        name: &str,
        old: Option<Lane>,
        server: Option<(pg_sys::Oid, Rc<Server>)>,
    ) -> Lane {
        let (request, limits) = match &server {
            Some((_, server)) => (server.request.clone(), server.limits),
            None => Default::default(),
        };
        let settings = ClientSettings {
            timeout: request.timeout,
            connections: limits.max_in_flight,
            user_agent: settings::user_agent(),
            allow_private_addresses: settings::allow_private_addresses(),
            ca_file: request.ca_file,
        };
        let client = match old {
            Some(lane) if lane.settings == settings && lane.client.is_ok() => lane.client,
            old => {
                let client = Client::new(&settings, &self.roots);
                let before = old.and_then(|lane| lane.client.err());
                match (&before, &client) {
                    (_, Err(problem)) if before.as_ref() != Some(problem) => warning!(
                        "s2s: nothing can be sent to server \"{name}\", its callbacks wait: {problem}"
                    ),
                    (Some(_), Ok(_)) => log!("s2s: server \"{name}\" can be sent to again"),
                    _ => {}
                }
                client
            }
        };
        Lane {
            server,
            password: None,
            client,
            settings,
            read_up_to: sql::START,
            has_more: true,
        }
    }

    /// What to send for a callback as its server is now, or why there is nothing.
    pub fn sending(&self, callback: &Callback) -> Result<Sending, String> {
        let does_not_exist = || format!("server \"{}\" does not exist", callback.server);
        let lane = self
            .by_server
            .get(&callback.server)
            .ok_or_else(does_not_exist)?;
        let (_, server) = lane.server.as_ref().ok_or_else(does_not_exist)?;
        let url = server
            .url(callback.action, &callback.parameters())
            .map_err(|problem| problem.one_line())?;
        let as_sent = server
            .url_as_sent(&url, lane.password.as_ref())
            .map_err(|problem| problem.one_line())?
            .into_owned();
        let client = lane.client.clone()?;
        Ok(Sending {
            request: Request {
                id: callback.id,
                client,
                url: as_sent,
            },
            server: server.clone(),
            password: lane.password.clone(),
            url,
        })
    }
}

/// A request, and what is needed to judge its answer.
pub struct Sending {
    /// For the pool; its URL has the password.
    pub request: Request,
    /// As it is now.
    pub server: Rc<Server>,
    /// As it is now.
    pub password: Option<Secret>,
    /// For the record, without the password.
    pub url: String,
}
