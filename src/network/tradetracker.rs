//! TradeTracker: server-to-server callbacks for leads and sales.
//!
//! Source: the network's manual "Setting up Server to Server (S2S) tracking". Parameters and
//! their order are the manual's; `vc` is left out when there is no voucher, as in its example,
//! and every other parameter is there even when empty.

use super::options::{Options, value_of};
use super::{Account, Network};
use crate::callback::{Action, Conversion, Lead, Parameters, PositiveId, Sale};
use crate::click_id::Form;
use crate::mapping::ParameterNames;
use crate::problem::Problem;
use crate::url::{BaseUrl, UrlBuilder};

/// Where leads are reported to.
pub const LEAD_URL: BaseUrl = BaseUrl::from_static("https://tl.tradetracker.net/");
/// Where sales are reported to.
pub const SALE_URL: BaseUrl = BaseUrl::from_static("https://ts.tradetracker.net/");

/// The network.
pub static NETWORK: Network = Network {
    name: "tradetracker",
    options: &[
        "campaign_id",
        "product_id",
        "tracking_group_id",
        "lead_url",
        "sale_url",
        "click_ids",
    ],
    click_ids: Some(Form::TradeTracker),
    wants_password: false,
    actions: &[(Action::Lead, LEAD), (Action::Sale, SALE)],
    read_account: |options| Ok(Box::new(Campaign::read(options)?)),
};

const LEAD: ParameterNames = ParameterNames {
    known: &[
        "transaction_id",
        "click_id",
        "description_merchant",
        "description_affiliate",
        "voucher_code",
        "product_id",
        "tracking_group_id",
    ],
    required: &["transaction_id"],
    open: false,
};

const SALE: ParameterNames = ParameterNames {
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
    required: &["transaction_id", "amount", "currency"],
    open: false,
};

/// A campaign, and where to report to.
#[derive(Debug)]
pub struct Campaign {
    /// `cid`
    pub campaign_id: PositiveId,
    /// `pid`, unless the conversion has one of its own.
    pub product_id: PositiveId,
    /// `tgi`, the tracking group of campaigns in several countries, unless the conversion has one.
    pub tracking_group_id: String,
    /// Base of lead URLs.
    pub lead_url: BaseUrl,
    /// Base of sale URLs.
    pub sale_url: BaseUrl,
}

impl Account for Campaign {
    fn network(&self) -> &'static Network {
        &NETWORK
    }

    fn check_new(&self, _options: &Options) -> Result<(), Problem> {
        self.lead_url.check_new(&value_of("lead_url"))?;
        self.sale_url.check_new(&value_of("sale_url"))
    }

    fn check_constant(&self, name: &str, text: &str) -> Result<(), Problem> {
        match name {
            "product_id" => PositiveId::parse(name, text).map(drop),
            _ => Ok(()),
        }
    }

    fn url(&self, action: Action, parameters: &Parameters) -> Result<String, Problem> {
        match action {
            Action::Lead => Ok(self.lead_url(&Lead::parse(parameters)?)),
            Action::Sale => Ok(self.sale_url(&Sale::parse(parameters)?)),
            Action::Edit => Err(NETWORK.no_such_action(action)),
        }
    }

    fn check_parameters(&self, action: Action, parameters: &Parameters) -> Result<(), Problem> {
        match action {
            Action::Lead => Lead::parse(parameters).map(drop),
            Action::Sale => Sale::parse(parameters).map(drop),
            Action::Edit => Err(NETWORK.no_such_action(action)),
        }
    }
}

impl Campaign {
    fn read(options: &Options) -> Result<Campaign, Problem> {
        let id = |name| options.id(name)?.ok_or_else(|| options.missing(name));
        Ok(Campaign {
            campaign_id: id("campaign_id")?,
            product_id: id("product_id")?,
            tracking_group_id: options.text("tracking_group_id").to_owned(),
            lead_url: options.base_url("lead_url")?.unwrap_or(LEAD_URL),
            sale_url: options.base_url("sale_url")?.unwrap_or(SALE_URL),
        })
    }

    /// The URL that reports a lead.
    pub fn lead_url(&self, lead: &Lead) -> String {
        let Lead(conversion) = lead;
        let mut url = self.start(&self.lead_url, conversion);
        url.parameter("descrMerchant", conversion.description_merchant)
            .parameter("descrAffiliate", conversion.description_affiliate)
            .parameter("data", conversion.click_id_text())
            .parameter_if_any("vc", conversion.voucher_code);
        url.build()
    }

