//! Any other network, by URL template.
//!
//! | option | |
//! |---|---|
//! | `lead_url` `sale_url` `edit_url` | [`template`]s, one for each action that the server has |
//! | `success_body` | after a 2xx answer whose body does not match it, the callback is tried again |
//! | `failure_body` | after a 2xx answer whose body matches it, the callback has failed for good |
//!
//! Both are regular expressions on the first 8 kB of the body, whose compiled size is limited.
//!
//! A placeholder stands for a standard parameter or for any other that a trigger or call gives.
//! Standard values are sent in one canonical form: amounts with two decimals, currencies in upper case,
//! booleans as `yes` and `no`. Those that a conversion may lack are sent empty; any other that is
//! missing is an error.
//!
//! Without `success_body` and `failure_body`, any 2xx is success, as most networks mean it.

use regex::{Regex, RegexBuilder};

use super::options::{Options, value_of};
use super::{Account, Network, judge_by_status};
use crate::callback::edit::{is_unidentified, no_identification};
use crate::callback::{
    Action, Parameters, STANDARD, canonical, is_organic, nothing_to_credit, printable,
};
use crate::delivery::{Answer, Verdict};
use crate::mapping::{self, Mapping, ParameterNames, missing_argument};
use crate::problem::{Class, Problem, Quoted};

pub mod template;

use template::Template;

/// The network.
pub static NETWORK: Network = Network {
    name: "postback",
    options: &[
        "lead_url",
        "sale_url",
        "edit_url",
        "success_body",
        "failure_body",
    ],
    click_ids: None,
    wants_password: false,
    actions: &[
        (Action::Lead, CONVERSION),
        (Action::Sale, CONVERSION),
        (Action::Edit, EDIT),
    ],
    read_account: |options| Ok(Box::new(Templates::read(options)?)),
};

/// The standard parameters that are sent empty if there is none.
const OPTIONAL: &[&str] = &[
    "click_id",
    "voucher_code",
    "description_merchant",
    "description_affiliate",
    "product_id",
    "tracking_group_id",
    "reason",
];

const CONVERSION: ParameterNames = ParameterNames {
    known: &[
        "transaction_id",
        "amount",
        "currency",
        "click_id",
        "description_merchant",
        "description_affiliate",
        "voucher_code",
        "product_id",
        "tracking_group_id",
    ],
    required: &["transaction_id"],
    open: true,
};

const EDIT: ParameterNames = ParameterNames {
    known: &[
        "transaction_id",
        "click_id",
        "merchant_reference_id",
        "campaign_id",
        "approved",
        "affiliate_payout",
        "merchant_payout",
        "execute_affiliate_pixel",
        "reason",
        mapping::ORGANIC,
    ],
    required: &[],
    open: true,
};

/// The option that holds an action's template.
fn option_of(action: Action) -> &'static str {
    match action {
        Action::Lead => "lead_url",
        Action::Sale => "sale_url",
        Action::Edit => "edit_url",
    }
}

/// Templates, and how answers are read.
#[derive(Debug)]
struct Templates {
    lead_url: Option<Template>,
    sale_url: Option<Template>,
    edit_url: Option<Template>,
    success_body: Option<Regex>,
    failure_body: Option<Regex>,
}

impl Templates {
    /// Reads the options of such a server, which has one template at least.
    fn read(options: &Options) -> Result<Templates, Problem> {
        let template = |action| options.url(option_of(action), Template::parse, Template::is_https);
        let templates = Templates {
            lead_url: template(Action::Lead)?,
            sale_url: template(Action::Sale)?,
            edit_url: template(Action::Edit)?,
            success_body: options.optional("success_body", pattern)?,
            failure_body: options.optional("failure_body", pattern)?,
        };
        match Action::ALL.iter().any(|action| templates.of(*action).is_ok()) {
            true => Ok(templates),
            false => Err(Problem::new(
                Class::InvalidParameter,
                "option \"lead_url\", \"sale_url\" or \"edit_url\" is required",
            )
            .hint("Give the URL of each action, as in sale_url 'https://t.example.com/postback?cid={click_id}&payout={amount}'.")),
        }
    }

    /// The template of an action.
    fn of(&self, action: Action) -> Result<&Template, Problem> {
        let template = match action {
            Action::Lead => &self.lead_url,
            Action::Sale => &self.sale_url,
            Action::Edit => &self.edit_url,
        };
        template.as_ref().ok_or_else(|| {
            let option = option_of(action);
            let message = format!("option \"{option}\" is not set");
            Problem::new(Class::InvalidParameter, message).hint(format!(
                "Add it, as in ALTER SERVER … OPTIONS (ADD {option} 'https://…')."
            ))
        })
    }
}

