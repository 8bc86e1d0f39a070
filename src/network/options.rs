//! Options of servers: those of every network, and reading them.
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

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Network;
use super::postback::template::Template;
use crate::callback::Invalid;
use crate::callback::edit::boolean;
use crate::delivery::lane::Limits;
use crate::delivery::retry::RetryPolicy;
use crate::url::BaseUrl;

mod error;

pub use error::OptionError;

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

/// The options of one server, whose names are known to be right.
pub struct Options<'a> {
    network: Network,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Options<'a> {
    /// Refuses names that servers of the network do not have.
    pub fn new(
        network: Network,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Options<'a>, OptionError> {
        let options: Vec<_> = options.into_iter().collect();
        match options
            .iter()
            .find(|(name, _)| !network.option_names().any(|known| known == *name))
        {
            Some((name, _)) => Err(OptionError::Unknown {
                network,
                option: (*name).to_owned(),
            }),
            None => Ok(Options { network, options }),
        }
    }

    /// Refuses what a server may have that was made when more was allowed, and a new one may not.
    pub fn check_new(&self) -> Result<(), OptionError> {
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

    /// An option without which nothing could be sent.
    pub fn required<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&'static str, &str) -> Result<T, Invalid>,
    ) -> Result<T, OptionError> {
        let missing = OptionError::Missing {
            network: self.network,
            option: name,
        };
        parse(name, self.get(name).ok_or(missing)?).map_err(OptionError::Invalid)
    }

    /// An option that may be left out.
    pub fn optional<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&'static str, &str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, OptionError> {
        self.optional_or(name, |name, text| {
            parse(name, text).map_err(OptionError::Invalid)
        })
    }

    /// An option that may be left out, with an error of its own.
    pub fn optional_or<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&'static str, &str) -> Result<T, OptionError>,
    ) -> Result<Option<T>, OptionError> {
        self.get(name).map(|text| parse(name, text)).transpose()
    }

    /// An option that is a URL template, https unless the server allows http.
    pub fn template(&self, name: &'static str) -> Result<Option<Template>, OptionError> {
        self.optional_or(name, |name, text| {
            let template = Template::parse(name, text).map_err(OptionError::Template)?;
            self.check_encrypted(name, template.is_https())?;
            Ok(template)
        })
    }

    /// A base URL without which nothing could be sent.
    pub fn required_base_url(&self, name: &'static str) -> Result<BaseUrl, OptionError> {
        self.base_url(name)?.ok_or(OptionError::Missing {
            network: self.network,
            option: name,
        })
    }

    /// An option that is a base URL, https unless the server allows http.
    pub fn base_url(&self, name: &'static str) -> Result<Option<BaseUrl>, OptionError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let url = BaseUrl::parse(name, text).map_err(OptionError::Url)?;
        self.check_encrypted(name, url.is_https())?;
        Ok(Some(url))
    }

    /// Whether nothing is sent.
    pub fn paused(&self) -> Result<bool, OptionError> {
        self.boolean("paused", false)
    }

    /// How much the server may be sent.
    pub fn limits(&self) -> Result<Limits, OptionError> {
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
        })
    }

    /// How its requests are made.
    pub fn request(&self) -> Result<RequestOptions, OptionError> {
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
    pub fn retry_policy(&self) -> Result<RetryPolicy, OptionError> {
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

    fn check_encrypted(&self, option: &'static str, is_https: bool) -> Result<(), OptionError> {
        match is_https || self.request()?.allow_http {
            true => Ok(()),
            false => Err(OptionError::NotHttps { option }),
        }
    }

    fn boolean(&self, name: &'static str, default: bool) -> Result<bool, OptionError> {
        Ok(self
            .read(name, "true or false", boolean)?
            .unwrap_or(default))
    }

    fn read<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, OptionError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(OptionError::Bad {
                option: name,
                text: text.to_owned(),
                expected,
            }),
        }
    }
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
mod tests {
    use super::super::Server;
    use super::*;
    use crate::problem::Problem;

