//! Any other network, by URL template.
//!
//! | option | |
//! |---|---|
//! | `lead_url` `sale_url` `edit_url` | [`template`]s, one for each action that the server has |
//! | `success_body` | a 2xx answer whose body does not match it is no delivery: it is tried again |
//! | `failure_body` | a 2xx answer whose body matches it is a refusal: it failed for good |
//!
//! A placeholder stands for a standard parameter or for any other that a trigger or call gives.
//! Standard values are sent in one form: amounts with two decimals, currencies in upper case,
//! booleans as `yes` and `no`. Those that a conversion may lack are sent empty; any other that is
//! missing is an error.
//!
//! Without `success_body` and `failure_body`, any 2xx is success, as most networks mean it.

use std::borrow::Cow;
use std::fmt;

use regex::{Regex, RegexBuilder};

use super::Names;
use super::options::{OptionError, Options};
use crate::callback::edit::{IDENTIFICATIONS, is_unidentified};
use crate::callback::{
    Action, Invalid, Parameters, Reason, STANDARD, in_one_form, is_organic, printable,
};
use crate::delivery::{Answer, Verdict};
use crate::mapping::{Mapping, MappingError};
use crate::problem::Quoted;

pub mod template;

use template::{Template, Unfilled};

/// The options of a server that are of this kind of network.
pub const OPTIONS: &[&str] = &[
    "lead_url",
    "sale_url",
    "edit_url",
    "success_body",
    "failure_body",
];

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

const CONVERSION: Names = Names {
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

const EDIT: Names = Names {
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
    ],
    required: &[],
    open: true,
};

/// The parameters of an action, whatever the server's templates are.
pub fn names(action: Action) -> Names {
    match action {
        Action::Lead | Action::Sale => CONVERSION,
        Action::Edit => EDIT,
    }
}

/// The option that holds an action's template.
pub fn option_of(action: Action) -> &'static str {
    match action {
        Action::Lead => "lead_url",
        Action::Sale => "sale_url",
        Action::Edit => "edit_url",
    }
}

/// A regular expression on a body.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// So many bytes may an expression take when compiled; there are two a server.
    const MOST_BYTES: usize = 1 << 20;

    fn parse(option: &'static str, text: &str) -> Result<Pattern, OptionError> {
        RegexBuilder::new(text)
            .size_limit(Pattern::MOST_BYTES)
            .dfa_size_limit(Pattern::MOST_BYTES)
            .build()
            .map(Pattern)
            .map_err(|error| OptionError::Regex {
                option,
                text: text.to_owned(),
                error: regex_error(&error),
            })
    }
}

/// The last line of what the library says; those above it draw the expression.
fn regex_error(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next_back().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Templates, and how answers are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Of leads.
    pub lead_url: Option<Template>,
    /// Of sales.
    pub sale_url: Option<Template>,
    /// Of edits.
    pub edit_url: Option<Template>,
    /// What the body of a success holds.
    pub success_body: Option<Pattern>,
    /// What the body of a refusal holds.
    pub failure_body: Option<Pattern>,
}

impl Account {
    /// Reads the options of such a server, which has one template at least.
    pub fn parse(options: &mut Options) -> Result<Account, OptionError> {
        let template = |action| options.template(option_of(action));
        let account = Account {
            lead_url: template(Action::Lead)?,
            sale_url: template(Action::Sale)?,
            edit_url: template(Action::Edit)?,
            success_body: options.optional_or("success_body", Pattern::parse)?,
            failure_body: options.optional_or("failure_body", Pattern::parse)?,
        };
        let has_one = Action::ALL
            .into_iter()
            .any(|action| account.template(action).is_some());
        match has_one {
            true => Ok(account),
            false => Err(OptionError::NoTemplate),
        }
    }

    /// The template of an action.
    pub fn template(&self, action: Action) -> Option<&Template> {
        match action {
            Action::Lead => self.lead_url.as_ref(),
            Action::Sale => self.sale_url.as_ref(),
            Action::Edit => self.edit_url.as_ref(),
        }
    }
}

