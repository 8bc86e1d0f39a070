//! Reading the options of servers, and those that every network has.
//!
//! | option | default | values |
//! |---|---|---|
//! | `max_in_flight` | 16 | 1 to 256 |
//! | `requests_per_second` | no limit | 0.001 to 10000; decimals allowed |
//! | `timeout` | 10s | 100ms to 2m, the whole request |
//! | `max_attempts` | 10 | 1 to 50 |
//! | `retry_schedule` | 5s,30s,2m,10m,30m,2h,5h,10h,10h | up to 50 pauses of 100ms to 30d; the last repeats |
//! | `retry_ambiguous` | true | boolean |
//! | `paused` | false | boolean |
//! | `allow_http` | false | boolean |
//! | `ca_file` | none | absolute path of a PEM file |
//!
//! Networks whose click ids have a form have `click_ids`, too: `own` (the default) or `any`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Network;
use crate::callback::PositiveId;
use crate::callback::edit::boolean;
use crate::click_id::Form;
use crate::delivery::lane::Limits;
use crate::delivery::retry::RetryPolicy;
use crate::problem::{Class, Problem, Quoted, list, nearest};
use crate::url::{BaseUrl, foreign_host};

/// The options that servers of every network have.
pub const COMMON_OPTIONS: &[&str] = &[
    "max_in_flight",
    "requests_per_second",
    "timeout",
    "max_attempts",
    "retry_schedule",
    "retry_ambiguous",
    "paused",
    "allow_http",
    "ca_file",
];

/// What a server's rate may be.
const REQUESTS_PER_SECOND: &str = "a number from 0.001 to 10000";

/// The lowest rate: one request in a quarter of an hour.
const LOWEST_RATE: f64 = 0.001;

/// How a server's requests are made.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestOptions {
    /// Limit for the whole request, name resolution included.
    pub timeout: Duration,
    /// Unencrypted connections are allowed.
    pub allow_http: bool,
    /// A PEM file of roots that are trusted besides the system's.
    pub ca_file: Option<String>,
}

impl Default for RequestOptions {
    fn default() -> RequestOptions {
        RequestOptions {
            timeout: Duration::from_secs(10),
            allow_http: false,
            ca_file: None,
        }
    }
}

