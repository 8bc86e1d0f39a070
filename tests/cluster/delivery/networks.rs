//! Networks that are spoken to by URL template: what each gets, and how its answers are read.

use crate::shop::{Shop, shared_cluster};
use crate::support::{Answer, Request};

/// A network as its documentation has it.
struct Network {
    name: &'static str,
    /// Path and query of a sale's template.
    template: &'static str,
    /// Further options of the server.
    options: &'static str,
    /// Path and query of the sale below, as sent.
    sent: &'static str,
    /// What it answers to a sale that it takes: status and body.
    yes: (u16, &'static str),
    /// What it answers to one that it refuses.
    no: (u16, &'static str),
    /// What becomes of that one, and why.
    refused: (&'static str, &'static str),
}

/// With every character that click ids of these networks have beside letters and digits.
const CLICK: &str = "aB!(c)''._-|,9";

const NETWORKS: [Network; 9] = [
    Network {
        name: "tune",
        template: "/aff_lsr?offer_id=9&transaction_id={click_id}&amount={amount}",
        options: ", success_body 'success=true', failure_body 'success=false'",
        sent: "/aff_lsr?offer_id=9&transaction_id=aB%21%28c%29%27._-%7C%2C9&amount=49.90",
        yes: (200, "success=true;12345"),
        // It says 200 either way.
        no: (200, "success=false;Invalid transaction"),
        refused: (
            "parked",
            "HTTP 200: body \"success=false;Invalid transaction\" matches failure_body",
        ),
    },
    Network {
        name: "awin",
        template: "/sread.php?tt=ss&tv=2&merchant=1001&amount={amount}&ch=aw&parts=DEFAULT:{amount}&vc={voucher_code}&cr={currency}&ref={transaction_id}&cks={click_id}",
        options: "",
        sent: "/sread.php?tt=ss&tv=2&merchant=1001&amount=49.90&ch=aw&parts=DEFAULT:49.90&vc=SUMMER%2010%25&cr=EUR&ref=987%2F1&cks=aB%21%28c%29%27._-%7C%2C9",
        yes: (200, ""),
        no: (400, ""),
        refused: ("parked", "HTTP 400"),
    },
    Network {
        name: "cj",
        template: "/u?CID=1501&TYPE=376&METHOD=S2S&CJEVENT={click_id}&OID={transaction_id}&CURRENCY={currency}&AMOUNT={amount}",
        options: "",
        sent: "/u?CID=1501&TYPE=376&METHOD=S2S&CJEVENT=aB%21%28c%29%27._-%7C%2C9&OID=987%2F1&CURRENCY=EUR&AMOUNT=49.90",
        yes: (200, ""),
        no: (403, ""),
        refused: ("parked", "HTTP 403"),
    },
    Network {
        name: "partnerize",
        template: "/conversion/tracking_mode:api/campaign:10l17/clickref:{click_id}/conversionref:{transaction_id}/currency:{currency}/[value:{amount}]",
        options: "",
        // A slash in a value begins no segment.
        sent: "/conversion/tracking_mode:api/campaign:10l17/clickref:aB%21%28c%29%27._-%7C%2C9/conversionref:987%2F1/currency:EUR/[value:49.90]",
        yes: (200, "{}"),
        no: (404, ""),
        refused: ("parked", "HTTP 404"),
    },
    Network {
        name: "everflow",
        template: "/?nid=1337&transaction_id={click_id}&amount={amount}",
        options: "",
        sent: "/?nid=1337&transaction_id=aB%21%28c%29%27._-%7C%2C9&amount=49.90",
        yes: (200, ""),
        no: (500, ""),
        refused: ("retrying", "HTTP 500"),
    },
    Network {
        name: "voluum",
        template: "/postback?cid={click_id}&payout={amount}&txid={transaction_id}",
        options: "",
        sent: "/postback?cid=aB%21%28c%29%27._-%7C%2C9&payout=49.90&txid=987%2F1",
        yes: (200, "OK"),
        no: (429, ""),
        refused: ("retrying", "HTTP 429"),
    },
    Network {
        name: "targetcircle",
        template: "/?tmt_data={click_id}&type=sale&id={transaction_id}&amount={amount}&currency={currency}",
        options: "",
        sent: "/?tmt_data=aB%21%28c%29%27._-%7C%2C9&type=sale&id=987%2F1&amount=49.90&currency=EUR",
        yes: (202, ""),
        no: (503, ""),
        refused: ("retrying", "HTTP 503"),
    },
    Network {
        name: "taboola",
        template: "/actions-handler/log/3/s2s-action?click-id={click_id}&name=sale&revenue={amount}&currency={currency}",
        options: "",
        sent: "/actions-handler/log/3/s2s-action?click-id=aB%21%28c%29%27._-%7C%2C9&name=sale&revenue=49.90&currency=EUR",
        yes: (204, ""),
        no: (400, ""),
        refused: ("parked", "HTTP 400"),
    },
    Network {
        name: "exoclick",
        template: "/tag.php?goal=abc&value={amount}&tag={click_id}",
        options: ", success_body '^OK'",
        sent: "/tag.php?goal=abc&value=49.90&tag=aB%21%28c%29%27._-%7C%2C9",
        yes: (200, "OK"),
        no: (200, "Invalid tag"),
        refused: (
            "retrying",
            "HTTP 200: body \"Invalid tag\" does not match success_body",
        ),
    },
];

#[test]
fn each_network_gets_what_it_asks_for_and_its_answers_are_understood() {
    let mut shop = Shop::open(shared_cluster(), "networks");
    shop.receiver.answer_with(answer_to);
    for network in &NETWORKS {
        let url = shop.receiver.url(&format!("/{}", network.name));
        let Network {
            name,
            template,
            options,
            ..
        } = network;
        shop.sql(&format!(
            "create server {name} foreign data wrapper postback options (
                 sale_url '{url}{template}', allow_http 'true', retry_schedule '1h'{options});
             select s2s.report_sale('{name}', '987/1', 49.9, 'eur', '{CLICK}', voucher_code => 'SUMMER 10%');
             select s2s.report_sale('{name}', '2', 49.9, 'eur', 'refused', voucher_code => 'V')"
        ));
    }
    shop.wait_until_idle();
    let targets = shop.receiver.targets();
    for network in &NETWORKS {
        let name = network.name;
        let of_network = |target: &&String| target.starts_with(&format!("/{name}/"));
        assert_eq!(targets.iter().filter(of_network).count(), 2, "{name}");
        let sent = format!("/{name}{}", network.sent);
        assert!(targets.contains(&sent), "{sent} is not in {targets:#?}");
        let mut became = |transaction: &str| {
            shop.text(&format!(
                "select concat_ws(': ', status, last_error) from s2s.callback
                 where server = '{name}' and transaction_id = '{transaction}'"
            ))
        };
        assert_eq!(became("987/1"), "delivered", "{name}");
        let (status, error) = network.refused;
        assert_eq!(became("2"), format!("{status}: {error}"), "{name}");
    }
}

fn answer_to(request: &Request) -> Answer {
    let name = request.path.split('/').nth(1).unwrap_or_default();
    let network = NETWORKS.iter().find(|network| network.name == name);
    let (status, body) = match network {
        Some(network) if request.target.contains("refused") => network.no,
        Some(network) => network.yes,
        None => (404, ""),
    };
    Answer::status(status).with_body(body)
}
