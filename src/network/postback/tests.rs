use super::*;
use crate::delivery::Reply;
use crate::network::Server;

fn server(options: &[(&str, &str)]) -> Result<Server, Problem> {
    Server::parse("any", &NETWORK, options.iter().copied())
}

const SALE: [(&str, &str); 4] = [
    ("transaction_id", "987/1"),
    ("amount", "49.9"),
    ("currency", "eur"),
    ("click_id", "aB!(c)'._-|,9"),
];

fn url(server: &Server, action: Action, parameters: &[(&str, &str)]) -> Result<String, String> {
    let parameters: Parameters = parameters.iter().copied().collect();
    server
        .url(action, &parameters)
        .map_err(|problem| problem.one_line())
}

fn verdict(server: &Server, status: u16, body: &str) -> &'static str {
    let reply = Reply::Answer(Answer {
        status,
        location: None,
        retry_after: None,
        body: body.into(),
        is_cut: false,
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
        message("parameter \"affiliate_payout\" is missing: Given are transaction_id, approved.")
    );
    assert_eq!(
        url(&server, Action::Edit, &edit[1..]),
        message(
            "transaction_id, click_id or merchant_reference_id is required: Nothing says which transaction is meant."
        )
    );
    assert_eq!(
        url(&server, Action::Sale, &SALE),
        message("option \"sale_url\" is not set")
    );
}

#[test]
fn expressions_see_the_beginning_of_a_body() {
    let options = [
        ("sale_url", "https://t.example/"),
        ("success_body", "(?i)status.{1,3}ok"),
    ];
    let server = server(&options).unwrap();
    for (length, verdict) in [(0, "delivered"), (8_000, "delivered"), (9_000, "retry")] {
        let reply = Reply::Answer(Answer {
            status: 200,
            location: None,
            retry_after: None,
            body: "é".repeat(length / 2) + "Status: OK",
            is_cut: false,
        });
        let judged = server.judge(Action::Sale, &Parameters::new(), &reply);
        assert_eq!(judged.name(), verdict, "{length}");
    }
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
    for huge in ["a{1000}{1000}{1000}", "[ab][a-c]{12000}[bd]"] {
        assert_eq!(
            message(&[("sale_url", "https://t.example/"), ("success_body", huge)]),
            format!(
                "invalid value for option \"success_body\": \"{huge}\": Compiled regex exceeds size limit of 131072 bytes."
            )
        );
    }
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
        let names = server.parameter_names(Action::Sale).unwrap();
        let arguments = ["transaction_id={id}", "click_id={c}"]
            .iter()
            .chain(arguments);
        let mapping = Mapping::parse(arguments.copied(), names).unwrap();
        server
            .check_mapping(Action::Sale, &mapping)
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
        server
            .parameter_names(Action::Lead)
            .unwrap_err()
            .hint
            .unwrap(),
        "Add it, as in ALTER SERVER … OPTIONS (ADD lead_url 'https://…')."
    );
}
