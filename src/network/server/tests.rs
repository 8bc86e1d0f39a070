use super::super::{linktrust, postback, tradetracker};
use super::*;
use crate::delivery::FailureKind;
use crate::delivery::reply::MOST_READ;
use crate::url::without_secrets;
use std::time::Duration;

fn server(options: &[(&str, &str)]) -> Server {
    let required = [("campaign_id", "1234"), ("product_id", "56")];
    Server::parse(
        "s",
        &tradetracker::NETWORK,
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
        is_cut: false,
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
        let parameters: Parameters = [
            ("transaction_id", "1".to_owned()),
            ("voucher_code", "c".to_owned()),
            ("description_merchant", "x".repeat(length)),
        ]
        .into_iter()
        .collect();
        server(&[]).url(Action::Lead, &parameters)
    };
    assert!(url(63_000).is_ok());
    assert_eq!(
        url(1 << 20).unwrap_err().one_line(),
        "the URL is too long: It has 1048679 bytes or more; at most 64000 are allowed."
    );
}

#[test]
fn a_click_id_of_another_form_is_refused_unless_the_server_takes_any() {
    let url = |options: &[_], click_id: &str| {
        let parameters = [("transaction_id", "1"), ("click_id", click_id)];
        let parameters: Parameters = parameters.into_iter().collect();
        let server = server(options);
        let url = server.url(Action::Lead, &parameters);
        assert_eq!(
            server.check_parameters(Action::Lead, &parameters),
            url.clone().map(drop)
        );
        url.map(|url| url[url.find("data=").unwrap()..].to_owned())
    };
    let own = "data=0%3A%3A12345%3A%3Aabc%3A%3A%3A%3A1405418672";
    let mut id = "0::12345::abc::::1405418672".to_owned();
    for _ in 0..5 {
        assert_eq!(url(&[], &id).unwrap(), own);
        id = crate::url::encode(&id).into_owned();
    }
    for (id, fields) in [
        ("987", 1),
        ("49.90", 1),
        ("{click_id}", 1),
        ("{$tracking_code}", 1),
        ("a::b", 2),
        (&id, 1),
    ] {
        let problem = url(&[], id).unwrap_err();
        assert_eq!(
            problem.one_line(),
            format!(
                "invalid click_id: {}: A TradeTracker click id has five fields separated by \"::\"; this has {fields}.",
                Quoted(id)
            )
        );
        assert!(
            problem
                .hint
                .unwrap()
                .ends_with("ALTER SERVER \"s\" OPTIONS (ADD click_ids 'any').")
        );
        let sent = format!("data={}", crate::url::encode(id));
        assert_eq!(url(&[("click_ids", "any")], id).unwrap(), sent);
    }
    assert_eq!(
        url(&[("click_ids", "own")], "0::12345::abc::::1405418672").unwrap(),
        own
    );
    let options = [("url", "https://t.example.com")];
    let linktrust = Server::parse("lt", &linktrust::NETWORK, options).unwrap();
    let check = |id: &str| {
        let edit = [("click_id", id), ("approved", "no")];
        linktrust.check_parameters(Action::Edit, &edit.into_iter().collect())
    };
    assert_eq!(
        check("04_835477_fb93f424-788d-4c48-bfb1-98516f855839"),
        Ok(())
    );
    assert_eq!(
        check("0::12345::abc::::1405418672").unwrap_err().one_line(),
        "invalid click_id: \"0::12345::abc::::1405418672\": Byte 2 is not a letter, a digit, \"_\" or \"-\"."
    );
}

