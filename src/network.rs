//! What a network is: the actions it knows, the options of its servers, the URL of a callback,
//! and what an answer means.
//!
//! A server is one account at a network, a PostgreSQL foreign server. Each network is a module
//! below; this one holds what they share. A new network is one more module, one more arm in the
//! matches here, and one more wrapper in `sql/networks.sql`.

use std::borrow::Cow;

use crate::callback::{Action, Edit, Invalid, Lead, Parameters, PositiveId, Sale, in_one_form};
use crate::delivery::{Answer, Failure, Reply, Verdict};
use crate::mapping::{Mapping, MappingError, Names};
use crate::problem::Quoted;

mod error;
pub mod linktrust;
pub mod options;
pub mod postback;
pub mod secret;
pub mod tradetracker;

use crate::delivery::lane::Limits;
use crate::delivery::retry::RetryPolicy;
pub use error::{NoPassword, NoSuchAction, Unsendable, UrlTooLong};
use options::{OptionError, Options, RequestOptions};
use secret::Secret;

/// The longest URL without its password, in bytes. The HTTP client takes 65,534 with it, and most
/// servers take less: theirs to say.
pub const MAX_URL: usize = 64_000;

/// A protocol we speak, named as its foreign-data wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// TradeTracker's server-to-server callbacks.
    TradeTracker,
    /// LinkTrust's edits of transactions.
    LinkTrust,
    /// Any other network, by URL template.
    Postback,
}

impl Network {
    /// Every network.
    pub const ALL: [Network; 3] = [Network::TradeTracker, Network::LinkTrust, Network::Postback];

    /// The name of its foreign-data wrapper.
    pub fn name(self) -> &'static str {
        match self {
            Network::TradeTracker => "tradetracker",
            Network::LinkTrust => "linktrust",
            Network::Postback => "postback",
        }
    }

    /// The network of a foreign-data wrapper.
    pub fn from_name(name: &str) -> Option<Network> {
        Network::ALL
            .into_iter()
            .find(|network| network.name() == name)
    }

    /// Whether its servers want a password, which is an option of user mappings.
    pub fn wants_password(self) -> bool {
        match self {
            Network::LinkTrust => true,
            Network::TradeTracker | Network::Postback => false,
        }
    }

    /// The parameters of an action, or an error if the network does not have the action.
    ///
    /// A server knows more: [`Server::names`].
    pub fn names(self, action: Action) -> Result<Names, NoSuchAction> {
        let names = match self {
            Network::TradeTracker => tradetracker::names(action),
            Network::LinkTrust => linktrust::names(action),
            Network::Postback => Some(postback::names(action)),
        };
        names.ok_or(NoSuchAction {
            network: self,
            action,
        })
    }

    /// The names of all options that a server of this network has.
    pub fn option_names(self) -> impl Iterator<Item = &'static str> {
        let own = match self {
            Network::TradeTracker => tradetracker::OPTIONS,
            Network::LinkTrust => linktrust::OPTIONS,
            Network::Postback => postback::OPTIONS,
        };
        own.iter().chain(options::COMMON_OPTIONS).copied()
    }
}

/// One account at a network, as its options say.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The foreign server's name.
    pub name: String,
    /// What the network wants to know.
    pub account: Account,
    /// Nothing is sent.
    pub paused: bool,
    /// How much it may be sent.
    pub limits: Limits,
    /// How its requests are made.
    pub request: RequestOptions,
    /// When a callback is tried again.
    pub retry: RetryPolicy,
}

/// The part of a server's options that its network defines.
#[derive(Clone, Debug, PartialEq)]
pub enum Account {
    /// A TradeTracker campaign.
    TradeTracker(tradetracker::Account),
    /// Where transactions are edited at LinkTrust.
    LinkTrust(linktrust::Account),
    /// URL templates.
    Postback(Box<postback::Account>),
}

impl Server {
    /// Reads a server's options; refuses unknown, bad and missing ones.
    pub fn parse<'a>(
        name: &str,
        network: Network,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Server, OptionError> {
        let mut options = Options::new(network, options)?;
        let (limits, request) = (options.limits()?, options.request()?);
        let (retry, paused) = (options.retry_policy()?, options.paused()?);
        let account = match network {
            Network::TradeTracker => {
                Account::TradeTracker(tradetracker::Account::parse(&mut options)?)
            }
            Network::LinkTrust => Account::LinkTrust(linktrust::Account::parse(&mut options)?),
            Network::Postback => {
                Account::Postback(Box::new(postback::Account::parse(&mut options)?))
            }
        };
        Ok(Server {
            name: name.to_owned(),
            account,
            paused,
            limits,
            request,
            retry,
        })
    }