/// Refuses a mapping that lacks what the template asks for.
pub fn check(template: &Template, action: Action, mapping: &Mapping) -> Result<(), MappingError> {
    let option = option_of(action);
    // Of a standard parameter, an empty text is none.
    let sets = |name: &str| match STANDARD.contains(&name) {
        true => mapping.says(name),
        false => mapping.sets(name),
    };
    match template
        .parameters()
        .find(|name| !sets(name) && !OPTIONAL.contains(name))
    {
        Some(name) => Err(MappingError::TemplateWants {
            parameter: name.to_owned(),
            option,
        }),
        None => Ok(()),
    }
}

/// The URL that says `parameters`.
pub fn url(
    template: &Template,
    action: Action,
    parameters: &Parameters,
) -> Result<String, super::Unsendable> {
    parameters.check_complete()?;
    match action {
        Action::Lead | Action::Sale => {
            if is_organic(parameters) {
                return Err(Invalid::new("click_id", "", Reason::NothingToCredit).into());
            }
            printable("transaction_id", parameters.get("transaction_id"))?;
        }
        Action::Edit if is_unidentified(parameters) => {
            return Err(Invalid::new(IDENTIFICATIONS[0], "", Reason::NoIdentification).into());
        }
        Action::Edit => {}
    }
    let mut given = Vec::with_capacity(16);
    for (name, text) in parameters.iter() {
        given.push((name, in_one_form(name, text)?));
    }
    let empty = OPTIONAL
        .iter()
        .filter(|name| parameters.get(name).is_empty())
        .map(|name| (*name, Cow::Borrowed("")));
    let said = given.len();
    given.extend(empty);
    template.fill(&given).map_err(|problem| {
        let problem = match problem {
            // Those that are empty were not given.
            Unfilled::Missing { parameter, .. } => Unfilled::Missing {
                parameter,
                given: given[..said]
                    .iter()
                    .map(|(name, _)| (*name).to_owned())
                    .collect(),
            },
            problem => problem,
        };
        super::Unsendable::Unfilled(problem)
    })
}

impl Account {
    /// What an answer means: by status, and a 2xx by its body if the options say how.
    pub fn judge(&self, answer: &Answer) -> Verdict {
        let by_status = super::judge_by_status(answer);
        let Verdict::Delivered { message } = by_status else {
            return by_status;
        };
        let body = &answer.body;
        let matches = |pattern: &Option<Pattern>| pattern.as_ref().map(|p| p.0.is_match(body));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Reply;
    use crate::network::{Network, Server};
    use crate::problem::Problem;

    fn server(options: &[(&str, &str)]) -> Result<Server, OptionError> {
        Server::parse("any", Network::Postback, options.iter().copied())
    }

    const SALE: [(&str, &str); 4] = [
        ("transaction_id", "987/1"),
        ("amount", "49.9"),
        ("currency", "eur"),
        ("click_id", "aB!(c)'._-|,9"),
    ];

    fn url(server: &Server, action: Action, parameters: &[(&str, &str)]) -> Result<String, String> {
        let said: Parameters = parameters.iter().copied().collect();
        server
            .url(action, &said)
            .map_err(|problem| problem.one_line())
    }

    fn verdict(server: &Server, status: u16, body: &str) -> &'static str {
        let reply = Reply::Answer(Answer {
            status,
            location: None,
            retry_after: None,
            body: body.into(),
        });
        server
            .judge(Action::Sale, &Parameters::new(), &reply)
            .name()
    }