#[test]
fn what_cannot_work_is_refused_of_new_servers_alone() {
    let check = |network, options: &[(&str, &str)]| {
        let options = options.iter().copied();
        let server = Server::parse("s", network, options.clone()).expect("a stored server");
        server
            .check_new(options)
            .map_err(|problem| problem.one_line())
    };
    for (option, text, detail) in [
        (
            "sale_url",
            "https://t.example.com",
            "No placeholder in it says which conversion is meant.",
        ),
        (
            "sale_url",
            "https://t.example.com/p?a=1",
            "No placeholder in it says which conversion is meant.",
        ),
        (
            "sale_url",
            "https://t.example.com/p?a={approved}",
            "No placeholder in it says which conversion is meant.",
        ),
        (
            "edit_url",
            "https://t.example.com/p?a={amount}",
            "No placeholder in it says which conversion is meant.",
        ),
        (
            "sale_url",
            "https://t.example.com/p?c={click_id}&o=ORDER_ID",
            "\"ORDER_ID\" at byte 40 looks like a macro of a manual, which nothing replaces.",
        ),
        (
            "lead_url",
            "https://t.example.com/p?c=[campaign_id]&d={click_id}",
            "\"[campaign_id]\" at byte 27 looks like a macro of a manual, which nothing replaces.",
        ),
    ] {
        let shown = without_secrets(text);
        assert_eq!(
            check(&postback::NETWORK, &[(option, text)]).unwrap_err(),
            format!("invalid value for option \"{option}\": \"{shown}\": {detail}")
        );
    }
    let works = ("sale_url", "https://t.example.com/p?c={click_id}");
    for (option, detail) in [
        ("success_body", "Every body matches it."),
        (
            "failure_body",
            "Every body matches it: each callback would have failed.",
        ),
    ] {
        assert_eq!(
            check(&postback::NETWORK, &[works, (option, "")]).unwrap_err(),
            format!("invalid value for option \"{option}\": \"\": {detail}")
        );
    }
    for template in [
        "https://t.example.com/p?s={subid}",
        "https://[::1]/{click_id}",
    ] {
        assert_eq!(check(&postback::NETWORK, &[("edit_url", template)]), Ok(()));
    }
    let numbers = [("campaign_id", "1234"), ("product_id", "56")];
    for (url, message) in [
        (
            "https://tl.tradetracker.net/{click_id}",
            "invalid value for option \"lead_url\": \"https://tl.tradetracker.net/{click_id}\": The brace at byte 29 is no placeholder: the network's parameters are added to this URL.",
        ),
        (
            "https://[TrackingURL.com]/",
            "invalid value for option \"lead_url\": \"https://[TrackingURL.com]/\": \"[TrackingURL.com]\" is what the network's manual writes for the host of your own account.",
        ),
    ] {
        let options = [numbers[0], numbers[1], ("lead_url", url)];
        assert_eq!(
            check(&tradetracker::NETWORK, &options).unwrap_err(),
            message
        );
    }
    assert!(
        check(
            &linktrust::NETWORK,
            &[("url", "https://[TrackingURL.com]/")]
        )
        .is_err()
    );
    assert_eq!(
        check(&linktrust::NETWORK, &[("url", "https://[::1]/")]),
        Ok(())
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
    assert_eq!(error.hint.unwrap(), "It has report_lead, report_sale.");
}

#[test]
fn a_sale_at_linktrust_names_what_the_network_can_do() {
    let options = [("url", "https://t.example.com")];
    let server = Server::parse("lt", &linktrust::NETWORK, options).unwrap();
    for error in [
        server.url(Action::Sale, &Parameters::new()).unwrap_err(),
        server.parameter_names(Action::Sale).unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(message.ends_with("network linktrust has no action \"sale\""));
        assert_eq!(error.hint.unwrap(), "It has edit_transaction.");
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
    let server = Server::parse("lt", &linktrust::NETWORK, options).unwrap();
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
        is_cut: false,
    });
    let shown = format!("{:?}", redacted(reply, &secret));
    assert!(!shown.contains("s3cret") && shown.contains("https://x/***/"));
    let failure = |message: &str| {
        Reply::Failure(Failure {
            kind: FailureKind::NotHttp,
            ambiguous: true,
            message: message.into(),
        })
    };
    assert_eq!(
        redacted(failure("a s3cret& b"), &secret),
        failure("a *** b")
    );
}

#[test]
fn a_part_of_a_password_is_not_kept_wherever_an_answer_or_a_message_is_cut() {
    let secret = Secret::new("s3cret&").unwrap();
    // Redacted, a body of passwords is so short that its end is kept.
    for (repeated, count) in [
        ("s3cret%26", 7281),
        ("S3CRET&", 9362),
        ("s3c\nret%2526", 5461),
    ] {
        let body = repeated.repeat(count) + repeated;
        let body = &body[..MOST_READ];
        let answer = Answer {
            status: 200,
            location: None,
            retry_after: None,
            body: body.to_owned(),
            is_cut: true,
        };
        let Reply::Answer(answer) = redacted(Reply::Answer(answer), &secret) else {
            panic!("an answer stays one");
        };
        assert_eq!(answer.body.replace("***", ""), "", "{repeated}");
    }
    for (message, shown) in [
        (
            "HTTP 200: body \"no s3cr…\" matches",
            "HTTP 200: body \"no ***…\" matches",
        ),
        ("HTTP 200: s3cret&, s3…", "HTTP 200: ***, ***…"),
        ("HTTP 200: no s3cr", "HTTP 200: no s3cr"),
    ] {
        assert_eq!(redacted_message(message, &secret), shown);
    }
}

#[test]
fn a_password_that_hides_the_verdict_does_not_change_it() {
    let options = [("url", "https://t.example.com")];
    let server = Server::parse("lt", &linktrust::NETWORK, options).unwrap();
    let judge = |body: &str, password: &str| {
        let reply = Reply::Answer(Answer {
            status: 200,
            location: None,
            retry_after: None,
            body: body.into(),
            is_cut: false,
        });
        let parameters: Parameters = [("transaction_id", "1"), ("approved", "yes")]
            .into_iter()
            .collect();
        let secret = Secret::new(password);
        server.judge_redacted(Action::Edit, &parameters, reply, secret.as_ref())
    };
    let success = include_str!("../../../tests/data/linktrust_success.xml");
    let failure = include_str!("../../../tests/data/linktrust_failure.xml");
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
        let server = Server::parse("lt", &linktrust::NETWORK, options).unwrap();
        let names = server.parameter_names(Action::Edit).unwrap();
        let mut mapping = Mapping::parse(arguments.iter().copied(), names).unwrap();
        if mapping.needs_click_id(Action::Edit) {
            mapping.default_click_id("click_id");
        }
        server
            .check_mapping(Action::Edit, &mapping)
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

#[test]
fn errors_of_calls_name_the_server_and_what_identifies_the_conversion() {
    let server = server(&[]);
    for (parameters, place) in [
        (
            &[("click_id", "c"), ("transaction_id", "T 1")][..],
            r#"server "s", transaction id "T 1""#,
        ),
        (&[("click_id", "c")], r#"server "s", click id "c""#),
        (
            &[("merchant_reference_id", "7")],
            r#"server "s", merchant reference id "7""#,
        ),
        (&[("amount", "1")], r#"server "s""#),
    ] {
        let parameters = parameters.iter().copied().collect();
        assert_eq!(server.place(&parameters), place);
    }
}