    /// The network that the account is at.
    pub fn network(&self) -> Network {
        match self.account {
            Account::TradeTracker(_) => Network::TradeTracker,
            Account::LinkTrust(_) => Network::LinkTrust,
            Account::Postback(_) => Network::Postback,
        }
    }

    /// The parameters of an action, or an error if the server does not have the action.
    pub fn names(&self, action: Action) -> Result<Names, NoSuchAction> {
        match &self.account {
            Account::Postback(account) if account.template(action).is_none() => {
                Err(self.no_such(action))
            }
            _ => self.network().names(action),
        }
    }

    /// Refuses a mapping with which no row could be sent: what only the whole of it shows.
    pub fn check(&self, action: Action, mapping: &Mapping) -> Result<(), MappingError> {
        mapping.check_constants(|name, text| self.check_value(name, text))?;
        if action != Action::Edit {
            mapping.check_credit()?;
        }
        match &self.account {
            Account::TradeTracker(_) => Ok(()),
            Account::LinkTrust(account) => {
                mapping.check_edit()?;
                let says = (
                    mapping.says("merchant_reference_id"),
                    mapping.says("campaign_id"),
                );
                let missing = match says {
                    (true, false) if account.campaign_id.is_none() => "campaign_id",
                    (false, true) => "merchant_reference_id",
                    _ => return Ok(()),
                };
                Err(MappingError::Missing { parameter: missing })
            }
            Account::Postback(account) => match account.template(action) {
                Some(template) => postback::check(template, action, mapping),
                None => Ok(()),
            },
        }
    }

    /// Refuses a value that is not valid whatever the others are.
    fn check_value(&self, name: &str, text: &str) -> Result<(), Invalid> {
        in_one_form(name, text)?;
        match (name, &self.account) {
            (_, Account::Postback(_)) => Ok(()),
            ("product_id", _) => PositiveId::parse("product_id", text).map(|_| ()),
            ("campaign_id", _) => PositiveId::parse("campaign_id", text).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The URL that says `parameters` to the network, without the password: what is stored.
    pub fn url(&self, action: Action, parameters: &Parameters) -> Result<String, Unsendable> {
        let url = self.url_of_any_length(action, parameters)?;
        match url.len() {
            ..=MAX_URL => Ok(url),
            length => Err(UrlTooLong { length }.into()),
        }
    }

    fn url_of_any_length(
        &self,
        action: Action,
        parameters: &Parameters,
    ) -> Result<String, Unsendable> {
        match (&self.account, action) {
            (Account::TradeTracker(account), Action::Lead) => {
                Ok(account.lead_url(&Lead::parse(parameters)?))
            }
            (Account::TradeTracker(account), Action::Sale) => {
                Ok(account.sale_url(&Sale::parse(parameters)?))
            }
            (Account::LinkTrust(account), Action::Edit) => {
                Ok(account.edit_url(&Edit::parse(parameters, account.campaign_id)?))
            }
            (Account::Postback(account), _) => match account.template(action) {
                Some(template) => postback::url(template, action, parameters),
                None => Err(self.no_such(action).into()),
            },
            (Account::TradeTracker(_), Action::Edit)
            | (Account::LinkTrust(_), Action::Lead | Action::Sale) => {
                Err(self.no_such(action).into())
            }
        }
    }

    /// Refuses what [`Server::url`] refuses, without building the URL where that is possible.
    pub fn check_parameters(
        &self,
        action: Action,
        parameters: &Parameters,
    ) -> Result<(), Unsendable> {
        let length = parameters.iter().map(|(_, text)| text.len()).sum();
        if length > MAX_URL {
            return Err(UrlTooLong { length }.into());
        }
        // A byte becomes three at most: what is far from the limit need not be built to be measured.
        if length > MAX_URL / 4 {
            return self.url(action, parameters).map(drop);
        }
        match (&self.account, action) {
            (Account::TradeTracker(_), Action::Lead) => Lead::parse(parameters).map(drop)?,
            (Account::TradeTracker(_), Action::Sale) => Sale::parse(parameters).map(drop)?,
            (Account::LinkTrust(account), Action::Edit) => {
                Edit::parse(parameters, account.campaign_id).map(drop)?;
            }
            _ => self.url(action, parameters).map(drop)?,
        }
        Ok(())
    }

    /// The URL as sent: what [`Server::url`] built, with the password if the network wants one.
    /// It is never stored.
    pub fn url_as_sent<'a>(
        &self,
        url: &'a str,
        password: Option<&Secret>,
    ) -> Result<Cow<'a, str>, NoPassword> {
        match self.network().wants_password() {
            false => Ok(Cow::Borrowed(url)),
            true => match password {
                Some(password) => Ok(linktrust::Account::url_as_sent(url, password).into()),
                None => Err(NoPassword {
                    server: self.name.clone(),
                }),
            },
        }
    }

