//! Servers: an account at a network, with the options and rules that all networks share.

use std::any::Any;
use std::borrow::Cow;

use super::options::{Options, RequestOptions};
use super::secret::Secret;
use super::{Account, MAX_URL, Network, checked, too_long};
use crate::callback::edit::IDENTIFICATIONS;
use crate::callback::{Action, Parameters, canonical, with_own_click_id};
use crate::click_id::Form;
use crate::delivery::lane::Limits;
use crate::delivery::retry::RetryPolicy;
use crate::delivery::{Answer, Failure, Reply, Verdict};
use crate::mapping::{Mapping, ParameterNames};
use crate::problem::{Class, Problem, Quoted};

/// A foreign server with its options read.
#[derive(Debug)]
pub struct Server {
    /// The foreign server's name.
    pub name: String,
    account: Box<dyn Account>,
    /// The form that click ids must have.
    click_ids: Option<Form>,
    /// Nothing is sent.
    pub paused: bool,
    /// How much it may be sent.
    pub limits: Limits,
    /// How its requests are made.
    pub request: RequestOptions,
    /// When a callback is tried again.
    pub retry: RetryPolicy,
}

impl Server {
    /// Reads a server's options; refuses unknown, bad and missing ones.
    pub fn parse<'a>(
        name: &str,
        network: &'static Network,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Server, Problem> {
        let options = Options::new(network, options)?;
        let (limits, request) = (options.limits()?, options.request()?);
        let (retry, paused) = (options.retry_policy()?, options.paused()?);
        Ok(Server {
            name: name.to_owned(),
            account: (network.read_account)(&options)?,
            click_ids: options.click_ids()?,
            paused,
            limits,
            request,
            retry,
        })
    }

    /// Refuses options that servers made by earlier versions may have and new ones may not: those
    /// go on working.
    pub fn check_new<'a>(
        &self,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Problem> {
        let options = Options::new(self.network(), options)?;
        options.check_new()?;
        self.account.check_new(&options)
    }

    /// The network that the account is at.
    pub fn network(&self) -> &'static Network {
        self.account.network()
    }

    /// The account, if it is one of `A`'s network.
    pub fn account<A: Account>(&self) -> Option<&A> {
        let account: &dyn Any = self.account.as_ref();
        account.downcast_ref()
    }

    /// The parameters of an action, or an error if the server does not have the action.
    pub fn parameter_names(&self, action: Action) -> Result<ParameterNames, Problem> {
        self.account
            .parameter_names(action)
            .map_err(|problem| self.named(problem))
    }

    fn named(&self, problem: Problem) -> Problem {
        problem.within(format_args!("server {}", Quoted(&self.name)))
    }

    /// The parameters with the click id as the network wants it.
    fn with_own_click_id<'a>(
        &self,
        parameters: &'a Parameters<'a>,
    ) -> Result<Cow<'a, Parameters<'a>>, Problem> {
        let Some(form) = self.click_ids else {
            return Ok(Cow::Borrowed(parameters));
        };
        with_own_click_id(parameters, form).map_err(|problem| {
            let remedy = format!(
                "To send ids of any form, ALTER SERVER \"{}\" OPTIONS (ADD click_ids 'any').",
                self.name
            );
            let hint = match &problem.hint {
                Some(hint) => format!("{hint} {remedy}"),
                None => remedy,
            };
            problem.hint(hint)
        })
    }

    /// Refuses a mapping with which no row could be sent.
    pub fn check_mapping(&self, action: Action, mapping: &Mapping) -> Result<(), Problem> {
        mapping.check_constants(|name, text| {
            canonical(name, text)?;
            self.account.check_constant(name, text)
        })?;
        if action != Action::Edit {
            mapping.check_credit()?;
        }
        self.account.check_mapping(action, mapping)
    }

    /// The URL of a callback without the password: what is stored.
    pub fn url(&self, action: Action, parameters: &Parameters) -> Result<String, Problem> {
        self.account.parameter_names(action)?;
        let parameters = self.with_own_click_id(parameters)?;
        checked(self.account.url(action, &parameters)?)
    }

    /// Refuses what [`Server::url`] refuses, without building the URL where that is possible.
    pub fn check_parameters(&self, action: Action, parameters: &Parameters) -> Result<(), Problem> {
        self.account.parameter_names(action)?;
        let length = parameters.iter().map(|(_, text)| text.len()).sum();
        if length > MAX_URL {
            return Err(too_long(length));
        }
        // A byte becomes three at most: what is far from the limit need not be built to be measured.
        if length > MAX_URL / 4 {
            return self.url(action, parameters).map(drop);
        }
        let parameters = self.with_own_click_id(parameters)?;
        self.account.check_parameters(action, &parameters)
    }

    /// The URL as sent: what [`Server::url`] built, with the password if the network wants one.
    /// It is never stored.
    pub fn url_as_sent<'a>(
        &self,
        url: &'a str,
        password: Option<&Secret>,
    ) -> Result<Cow<'a, str>, Problem> {
        match (self.network().wants_password, password) {
            (false, _) => Ok(Cow::Borrowed(url)),
            (true, Some(password)) => Ok(self.account.url_with_password(url, password).into()),
            (true, None) => Err(self.no_password()),
        }
    }

    /// What the errors of calls name: `server "games_nl", transaction id "987"`.
    pub fn place(&self, parameters: &Parameters) -> String {
        let server = format!("server {}", Quoted(&self.name));
        let identified = IDENTIFICATIONS
            .iter()
            .find(|name| !parameters.get(name).is_empty());
        match identified {
            Some(name) => format!(
                "{server}, {} {}",
                name.replace('_', " "),
                Quoted(parameters.get(name))
            ),
            None => server,
        }
    }

    /// The problem of a server that wants a password and has none.
    pub fn no_password(&self) -> Problem {
        let message = format!("server {} has no password", Quoted(&self.name));
        Problem::new(Class::InvalidParameter, message)
            .detail("Neither its owner nor PUBLIC has a user mapping with a password.")
            .hint(format!(
                "CREATE USER MAPPING FOR PUBLIC SERVER \"{}\" OPTIONS (password '…').",
                self.name
            ))
    }

    /// What a reply to a callback with the parameters `sent` means.
    pub fn judge(&self, action: Action, sent: &Parameters, reply: &Reply) -> Verdict {
        match reply {
            Reply::Answer(answer) => self.account.judge(action, sent, answer),
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
        let reply = redacted(reply, password);
        // A password such as "e" hides the words that decide; the reply as it came decides.
        let shown = self.judge(action, sent, &reply);
        let verdict = match shown.name() == verdict.name() {
            true => shown,
            false => verdict,
        };
        (
            verdict.map_message(|it| redacted_message(&it, password)),
            reply,
        )
    }
}

/// `reply` without the password.
fn redacted(reply: Reply, password: &Secret) -> Reply {
    let redact = |text: String| password.redact(&text).into_owned();
    match reply {
        Reply::Answer(answer) => Reply::Answer(Answer {
            location: answer.location.map(redact),
            body: match answer.is_cut {
                true => password.redact_cut(&answer.body).into_owned(),
                false => redact(answer.body),
            },
            ..answer
        }),
        Reply::Failure(failure) => Reply::Failure(Failure {
            message: redact(failure.message),
            ..failure
        }),
    }
}

/// A verdict's message without the password. An answer may hold it in pieces that only parsing puts
/// together, and messages cut what they quote of it, with an ellipsis.
fn redacted_message(message: &str, password: &Secret) -> String {
    let message = password.redact(message);
    let mut redacted = String::new();
    for part in message.split_inclusive('…') {
        match part.strip_suffix('…') {
            Some(cut) => redacted.extend([&*password.redact_cut(cut), "…"]),
            None => redacted.push_str(part),
        }
    }
    redacted
}

#[cfg(test)]
mod tests;