impl Account for Templates {
    fn network(&self) -> &'static Network {
        &NETWORK
    }

    fn check_new(&self, options: &Options) -> Result<(), Problem> {
        for action in Action::ALL {
            let Ok(template) = self.of(action) else {
                continue;
            };
            let option = option_of(action);
            let known = NETWORK.parameter_names(action)?.known;
            let is_wanted = |name: &str| known.contains(&name) || !STANDARD.contains(&name);
            let text = options.text(option);
            template.check_new(&value_of(option), text, is_wanted)?;
        }
        for (option, pattern, detail) in [
            ("success_body", &self.success_body, "Every body matches it."),
            (
                "failure_body",
                &self.failure_body,
                "Every body matches it: each callback would have failed.",
            ),
        ] {
            if pattern.as_ref().is_some_and(|it| it.as_str().is_empty()) {
                return Err(Problem::invalid(&value_of(option), "").detail(detail).hint(
                    format!("Leave out {option}, or give what the network answers, such as success=true."),
                ));
            }
        }
        Ok(())
    }

    fn parameter_names(&self, action: Action) -> Result<ParameterNames, Problem> {
        self.of(action)?;
        NETWORK.parameter_names(action)
    }

    fn check_mapping(&self, action: Action, mapping: &Mapping) -> Result<(), Problem> {
        // An empty text is a value, unless the parameter is a standard one.
        let has_value = |name: &str| match STANDARD.contains(&name) {
            true => mapping.provides(name),
            false => mapping.mentions(name),
        };
        let Ok(template) = self.of(action) else {
            return Ok(());
        };
        match template
            .parameters()
            .find(|name| !has_value(name) && !OPTIONAL.contains(name))
        {
            Some(name) => Err(missing_argument(name).detail(format!(
                "The server's option \"{}\" has a placeholder for it.",
                option_of(action)
            ))),
            None => Ok(()),
        }
    }

    fn url(&self, action: Action, parameters: &Parameters) -> Result<String, Problem> {
        let template = self.of(action)?;
        parameters.check_complete()?;
        match action {
            Action::Lead | Action::Sale => {
                if is_organic(parameters) {
                    return Err(nothing_to_credit());
                }
                printable("transaction_id", parameters.get("transaction_id"))?;
            }
            Action::Edit if is_unidentified(parameters) => return Err(no_identification()),
            Action::Edit => {}
        }
        let mut given = Vec::with_capacity(16);
        for (name, text) in parameters.iter() {
            given.push((name, canonical(name, text)?));
        }
        template.fill_with(&given, OPTIONAL)
    }

    /// By status, and a 2xx by its body if the server has a pattern for it.
    fn judge(&self, _action: Action, _sent: &Parameters, answer: &Answer) -> Verdict {
        let by_status = judge_by_status(answer);
        let Verdict::Delivered { message } = by_status else {
            return by_status;
        };
        let body = &answer.body;
        let body = &body[..body.floor_char_boundary(MOST_MATCHED)];
        let matches = |pattern: &Option<Regex>| pattern.as_ref().map(|it| it.is_match(body));
        let is_2xx = (200..=299).contains(&answer.status);
        if is_2xx && matches(&self.failure_body) == Some(true) {
            return Verdict::Failed {
                message: format!("{message}: body {} matches failure_body", Quoted(body)),
            };
        }
        let problem = match matches(&self.success_body) {
            None => return Verdict::Delivered { message },
            Some(true) if is_2xx => return Verdict::Delivered { message },
            // A redirect has no body of the network's.
            Some(_) if !is_2xx => "a redirect, which success_body says nothing of".to_owned(),
            Some(_) => format!("body {} does not match success_body", Quoted(body)),
        };
        Verdict::Retry {
            message: format!("{message}: {problem}"),
            after: answer.retry_after,
        }
    }
}

/// Limit for the size of a compiled regular expression, in bytes. `\w` takes half of it.
///
/// The time that a match takes is bounded by the product of this and [`MOST_MATCHED`]: the worst
/// expression that was found, `(a|ab|b){519}c`, takes 0.15 s.
const MOST_BYTES: usize = 128 << 10;

/// Bytes of a body that regular expressions see.
const MOST_MATCHED: usize = 8 << 10;

/// Compiles a regular expression on a body.
fn pattern(what: &str, text: &str) -> Result<Regex, Problem> {
    RegexBuilder::new(text)
        .size_limit(MOST_BYTES)
        .dfa_size_limit(MOST_BYTES)
        .build()
        .map_err(|error| {
            // The last line says what is wrong; those above it draw the expression.
            let error = error.to_string();
            let line = error.lines().next_back().unwrap_or_default();
            let line = line.strip_prefix("error: ").unwrap_or(line);
            Problem::invalid(what, text).detail(format!("{}.", line.trim_end_matches('.')))
        })
}

#[cfg(test)]
mod tests;