    fn server(options: &[(&str, &str)]) -> Result<Server, OptionError> {
        let required = [("campaign_id", "1"), ("product_id", "2")];
        Server::parse(
            "s",
            Network::TradeTracker,
            required.iter().chain(options).copied(),
        )
    }

    #[test]
    fn options_are_read() {
        let server = server(&[
            ("max_in_flight", "4"),
            ("requests_per_second", "2.5"),
            ("timeout", "500ms"),
            ("max_attempts", "3"),
            ("retry_schedule", "1s, 2m,3h,1d"),
            ("retry_ambiguous", "off"),
            ("paused", "TRUE"),
            ("ca_file", "/etc/ssl/own.pem"),
        ])
        .unwrap();
        assert!(server.paused);
        assert_eq!(
            server.limits,
            Limits {
                max_in_flight: 4,
                requests_per_second: Some(2.5),
            }
        );
        assert_eq!(
            server.request,
            RequestOptions {
                timeout: Duration::from_millis(500),
                allow_http: false,
                ca_file: Some("/etc/ssl/own.pem".into()),
            }
        );
        assert_eq!(
            server.retry,
            RetryPolicy {
                max_attempts: 3,
                schedule: [1, 120, 10_800, 86_400].map(Duration::from_secs).to_vec(),
                ambiguous: false,
            }
        );
    }

    #[test]
    fn a_rate_too_low_is_refused_of_new_servers_alone() {
        let check = |text| {
            let network = Network::TradeTracker;
            Options::new(network, [("requests_per_second", text)])
                .unwrap()
                .check_new()
        };
        for text in ["0.0009", "1e-20", "1e-400", "0", "x"] {
            assert!(
                matches!(check(text), Err(OptionError::Bad { .. })),
                "{text}"
            );
        }
        for text in ["0.001", "1e-3", "2.5", "10000"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        let stored = server(&[("requests_per_second", "1e-20")]).unwrap();
        assert_eq!(stored.limits.requests_per_second, Some(1e-20));
    }

    #[test]
    fn bad_values_are_refused() {
        for (option, text) in [
            ("max_in_flight", "0"),
            ("max_in_flight", "257"),
            ("max_in_flight", "+4"),
            ("max_in_flight", ""),
            ("requests_per_second", "0"),
            ("requests_per_second", "-1"),
            ("requests_per_second", "NaN"),
            ("requests_per_second", "inf"),
            ("timeout", "10"),
            ("timeout", "99ms"),
            ("timeout", "3m"),
            ("timeout", "-10s"),
            ("max_attempts", "0"),
            ("max_attempts", "51"),
            ("retry_schedule", ""),
            ("retry_schedule", "5s,,30s"),
            ("retry_schedule", "5s,31d"),
            ("retry_schedule", "0s"),
            ("retry_schedule", "99999999999999999999d"),
            ("retry_ambiguous", "maybe"),
            ("paused", ""),
            ("ca_file", "own.pem"),
        ] {
            assert!(
                matches!(server(&[(option, text)]), Err(OptionError::Bad { .. })),
                "{option} {text}"
            );
        }
        assert!(matches!(
            server(&[("sale_url", "http://ts.example/")]),
            Err(OptionError::NotHttps { option: "sale_url" })
        ));
        assert!(server(&[("sale_url", "http://ts.example/"), ("allow_http", "true")]).is_ok());
        assert!(matches!(
            server(&[("sale_url", "x")]),
            Err(OptionError::Url(_))
        ));
    }

    #[test]
    fn unknown_and_missing_options_are_named_with_the_valid_ones() {
        let error = server(&[("time_out", "10s")]).unwrap_err();
        assert_eq!(error.to_string(), "invalid option \"time_out\"");
        assert!(
            error
                .hint()
                .unwrap()
                .starts_with("Did you mean \"timeout\"? Valid options are campaign_id, ")
        );
        let error = Server::parse("s", Network::TradeTracker, [("campaign_id", "1")]).unwrap_err();
        assert_eq!(error.to_string(), "option \"product_id\" is required");
        let error = Server::parse(
            "s",
            Network::TradeTracker,
            [("campaign_id", "x"), ("product_id", "1")],
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid value for option \"campaign_id\": \"x\""
        );
    }
}
