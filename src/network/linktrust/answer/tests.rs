use super::*;
use crate::callback::Parameters;
use proptest::prelude::*;

/// The manual's samples, byte for byte.
const SUCCESS: &str = include_str!("../../../../tests/data/linktrust_success.xml");
const FAILURE: &str = include_str!("../../../../tests/data/linktrust_failure.xml");

fn wrapped(inner: &str) -> String {
    format!("<LinkTrust><ApiResponse>{inner}</ApiResponse></LinkTrust>")
}

#[test]
fn the_manuals_success_is_read() {
    let answer = TransactionAnswer::parse(SUCCESS).unwrap();
    assert!(answer.succeeded);
    assert_eq!(answer.error_type, "");
    assert_eq!(
        answer.supplied,
        Supplied {
            affiliate_payout: "0.00".into(),
            merchant_payout: "0.00".into(),
            approved: "no".into(),
            ..Supplied::default()
        }
    );
}

#[test]
fn the_manuals_failure_is_read_although_it_is_not_well_formed() {
    assert_eq!(
        TransactionAnswer::parse(FAILURE).unwrap(),
        TransactionAnswer {
            succeeded: false,
            error_type: "permanent".into(),
            message: "Permanent Failure: Invalid authentication credentials.".into(),
            supplied: Supplied::default(),
        }
    );
}

#[test]
fn damage_is_tolerated_where_the_verdict_is_clear() {
    for (body, succeeded) in [
        (wrapped("<Succeeded>True</Succeeded>"), true),
        (wrapped("<succeeded> TRUE\n</succeeded>"), true),
        (wrapped("<Succeeded><![CDATA[True]]></Succeeded>"), true),
        (wrapped("<Succeeded>&#84;rue</Succeeded>"), true),
        (
            wrapped("<Succeeded>False</Succeeded></Nothing><a b=c>"),
            false,
        ),
        (wrapped("<Succeeded><Succeeded>False</Succeeded>"), false),
        (
            "\u{feff}<ApiResponse><Succeeded>True</Succeeded><Supp".into(),
            true,
        ),
        (SUCCESS.replace('\n', "\r\n"), true),
        (
            SUCCESS.replace("<CID></CID>", "<CID>a & b &nbsp;</CID>"),
            true,
        ),
        (SUCCESS.replace("UTF-8", "UTF-16"), true),
    ] {
        let read = TransactionAnswer::parse(&body).map(|answer| answer.succeeded);
        assert_eq!(read, Ok(succeeded), "{body}");
    }
}

#[test]
fn whatever_is_no_answer_is_said_to_be_none() {
    const NO_VERDICT: &str = "It has no element \"Succeeded\" that is True or False.";
    let deep = "<x>".repeat(MOST_DEPTH + 1);
    let bomb = format!(
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>{}",
        wrapped("<Succeeded>True</Succeeded>")
    );
    for (body, detail) in [
        ("", NO_VERDICT),
        ("OK", NO_VERDICT),
        ("<html><body>Succeeded: True</body></html>", NO_VERDICT),
        ("<Succeeded>True</Succeeded>", NO_VERDICT),
        (&wrapped("<Succeeded>True"), NO_VERDICT),
        (&wrapped("<Succeeded>&yes;</Succeeded>"), NO_VERDICT),
        (
            &wrapped("<Succeeded>True</Succeeded><Succeeded>False</Succeeded>"),
            NO_VERDICT,
        ),
        (
            &wrapped("<Succeeded></Succeeded><Succeeded>True</Succeeded>"),
            NO_VERDICT,
        ),
        (
            &wrapped("<SuppliedValues><Succeeded>True</Succeeded></SuppliedValues>"),
            NO_VERDICT,
        ),
        (&wrapped("<!-- <Succeeded>True</Succeeded> -->"), NO_VERDICT),
        (&bomb, "It declares a document type."),
        (&deep, "It has more than 32 levels."),
        (&"x".repeat(10 << 20), "It has more than 32768 bytes."),
    ] {
        let shown = &body[..body.len().min(200)];
        assert_eq!(
            TransactionAnswer::parse(body),
            Err(unreadable(detail)),
            "{shown}"
        );
    }
}

#[test]
fn references_are_resolved_and_foreign_ones_stay() {
    let body = wrapped(
        "<Succeeded>False</Succeeded><Error><Message>a &lt;b&gt; &amp; &quot;c&apos; &#233;&#xe9; &nbsp;</Message></Error>",
    );
    let answer = TransactionAnswer::parse(&body).unwrap();
    assert_eq!(answer.message, "a <b> & \"c' éé &nbsp;");
}

#[test]
fn values_that_were_understood_otherwise_are_named() {
    let parameters: Parameters = [
        ("transaction_id", "T-1"),
        ("approved", "no"),
        ("affiliate_payout", "1.5"),
    ]
    .into_iter()
    .collect();
    let sent = Edit::parse(&parameters, None).unwrap();
    let mut supplied = Supplied {
        transaction_id: "T-1".into(),
        affiliate_payout: "1.50".into(),
        approved: "No".into(),
        ..Supplied::default()
    };
    assert_eq!(supplied.differences(&sent), Vec::<String>::new());
    supplied.affiliate_payout = "1.5000".into();
    assert_eq!(supplied.differences(&sent), Vec::<String>::new());
    supplied.affiliate_payout = "150".into();
    supplied.merchant_payout = "0.00".into();
    assert_eq!(
        supplied.differences(&sent),
        [
            "AP is \"150\", sent was \"1.50\"",
            "MP is \"0.00\", which was not sent"
        ]
    );
}

proptest! {
    #[test]
    fn no_text_panics_or_succeeds_without_saying_so(
        text in "\\PC*|(<|>|/|&|;|#|!|\\[|\\]|-|True|False|Succeeded|ApiResponse|Error|DOCTYPE| |\"|\\?){0,60}"
    ) {
        if let Ok(answer) = TransactionAnswer::parse(&text) {
            prop_assert!(!answer.succeeded || text.to_ascii_lowercase().contains("succeeded"));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = TransactionAnswer::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_damaged_failure_never_succeeds(at in 0..FAILURE.len(), with in "\\PC{0,3}|</?[A-Z]{1,3}>", cut in 0..9usize) {
        let end = (at + cut).min(FAILURE.len());
        let body = format!("{}{with}{}", &FAILURE[..at], &FAILURE[end..]);
        prop_assert!(!TransactionAnswer::parse(&body).is_ok_and(|answer| answer.succeeded));
    }

    #[test]
    fn a_truncated_success_succeeds_only_after_its_verdict(at in 0..SUCCESS.len()) {
        let whole = SUCCESS.find("</Succeeded>").unwrap() + "</Succeeded>".len();
        let read = TransactionAnswer::parse(&SUCCESS[..at]).is_ok_and(|answer| answer.succeeded);
        prop_assert_eq!(read, at >= whole);
    }
}
