use super::*;
use crate::callback::edit::tests::any_edit;
use crate::network::Server;
use proptest::prelude::*;
use std::time::Duration;

const CHANGES: [(&str, &str); 4] = [
    ("approved", "false"),
    ("affiliate_payout", "0"),
    ("merchant_payout", "0.004"),
    ("execute_affiliate_pixel", "t"),
];

fn server(options: &[(&str, &str)]) -> Result<Server, Problem> {
    Server::parse("lt", &NETWORK, options.iter().copied())
}

fn url(options: &[(&str, &str)], parameters: &[(&str, &str)]) -> String {
    let parameters: Parameters = parameters.iter().copied().collect();
    server(options)
        .unwrap()
        .url(Action::Edit, &parameters)
        .unwrap()
}

#[test]
fn the_manuals_edits() {
    let base = [("url", "https://track.example.com")];
    let edit = |identification: &[(&'static str, &'static str)]| {
        url(&base, &[identification, &CHANGES].concat())
    };
    let by_id = edit(&[("transaction_id", "T-1")]);
    assert_eq!(
        by_id,
        "https://track.example.com/transaction.edit?Transactionid=T-1&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes"
    );
    assert_eq!(
        EditPage::url_as_sent(&by_id, &Secret::new("s3cret&").unwrap()),
        "https://track.example.com/transaction.edit?Password=s3cret%26&Transactionid=T-1&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes"
    );
    assert_eq!(
        edit(&[("click_id", "04_835477_fb93f424-788d-4c48-bfb1-98516f855839")]),
        "https://track.example.com/transaction.edit?ClickID=04_835477_fb93f424-788d-4c48-bfb1-98516f855839&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes"
    );
    assert_eq!(
        edit(&[("merchant_reference_id", "9/1"), ("campaign_id", "466744")]),
        "https://track.example.com/transaction.edit?Merchantreferenceid=9%2F1&CID=466744&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes"
    );
}

#[test]
fn only_what_changes_is_sent_and_the_reason_comes_last() {
    let options = [("url", "https://t.example.com/"), ("campaign_id", "466744")];
    let parameters = [
        ("reason", "sent back & refunded"),
        ("approved", "YES"),
        ("merchant_reference_id", "9"),
        ("execute_affiliate_pixel", "no"),
    ];
    assert_eq!(
        url(&options, &parameters),
        "https://t.example.com/transaction.edit?Merchantreferenceid=9&CID=466744&A=yes&REASON=sent%20back%20%26%20refunded"
    );
}

#[test]
fn the_tracking_url_may_name_the_page() {
    for (base, page) in [
        (
            "https://t.example.com",
            "https://t.example.com/transaction.edit",
        ),
        (
            "https://t.example.com/",
            "https://t.example.com/transaction.edit",
        ),
        (
            "https://t.example.com/transaction.edit",
            "https://t.example.com/transaction.edit",
        ),
        (
            "https://t.example.com/a",
            "https://t.example.com/a/transaction.edit",
        ),
        (
            "https://t.example.com/a/",
            "https://t.example.com/a/transaction.edit",
        ),
    ] {
        let edit = [("transaction_id", "1"), ("approved", "1")];
        assert_eq!(
            url(&[("url", base)], &edit),
            format!("{page}?Transactionid=1&A=yes")
        );
    }
}

#[test]
fn options_are_checked() {
    let message = |options: &[(&str, &str)]| server(options).unwrap_err().to_string();
    assert_eq!(message(&[]), "option \"url\" is required");
    assert_eq!(
        message(&[("url", "http://t.example.com")]),
        "option \"url\" is not an https URL"
    );
    assert_eq!(
        message(&[("url", "https://t.example.com"), ("campaign_id", "x")]),
        "invalid value for option \"campaign_id\": \"x\""
    );
    assert_eq!(
        message(&[("url", "https://t.example.com"), ("password", "p")]),
        "invalid option \"password\""
    );
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        location: None,
        retry_after: Some(Duration::from_secs(7)),
        body: body.to_owned(),
        is_cut: false,
    }
}

#[test]
fn the_body_decides_before_the_status() {
    let success = include_str!("../../../tests/data/linktrust_success.xml");
    let failure = include_str!("../../../tests/data/linktrust_failure.xml");
    let passing = failure.replace("permanent", "temporary");
    let untyped = failure.replace("<Type>permanent</Type>", "");
    let credentials = "Permanent Failure: Invalid authentication credentials.";
    for (status, body, name, message) in [
        (200, success, "delivered", "HTTP 200: succeeded".to_owned()),
        (500, success, "delivered", "HTTP 500: succeeded".to_owned()),
        (200, failure, "failed", format!("HTTP 200: {credentials}")),
        (503, failure, "failed", format!("HTTP 503: {credentials}")),
        (200, &passing, "retry", format!("HTTP 200: {credentials}")),
        (403, &untyped, "retry", format!("HTTP 403: {credentials}")),
        (
            200,
            "<html>",
            "retry",
            "HTTP 200, but the body is no answer of LinkTrust".into(),
        ),
        (
            302,
            "",
            "retry",
            "HTTP 302, but the body is no answer of LinkTrust".into(),
        ),
        (503, "", "retry", "HTTP 503".into()),
        (404, "", "failed", "HTTP 404".into()),
    ] {
        let verdict = judge(&answer(status, body), None);
        assert_eq!(
            (verdict.name(), verdict.message()),
            (name, message.as_str())
        );
    }
}

#[test]
fn a_success_that_understood_something_else_says_so() {
    let parameters: Parameters = [("transaction_id", "1"), ("approved", "yes")]
        .into_iter()
        .collect();
    let sent = Edit::parse(&parameters, None).unwrap();
    let success = include_str!("../../../tests/data/linktrust_success.xml");
    let success = success.replace("<AP>0.00</AP>\n<MP>0.00</MP>\n", "");
    assert_eq!(
        judge(&answer(200, &success), Some(&sent)).message(),
        "HTTP 200: succeeded; A is \"no\", sent was \"yes\""
    );
}

proptest! {
    #[test]
    fn nothing_is_delivered_that_does_not_say_so(body in "\\PC*", status in 100..600u16) {
        let delivered = matches!(judge(&answer(status, &body), None), Verdict::Delivered { .. });
        prop_assert!(!delivered || body.to_ascii_lowercase().contains("succeeded>"));
    }

    #[test]
    fn the_receiver_reads_what_was_sent(parameters in any_edit()) {
        let server = server(&[("url", "https://t.example.com")]).unwrap();
        let url = server.url(Action::Edit, &parameters).unwrap();
        let read = |name| crate::url::query_parameter(&url, name).unwrap().unwrap_or_default();
        let edit = Edit::parse(&parameters, None).unwrap();
        let name = match edit.identification {
            Identification::TransactionId(_) => "Transactionid",
            Identification::ClickId(_) => "ClickID",
            Identification::MerchantReference { .. } => "Merchantreferenceid",
        };
        prop_assert_eq!(read(name), edit.identification.text());
        prop_assert_eq!(read("CID"), parameters.get("campaign_id"));
        prop_assert_eq!(read("AP"), parameters.get("affiliate_payout"));
        prop_assert_eq!(read("MP"), parameters.get("merchant_payout"));
        prop_assert_eq!(read("REASON"), parameters.get("reason"));
    }
}