    /// The networks of the table in the README: template, further options, what a sale's URL is,
    /// and what answers mean.
    #[test]
    fn other_networks_are_told_of_a_sale_and_understood() {
        let click = "aB%21%28c%29%27._-%7C%2C9";
        let delivered = |status, body| (status, body, "delivered");
        let (ok, away) = (delivered(200, "anything"), (503, "", "retry"));
        let awin = "https://www.awin1.com/sread.php?tt=ss&tv=2&merchant=7&amount={amount}&ch=aw&parts=DEFAULT:{amount}&vc={voucher_code}&cr={currency}&ref={transaction_id}&cks={click_id}";
        let partnerize = "https://prf.hn/conversion/tracking_mode:api/campaign:10l/clickref:{click_id}/conversionref:{transaction_id}/currency:{currency}/[value:{amount}]";
        type Row<'a> = (
            &'a str,
            &'a [(&'a str, &'a str)],
            String,
            Vec<(u16, &'a str, &'a str)>,
        );
        let rows: [Row; 9] = [
            (
                "https://demo.go2cloud.org/aff_lsr?offer_id=9&transaction_id={click_id}&amount={amount}",
                &[("success_body", "success=true")],
                format!(
                    "https://demo.go2cloud.org/aff_lsr?offer_id=9&transaction_id={click}&amount=49.90"
                ),
                vec![
                    delivered(200, "success=true;"),
                    (200, "success=false;", "retry"),
                    (200, "", "retry"),
                    away,
                ],
            ),
            (
                awin,
                &[],
                format!(
                    "https://www.awin1.com/sread.php?tt=ss&tv=2&merchant=7&amount=49.90&ch=aw&parts=DEFAULT:49.90&vc=&cr=EUR&ref=987%2F1&cks={click}"
                ),
                vec![ok, away],
            ),
            (
                "https://www.emjcd.com/u?CID=15&TYPE=3&METHOD=S2S&CJEVENT={click_id}&OID={transaction_id}&CURRENCY={currency}&AMOUNT={amount}",
                &[],
                format!(
                    "https://www.emjcd.com/u?CID=15&TYPE=3&METHOD=S2S&CJEVENT={click}&OID=987%2F1&CURRENCY=EUR&AMOUNT=49.90"
                ),
                vec![ok, away],
            ),
            (
                partnerize,
                &[],
                format!(
                    "https://prf.hn/conversion/tracking_mode:api/campaign:10l/clickref:{click}/conversionref:987%2F1/currency:EUR/[value:49.90]"
                ),
                vec![ok, away],
            ),
            (
                "https://www.everflow.example/?nid=5&transaction_id={click_id}&amount={amount}",
                &[],
                format!("https://www.everflow.example/?nid=5&transaction_id={click}&amount=49.90"),
                vec![ok, away],
            ),
            (
                "https://voluum.example/postback?cid={click_id}&payout={amount}&txid={transaction_id}",
                &[],
                format!("https://voluum.example/postback?cid={click}&payout=49.90&txid=987%2F1"),
                vec![ok, away],
            ),
            (
                "https://p.trackmytarget.com/?tmt_data={click_id}&type=sale&id={transaction_id}&amount={amount}&currency={currency}",
                &[],
                format!(
                    "https://p.trackmytarget.com/?tmt_data={click}&type=sale&id=987%2F1&amount=49.90&currency=EUR"
                ),
                vec![ok, away],
            ),
            (
                "https://trc.taboola.com/actions-handler/log/3/s2s-action?click-id={click_id}&name=sale&revenue={amount}&currency={currency}",
                &[],
                format!(
                    "https://trc.taboola.com/actions-handler/log/3/s2s-action?click-id={click}&name=sale&revenue=49.90&currency=EUR"
                ),
                vec![delivered(204, ""), (400, "", "failed"), away],
            ),
            (
                "https://s.magsrv.com/tag.php?goal=1&value={amount}&tag={click_id}",
                &[("success_body", "OK"), ("failure_body", "(?i)invalid")],
                format!("https://s.magsrv.com/tag.php?goal=1&value=49.90&tag={click}"),
                vec![
                    delivered(200, "OK"),
                    (200, "Invalid tag", "failed"),
                    (200, "", "retry"),
                    (302, "OK", "retry"),
                    away,
                ],
            ),
        ];
        for (template, options, sent, answers) in rows {
            let server = server(&[options, &[("sale_url", template)]].concat()).unwrap();
            assert_eq!(url(&server, Action::Sale, &SALE), Ok(sent), "{template}");
            for (status, body, name) in answers {
                assert_eq!(
                    verdict(&server, status, body),
                    name,
                    "{template} {status} {body}"
                );
            }
        }
    }

    #[test]
    fn further_names_are_filled_and_missing_ones_named() {
        let server = server(&[
            (
                "lead_url",
                "https://t.example/?c={click_id}&v={voucher_code}&t={tier}",
            ),
            (
                "edit_url",
                "https://t.example/e/{transaction_id}?s={approved}&p={affiliate_payout}",
            ),
        ])
        .unwrap();
        let lead = [("transaction_id", "1"), ("click_id", "c")];
        let tier = |text| [lead[0], lead[1], ("tier", text)];
        let message = |text: &str| Err(text.to_owned());
        assert_eq!(
            url(&server, Action::Lead, &tier("gold & more")),
            Ok("https://t.example/?c=c&v=&t=gold%20%26%20more".into())
        );
        // An empty column is a value.
        assert_eq!(
            url(&server, Action::Lead, &tier("")),
            Ok("https://t.example/?c=c&v=&t=".into())
        );
        assert_eq!(
            url(&server, Action::Lead, &lead),
            message("parameter \"tier\" is missing: Given are transaction_id, click_id.")
        );
        assert_eq!(
            url(&server, Action::Lead, &[("transaction_id", "1")]),
            message(
                "click_id or voucher_code is required: Without either, there is no affiliate to credit."
            )
        );
        assert_eq!(
            url(&server, Action::Lead, &[("click_id", "c")]),
            message("transaction_id is required: transaction_id is NULL, empty or not given.")
        );
        let edit = [
            ("transaction_id", "1"),
            ("approved", "f"),
            ("affiliate_payout", "1"),
        ];
        assert_eq!(
            url(&server, Action::Edit, &edit),
            Ok("https://t.example/e/1?s=no&p=1.00".into())
        );
        assert_eq!(
            url(&server, Action::Edit, &edit[..2]),
            message(
                "parameter \"affiliate_payout\" is missing: Given are transaction_id, approved."
            )
        );
        assert_eq!(
            url(&server, Action::Edit, &edit[1..]),
            message(
                "transaction_id, click_id or merchant_reference_id is required: Nothing says which transaction is meant."
            )
        );
        assert_eq!(
            url(&server, Action::Sale, &SALE),
            message("server has no option \"sale_url\"")
        );
    }

    #[test]
    fn options_are_checked() {
        let message = |options: &[(&str, &str)]| server(options).unwrap_err().one_line();
        assert_eq!(
            message(&[("success_body", "OK")]),
            "option \"lead_url\", \"sale_url\" or \"edit_url\" is required"
        );
        assert_eq!(
            message(&[("sale_url", "http://t.example/{a}")]),
            "option \"sale_url\" is not an https URL"
        );
        assert_eq!(
            message(&[("sale_url", "https://{a}.example/")]),
            "invalid value for option \"sale_url\": \"https://{a}.example/\": The brace at byte 9 is in the scheme or host, which cannot vary."
        );
        assert_eq!(
            message(&[("sale_url", "https://t.example/"), ("success_body", "(")]),
            "invalid value for option \"success_body\": \"(\": unclosed group."
        );
        let huge = "a{1000}{1000}{1000}";
        assert!(
            message(&[("sale_url", "https://t.example/"), ("success_body", huge)])
                .contains("size limit")
        );
        let allowed = [("sale_url", "http://t.example/{a}"), ("allow_http", "true")];
        assert!(server(&allowed).is_ok());
    }

    #[test]
    fn a_mapping_sets_what_the_template_asks_for() {
        let options = [(
            "sale_url",
            "https://t.example/?{click_id}&{amount}&{tier}&{voucher_code}",
        )];
        let server = server(&options).unwrap();
        let check = |arguments: &[&str]| {
            let names = server.names(Action::Sale).unwrap();
            let arguments = ["transaction_id={id}", "click_id={c}"]
                .iter()
                .chain(arguments);
            let mapping = Mapping::parse(arguments.copied(), names).unwrap();
            server
                .check(Action::Sale, &mapping)
                .map_err(|problem| problem.one_line())
        };
        assert_eq!(check(&["amount={a}", "tier={t}"]), Ok(()));
        // Of what is the template's own, an empty text is something.
        assert_eq!(check(&["amount={a}", "tier="]), Ok(()));
        for (arguments, parameter) in [
            (["amount={a}", "level={t}"], "tier"),
            (["amount=", "tier={t}"], "amount"),
        ] {
            assert_eq!(
                check(&arguments),
                Err(format!(
                    "parameter {parameter} is required: The server's option \"sale_url\" has a placeholder for it."
                ))
            );
        }
        assert_eq!(
            server.names(Action::Lead).unwrap_err().hint().unwrap(),
            "Add it, as in ALTER SERVER … OPTIONS (ADD lead_url 'https://…')."
        );
    }
}