    /// What a reply means, and the reply as it may be stored: neither holds the password, wherever
    /// the network repeats it.
    pub fn judge_redacted(
        &self,
        action: Action,
        sent: &Parameters,
        reply: Reply,
        password: Option<&Secret>,
    ) -> (Verdict, Reply) {
        let verdict = self.judge(action, sent, &reply);
        let Some(password) = password else {
            return (verdict, reply);
        };
        let reply = Server::redact(reply, Some(password));
        // A password such as "e" hides the words that decide; the reply as it came decides.
        let shown = self.judge(action, sent, &reply);
        let verdict = match shown.name() == verdict.name() {
            true => shown,
            false => verdict,
        };
        // An answer may hold it in pieces that only its reading puts together.
        let verdict = verdict.map_message(|message| password.redact(&message).into_owned());
        (verdict, reply)
    }

    /// `reply` without the password.
    fn redact(reply: Reply, password: Option<&Secret>) -> Reply {
        let Some(password) = password else {
            return reply;
        };
        let redact = |text: String| password.redact(&text).into_owned();
        match reply {
            Reply::Answer(answer) => Reply::Answer(Answer {
                location: answer.location.map(redact),
                body: redact(answer.body),
                ..answer
            }),
            Reply::Failure(failure) => Reply::Failure(Failure {
                message: redact(failure.message),
                ..failure
            }),
        }
    }

    fn no_such(&self, action: Action) -> NoSuchAction {
        NoSuchAction {
            network: self.network(),
            action,
        }
    }

    /// What a reply of this server means for a callback that said `sent`.
    pub fn judge(&self, action: Action, sent: &Parameters, reply: &Reply) -> Verdict {
        match reply {
            Reply::Answer(answer) => match &self.account {
                Account::TradeTracker(_) => judge_by_status(answer),
                Account::LinkTrust(account) => {
                    let edit = match action {
                        Action::Edit => Edit::parse(sent, account.campaign_id).ok(),
                        Action::Lead | Action::Sale => None,
                    };
                    linktrust::judge(answer, edit.as_ref())
                }
                Account::Postback(account) => account.judge(answer),
            },
            Reply::Failure(failure) if failure.ambiguous && !self.retry.ambiguous => {
                Verdict::Failed {
                    message: format!("{failure}; not repeated, since retry_ambiguous is false"),
                }
            }
            Reply::Failure(failure) => Verdict::Retry {
                message: failure.to_string(),
                after: None,
            },
        }
    }
}