/// The options of one server; its network has all of their names.
pub struct Options<'a> {
    network: &'static Network,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Options<'a> {
    /// Refuses names that servers of the network do not have.
    pub fn new(
        network: &'static Network,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Options<'a>, Problem> {
        let options: Vec<_> = options.into_iter().collect();
        let is_known = |name: &str| network.option_names().any(|known| known == name);
        let Some((name, _)) = options.iter().find(|(name, _)| !is_known(name)) else {
            return Ok(Options { network, options });
        };
        let valid = format!("Valid options are {}.", list(network.option_names()));
        let hint = match nearest(name, network.option_names()) {
            Some(nearest) => format!("Did you mean \"{nearest}\"? {valid}"),
            None if *name == "password" && network.wants_password => {
                "A password is an option of a user mapping: CREATE USER MAPPING FOR PUBLIC SERVER … OPTIONS (password '…').".to_owned()
            }
            None => valid,
        };
        let message = format!("invalid option {}", Quoted(name));
        Err(Problem::new(Class::InvalidOptionName, message).hint(hint))
    }

    /// Refuses values that servers made by earlier versions may have and new ones may not, of the
    /// options that every network has.
    pub fn check_new(&self) -> Result<(), Problem> {
        let name = "requests_per_second";
        self.read(name, REQUESTS_PER_SECOND, |text| {
            requests_per_second(text).filter(|rate| *rate >= LOWEST_RATE)
        })
        .map(drop)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.options
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, text)| *text)
    }

    /// An option that is any text, `""` if it is not given.
    pub fn text(&self, name: &str) -> &'a str {
        self.get(name).unwrap_or_default()
    }

    /// The problem of a server without an option that it needs.
    pub fn missing(&self, name: &str) -> Problem {
        Problem::new(
            Class::InvalidParameter,
            format!("option \"{name}\" is required"),
        )
        .hint(format!(
            "Valid options are {}.",
            list(self.network.option_names())
        ))
    }

    /// An option that may be left out. `parse` is given what messages call it, and its text.
    pub fn optional<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        let parse = |text| parse(&value_of(name), text);
        self.get(name).map(parse).transpose()
    }

    /// An option that is a campaign's or product's number.
    pub fn id(&self, name: &str) -> Result<Option<PositiveId>, Problem> {
        self.optional(name, |what, text| {
            PositiveId::parse(name, text).map_err(|problem| Problem {
                detail: problem.detail,
                ..Problem::invalid(what, text)
            })
        })
    }

    /// An option that is a base URL, https unless the server allows http.
    pub fn base_url(&self, name: &str) -> Result<Option<BaseUrl>, Problem> {
        self.url(name, BaseUrl::parse, BaseUrl::is_https)
    }

    /// An option that is some kind of URL, https unless the server allows http.
    pub fn url<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, Problem>,
        is_https: impl FnOnce(&T) -> bool,
    ) -> Result<Option<T>, Problem> {
        let url = self.optional(name, parse)?;
        if !url.as_ref().is_none_or(is_https) && !self.request()?.allow_http {
            if let Some(problem) = foreign_host(&value_of(name), self.text(name)) {
                return Err(problem);
            }
            let message = format!("option \"{name}\" is not an https URL");
            return Err(Problem::new(Class::InvalidParameter, message)
                .hint("Use https, or set allow_http 'true' to send click ids unencrypted."));
        }
        Ok(url)
    }

    /// The form that click ids must have; `None`: any.
    pub fn click_ids(&self) -> Result<Option<Form>, Problem> {
        let form = self.read("click_ids", "own or any", |text| match text {
            "own" => Some(self.network.click_ids),
            "any" => Some(None),
            _ => None,
        })?;
        Ok(form.unwrap_or(self.network.click_ids))
    }

    /// Whether nothing is sent.
    pub fn paused(&self) -> Result<bool, Problem> {
        self.boolean("paused", false)
    }

    /// How much the server may be sent.
    pub fn limits(&self) -> Result<Limits, Problem> {
        let default = Limits::default();
        Ok(Limits {
            max_in_flight: self
                .read("max_in_flight", "an integer from 1 to 256", |text| {
                    integer(text, 1..=256).map(|number| number as usize)
                })?
                .unwrap_or(default.max_in_flight),
            requests_per_second: self.read(
                "requests_per_second",
                REQUESTS_PER_SECOND,
                requests_per_second,
            )?,
            ..default
        })
    }

    /// How its requests are made.
    pub fn request(&self) -> Result<RequestOptions, Problem> {
        let default = RequestOptions::default();
        Ok(RequestOptions {
            timeout: self
                .read(
                    "timeout",
                    "a duration from 100ms to 2m, such as 10s",
                    |text| duration(text, Duration::from_millis(100)..=Duration::from_secs(120)),
                )?
                .unwrap_or(default.timeout),
            allow_http: self.boolean("allow_http", default.allow_http)?,
            ca_file: self.read("ca_file", "the absolute path of a PEM file", |text| {
                text.starts_with('/').then(|| text.to_owned())
            })?,
        })
    }

    /// When a callback is tried again.
    pub fn retry_policy(&self) -> Result<RetryPolicy, Problem> {
        let default = RetryPolicy::default();
        Ok(RetryPolicy {
            max_attempts: self
                .read("max_attempts", "an integer from 1 to 50", |text| {
                    integer(text, 1..=50)
                })?
                .unwrap_or(default.max_attempts),
            schedule: self
                .read(
                    "retry_schedule",
                    "1 to 50 durations from 100ms to 30d, such as 5s,30s,2m",
                    retry_schedule,
                )?
                .unwrap_or(default.schedule),
            ambiguous: self.boolean("retry_ambiguous", default.ambiguous)?,
        })
    }

    fn boolean(&self, name: &str, default: bool) -> Result<bool, Problem> {
        Ok(self
            .read(name, "true or false", boolean)?
            .unwrap_or(default))
    }

    fn read<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.optional(name, |what, text| {
            parse(text).ok_or_else(|| {
                Problem::invalid(what, text).detail(format!("It is not {expected}."))
            })
        })
    }
}

/// How messages call an option's value.
pub(super) fn value_of(name: &str) -> String {
    format!("value for option \"{name}\"")
}

fn integer(text: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| digits && range.contains(number))
}

fn requests_per_second(text: &str) -> Option<f64> {
    text.parse()
        .ok()
        .filter(|rate: &f64| *rate > 0.0 && *rate <= 10_000.0)
}

fn duration(text: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
    // A day is a calendar unit to jiff; here it is 24 hours.
    let span = match text.trim().strip_suffix('d').map(str::parse::<u64>) {
        Some(Ok(days)) => Duration::from_secs(days.checked_mul(86_400)?),
        _ => text
            .trim()
            .parse::<jiff::SignedDuration>()
            .ok()?
            .try_into()
            .ok()?,
    };
    Some(span).filter(|span| range.contains(span))
}

fn retry_schedule(text: &str) -> Option<Vec<Duration>> {
    let range = Duration::from_millis(100)..=Duration::from_secs(30 * 86_400);
    let pauses: Vec<_> = text
        .split(',')
        .map(|pause| duration(pause, range.clone()))
        .collect::<Option<_>>()?;
    Some(pauses).filter(|pauses| pauses.len() <= 50)
}

#[cfg(test)]
mod tests;