    /// The URL that reports a sale.
    pub fn sale_url(&self, sale: &Sale) -> String {
        let conversion = &sale.conversion;
        let mut url = self.start(&self.sale_url, conversion);
        url.number("tam", sale.amount)
            .parameter("descrMerchant", conversion.description_merchant)
            .parameter("descrAffiliate", conversion.description_affiliate)
            .parameter("currency", sale.currency.code())
            .parameter("data", conversion.click_id_text())
            .parameter_if_any("vc", conversion.voucher_code);
        url.build()
    }

    fn start(&self, base: &BaseUrl, conversion: &Conversion) -> UrlBuilder {
        let product_id = conversion.product_id.unwrap_or(self.product_id);
        let tracking_group_id = match conversion.tracking_group_id {
            "" => &self.tracking_group_id,
            own => own,
        };
        let mut url = UrlBuilder::new(base);
        url.parameter("s2s", "1")
            .number("cid", self.campaign_id)
            .number("pid", product_id)
            .parameter("tgi", tracking_group_id)
            .parameter("tid", conversion.transaction_id);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::super::Server;
    use super::*;
    use proptest::prelude::*;

    const CLICK_ID: &str = "0::12345::reference::::1405418672";

    fn url(options: &[(&str, &str)], action: Action, parameters: &[(&str, &str)]) -> String {
        let required = [("campaign_id", "1234"), ("product_id", "56")];
        let options = required.iter().chain(options).copied();
        let server = Server::parse("games_nl", &NETWORK, options).unwrap();
        let parameters: Parameters = parameters.iter().copied().collect();
        server.url(action, &parameters).unwrap()
    }

    #[test]
    fn the_manuals_lead() {
        let parameters = [
            ("transaction_id", "123456"),
            ("click_id", CLICK_ID),
            ("description_merchant", "new player"),
            ("description_affiliate", "new player"),
        ];
        assert_eq!(
            url(&[], Action::Lead, &parameters),
            "https://tl.tradetracker.net/?s2s=1&cid=1234&pid=56&tgi=&tid=123456\
             &descrMerchant=new%20player&descrAffiliate=new%20player\
             &data=0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672"
        );
    }

    #[test]
    fn a_sale_with_a_voucher() {
        let parameters = [
            ("transaction_id", "987"),
            ("amount", "49.9"),
            ("currency", "eur"),
            ("click_id", CLICK_ID),
            ("voucher_code", "SUMMER 10%"),
        ];
        assert_eq!(
            url(&[], Action::Sale, &parameters),
            "https://ts.tradetracker.net/?s2s=1&cid=1234&pid=56&tgi=&tid=987&tam=49.90\
             &descrMerchant=&descrAffiliate=&currency=EUR\
             &data=0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672&vc=SUMMER%2010%25"
        );
    }

    #[test]
    fn the_conversion_overrides_product_and_tracking_group() {
        let options = [
            ("tracking_group_id", "7"),
            ("lead_url", "https://t.shop.example/l"),
        ];
        let lead = [("transaction_id", "1"), ("voucher_code", "V")];
        assert_eq!(
            url(&options, Action::Lead, &lead),
            "https://t.shop.example/l?s2s=1&cid=1234&pid=56&tgi=7&tid=1&descrMerchant=&descrAffiliate=&data=&vc=V"
        );
        let own = [
            lead[0],
            lead[1],
            ("product_id", "9"),
            ("tracking_group_id", "8"),
        ];
        assert_eq!(
            url(&options, Action::Lead, &own),
            "https://t.shop.example/l?s2s=1&cid=1234&pid=9&tgi=8&tid=1&descrMerchant=&descrAffiliate=&data=&vc=V"
        );
    }

    proptest! {
        #[test]
        fn the_receiver_reads_what_was_sent(
            transaction in "[^\\pC ][^\\pC]{0,30}",
            voucher in "[^\0]{0,15}[^\0\\s][^\0]{0,15}",
            description in "[^\0]{0,30}",
        ) {
            let sent = url(&[], Action::Lead, &[
                ("transaction_id", &transaction),
                ("voucher_code", &voucher),
                ("description_affiliate", &description),
            ]);
            let read = |name| crate::url::query_parameter(&sent, name).unwrap().unwrap();
            prop_assert_eq!(read("tid"), transaction);
            prop_assert_eq!(read("vc"), voucher);
            prop_assert_eq!(read("descrAffiliate"), description);
            prop_assert_eq!(read("data"), "");
        }
    }
}