/// What a status means to a network that says nothing about the body.
///
/// 2xx is received. 302 and 303 are the redirect to a pixel, received too; the other redirects
/// mean that the URL is wrong. 408, 425, 429 and 5xx pass.
pub fn judge_by_status(answer: &Answer) -> Verdict {
    let message = format!("HTTP {}", answer.status);
    match answer.status {
        200..=299 | 302 | 303 => Verdict::Delivered { message },
        301 | 307 | 308 => Verdict::Failed {
            message: match &answer.location {
                // Without the query, which often repeats ours.
                Some(location) => {
                    let end = location.find(['?', '#']).unwrap_or(location.len());
                    format!("{message}: moved to {}", Quoted(&location[..end]))
                }
                None => format!("{message}: moved"),
            },
        },
        408 | 425 | 429 | 500..=599 => Verdict::Retry {
            message,
            after: answer.retry_after,
        },
        _ => Verdict::Failed { message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::FailureKind;
    use crate::problem::Problem;
    use std::time::Duration;

    fn server(options: &[(&str, &str)]) -> Server {
        let required = [("campaign_id", "1234"), ("product_id", "56")];
        Server::parse(
            "s",
            Network::TradeTracker,
            required.iter().chain(options).copied(),
        )
        .unwrap()
    }

    fn answer(status: u16) -> Reply {
        Reply::Answer(Answer {
            status,
            location: Some("https://elsewhere.example/?s3cret".into()),
            retry_after: Some(Duration::from_secs(7)),
            body: String::new(),
        })
    }

    #[test]
    fn statuses_are_judged_as_published_integrations_do() {
        let server = server(&[]);
        for status in [200, 201, 204, 299, 302, 303] {
            assert!(
                matches!(
                    server.judge(Action::Lead, &Parameters::new(), &answer(status)),
                    Verdict::Delivered { .. }
                ),
                "{status}"
            );
        }
        for status in [408, 425, 429, 500, 502, 503, 599] {
            let after = Some(Duration::from_secs(7));
            let message = format!("HTTP {status}");
            assert_eq!(
                server.judge(Action::Lead, &Parameters::new(), &answer(status)),
                Verdict::Retry { message, after }
            );
        }
        for status in [300, 304, 305, 400, 401, 403, 404, 410, 600] {
            assert!(
                matches!(
                    server.judge(Action::Lead, &Parameters::new(), &answer(status)),
                    Verdict::Failed { .. }
                ),
                "{status}"
            );
        }
        for status in [301, 307, 308] {
            let message = format!("HTTP {status}: moved to \"https://elsewhere.example/\"");
            assert_eq!(
                server.judge(Action::Lead, &Parameters::new(), &answer(status)),
                Verdict::Failed { message }
            );
        }
    }

    #[test]
    fn a_url_that_no_client_takes_is_never_sent() {
        let url = |length: usize| {
            let said: Parameters = [
                ("transaction_id", "1".to_owned()),
                ("click_id", "c".to_owned()),
                ("description_merchant", "x".repeat(length)),
            ]
            .into_iter()
            .collect();
            server(&[]).url(Action::Lead, &said)
        };
        assert!(url(63_000).is_ok());
        assert_eq!(
            url(1 << 20).unwrap_err().one_line(),
            "the URL is too long: It has 1048675 bytes or more; at most 64000 are allowed."
        );
    }

    #[test]
    fn an_ambiguous_failure_is_repeated_unless_the_server_says_no() {
        let failure = |ambiguous| {
            Reply::Failure(Failure {
                kind: FailureKind::TimedOutWaiting,
                ambiguous,
                message: "timed out".into(),
            })
        };
        let careful = server(&[("retry_ambiguous", "false")]);
        assert!(matches!(
            server(&[]).judge(Action::Lead, &Parameters::new(), &failure(true)),
            Verdict::Retry { .. }
        ));
        assert!(matches!(
            careful.judge(Action::Lead, &Parameters::new(), &failure(true)),
            Verdict::Failed { .. }
        ));
        assert!(matches!(
            careful.judge(Action::Lead, &Parameters::new(), &failure(false)),
            Verdict::Retry { .. }
        ));
    }

    #[test]
    fn an_edit_at_tradetracker_names_what_the_network_can_do() {
        let error = server(&[])
            .url(Action::Edit, &Parameters::new())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "network tradetracker has no action \"edit\""
        );
        assert_eq!(error.hint().unwrap(), "It has report_lead, report_sale.");
    }

    #[test]
    fn a_sale_at_linktrust_names_what_the_network_can_do() {
        let options = [("url", "https://t.example.com")];
        let server = Server::parse("lt", Network::LinkTrust, options).unwrap();
        for error in [
            server.url(Action::Sale, &Parameters::new()).unwrap_err(),
            server.names(Action::Sale).unwrap_err().into(),
        ] {
            assert_eq!(
                error.to_string(),
                "network linktrust has no action \"sale\""
            );
            assert_eq!(error.hint().unwrap(), "It has edit_transaction.");
        }
    }

    #[test]
    fn a_password_is_added_where_one_is_wanted() {
        let secret = Secret::new("s3cret&").unwrap();
        let plain = server(&[]);
        assert_eq!(
            plain.url_as_sent("https://x/?a", Some(&secret)).unwrap(),
            "https://x/?a"
        );
        let options = [("url", "https://t.example.com")];
        let server = Server::parse("lt", Network::LinkTrust, options).unwrap();
        assert_eq!(
            server.url_as_sent("https://x/?a", Some(&secret)).unwrap(),
            "https://x/?Password=s3cret%26&a"
        );
        assert_eq!(
            server
                .url_as_sent("https://x/?a", None)
                .unwrap_err()
                .to_string(),
            "server \"lt\" has no password"
        );
    }

    #[test]
    fn a_password_that_the_network_repeats_is_not_kept() {
        let secret = Secret::new("s3cret&").unwrap();
        let reply = Reply::Answer(Answer {
            status: 301,
            location: Some("https://x/s3cret%26/?Password=s3cret%26".into()),
            retry_after: None,
            body: "<a href='?Password=s3cret%26&amp;A=no'>s3cret&amp;".into(),
        });
        let redacted = Server::redact(reply, Some(&secret));
        let shown = format!("{redacted:?}");
        assert!(!shown.contains("s3cret") && shown.contains("https://x/***/"));
        let failure = |message: &str| {
            Reply::Failure(Failure {
                kind: FailureKind::NotHttp,
                ambiguous: true,
                message: message.into(),
            })
        };
        assert_eq!(
            Server::redact(failure("a s3cret& b"), Some(&secret)),
            failure("a *** b")
        );
        assert_eq!(Server::redact(failure("a"), None), failure("a"));
    }

    #[test]
    fn a_password_that_hides_the_verdict_does_not_change_it() {
        let options = [("url", "https://t.example.com")];
        let server = Server::parse("lt", Network::LinkTrust, options).unwrap();
        let judge = |body: &str, password: &str| {
            let reply = Reply::Answer(Answer {
                status: 200,
                location: None,
                retry_after: None,
                body: body.into(),
            });
            let said: Parameters = [("transaction_id", "1"), ("approved", "yes")]
                .into_iter()
                .collect();
            let secret = Secret::new(password);
            server.judge_redacted(Action::Edit, &said, reply, secret.as_ref())
        };
        let success = include_str!("../tests/data/linktrust_success.xml");
        let failure = include_str!("../tests/data/linktrust_failure.xml");
        for password in ["True", "e", "<", "Succeeded", "permanent", "s3cret"] {
            assert_eq!(judge(success, password).0.name(), "delivered", "{password}");
            assert_eq!(judge(failure, password).0.name(), "failed", "{password}");
        }
        let (verdict, reply) = judge(&failure.replace("Invalid", "Bad s3cret,"), "s3cret");
        assert_eq!(
            verdict.message(),
            "HTTP 200: Permanent Failure: Bad ***, authentication credentials."
        );
        assert!(!format!("{reply:?}").contains("s3cret"));
        let (verdict, _) = judge(&failure.replace("Invalid", "Bad s3<!-- -->cret,"), "s3cret");
        assert_eq!(
            verdict.message(),
            "HTTP 200: Permanent Failure: Bad ***, authentication credentials."
        );
    }

    #[test]
    fn a_mapping_of_an_edit_is_checked_as_a_whole() {
        let check = |options: &[(&str, &str)], arguments: &[&str]| {
            let base = [("url", "https://t.example.com")];
            let options = base.iter().chain(options).copied();
            let server = Server::parse("lt", Network::LinkTrust, options).unwrap();
            let names = server.names(Action::Edit).unwrap();
            let mut mapping = Mapping::parse(arguments.iter().copied(), names).unwrap();
            if mapping.needs_click_id(Action::Edit) {
                mapping.default_click_id("click_id");
            }
            server
                .check(Action::Edit, &mapping)
                .map_err(|problem| problem.to_string())
        };
        let approved = "approved=no";
        let reference = "merchant_reference_id={id}";
        assert_eq!(check(&[], &[approved]), Ok(()));
        assert_eq!(check(&[], &[reference, "campaign_id=5", approved]), Ok(()));
        assert_eq!(
            check(&[("campaign_id", "5")], &[reference, approved]),
            Ok(())
        );
        for (arguments, message) in [
            (
                &[reference, approved][..],
                "parameter campaign_id is required",
            ),
            (
                &[reference],
                "parameter approved, affiliate_payout, merchant_payout or execute_affiliate_pixel is required",
            ),
            (
                &["transaction_id={id}", "click_id={c}", approved],
                "parameters transaction_id and click_id exclude each other",
            ),
            (
                &["transaction_id={id}", "campaign_id=5", approved],
                "parameter merchant_reference_id is required",
            ),
            (
                &[reference, "campaign_id=", approved],
                "parameter campaign_id is required",
            ),
            (
                &["click_id=", approved],
                "parameter transaction_id is required",
            ),
            (
                &["transaction_id={id}", "approved="],
                "parameter approved, affiliate_payout, merchant_payout or execute_affiliate_pixel is required",
            ),
        ] {
            assert_eq!(check(&[], arguments), Err(message.to_owned()));
        }
    }
}
