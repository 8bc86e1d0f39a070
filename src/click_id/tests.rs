use super::*;
use proptest::prelude::*;

const MANUAL: &str = "0::12345::reference::::1405418672";
const LINKTRUST: &str = "04_835477_fb93f424-788d-4c48-bfb1-98516f855839";

#[test]
fn fields_are_read_from_both_ends() {
    let md5 = "c83b23df3e4be73b2aa751dbd2fc248e";
    let magento = "0:3:AbC+/dEf0123==";
    for (text, reference, checksum) in [
        (MANUAL.to_owned(), "reference", ""),
        ("12::54321::def::::1405419867".to_owned(), "def", ""),
        (format!("0::18897::::{md5}::1405418672"), "", md5),
        (
            format!("1234567::12345::https://a.example/x::y::{magento}::1405418672"),
            "https://a.example/x::y",
            magento,
        ),
        ("0::1::::::::140541867".to_owned(), "::", ""),
        ("0::1::two words::::14054186720".to_owned(), "two words", ""),
    ] {
        let id = TradeTrackerId::parse(&text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((id.reference, id.checksum), (reference, checksum), "{text}");
        assert_eq!(ClickId::parse(&text).unwrap().as_str(), text);
    }
}

#[test]
fn checksums_are_verified_against_the_campaign() {
    let text = "0::18897::::c83b23df3e4be73b2aa751dbd2fc248e::1405418672";
    let id = TradeTrackerId::parse(text).unwrap();
    assert_eq!(id.checksum_ok(14986), Some(true));
    assert_eq!(id.checksum_ok(14987), Some(false));
    assert_eq!(TradeTrackerId::parse(MANUAL).unwrap().checksum_ok(1), None);
}

#[test]
fn percent_encoded_tradetracker_ids_are_decoded_once() {
    let encoded = url::encode(MANUAL).into_owned();
    assert_eq!(ClickId::parse(&encoded).unwrap().as_str(), MANUAL);
    let twice = url::encode(&encoded).into_owned();
    assert_eq!(ClickId::parse(&twice).unwrap().as_str(), twice);
    for kept in ["a%3A%3Ab", "50%", "%zz", "0::1::a%20b::::1405418672"] {
        assert_eq!(ClickId::parse(kept).unwrap().as_str(), kept);
    }
}

#[test]
fn an_encoded_id_is_as_long_as_its_decoded_value() {
    let reference = "\u{20ac}".repeat(84);
    let id = format!("0::12345::{reference}::::1405418672");
    let encoded = url::encode(&id).into_owned();
    assert!(encoded.len() > MAX_LENGTH, "{}", encoded.len());
    assert_eq!(ClickId::parse(&encoded).unwrap().as_str(), id);
    let escapes = |id: &str| {
        id.bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect::<String>()
    };
    let longest = format!("0::12345::{}::::1405418672", "a".repeat(MAX_LENGTH - 24));
    assert_eq!(
        ClickId::parse(&escapes(&longest)).unwrap().as_str(),
        longest
    );
    let longer = longest.replace("::::", "a::::");
    for (text, length) in [
        (url::encode(&longer).into_owned(), 513),
        (escapes(&longer), 1539),
    ] {
        assert_eq!(
            ClickId::parse(&text).unwrap_err().detail.unwrap(),
            format!("It has {length} bytes; at most 512 are allowed.")
        );
    }
}

#[test]
fn a_url_never_raises() {
    let encoded = url::encode(MANUAL);
    assert_eq!(
        ClickId::in_url(&format!("https://shop.example/?a=1&tt={encoded}#top"), "tt"),
        Some(ClickId::parse(MANUAL).unwrap())
    );
    for value in [
        "",
        "a%20b",
        "%FF",
        "%00",
        "%zz",
        "%",
        "%0A",
        "[marker]x[/marker]",
        &"x".repeat(513),
    ] {
        assert_eq!(
            ClickId::in_url(&format!("/?tt={value}"), "tt"),
            None,
            "{value}"
        );
    }
    assert_eq!(ClickId::in_url("/?a=1", "tt"), None);
    assert_eq!(ClickId::in_url("", ""), None);
}

#[test]
fn a_decoded_id_obeys_the_same_rules() {
    let text = "0%3A%3A1%3A%3Aa%0Ab%3A%3A%3A%3A1405418672";
    assert_eq!(
        ClickId::parse(text).unwrap_err().one_line(),
        format!(
            "invalid input syntax for type click_id: \"{text}\": There is a control character at byte 8."
        )
    );
}

#[test]
fn networks_are_known_by_form() {
    assert_eq!(network_of(MANUAL), Some(Form::TradeTracker));
    assert_eq!(network_of(LINKTRUST), Some(Form::LinkTrust));
    for opaque in [
        "abc",
        "1_2_3",
        "EAIaIQobChMI!'()._-|,",
        &LINKTRUST.replace("835477", &"9".repeat(100)),
        "04_835477_fb93f424-788d-4c48-bfb1-98516f85583",
    ] {
        assert_eq!(network_of(opaque), None);
        assert!(ClickId::parse(opaque).is_ok());
    }
}

#[test]
fn malformed_ids_are_refused_by_name() {
    for (text, detail) in [
        ("", "A click id has at least one character."),
        (" ", "There is white space before or after it."),
        ("a ", "There is white space before or after it."),
        ("\u{a0}a", "There is white space before or after it."),
        (
            "a b",
            "There is white space or an invisible character at byte 2.",
        ),
        (
            "a\u{200b}b",
            "There is white space or an invisible character at byte 2.",
        ),
        ("a\tb", "There is a control character at byte 2."),
        ("a\n", "There is a control character at byte 2."),
        ("a\u{7f}", "There is a control character at byte 2."),
        ("a\u{85}b", "There is a control character at byte 2."),
        (
            "[marker]0::12345::abc::::1405418672[/marker]",
            "It holds \"[marker]\" or \"[/marker]\".",
        ),
        (
            "%5Bmarker%5Dabc%5B/marker%5D",
            "It holds \"[marker]\" or \"[/marker]\".",
        ),
        (
            &"x".repeat(513),
            "It has 513 bytes; at most 512 are allowed.",
        ),
    ] {
        let problem = ClickId::parse(text).unwrap_err();
        assert_eq!(problem.detail.as_deref(), Some(detail), "{text:?}");
    }
    assert!(ClickId::parse(&"x".repeat(512)).is_ok());
}

#[test]
fn modifiers_name_the_field_that_is_wrong() {
    for (text, start) in [
        (
            "abc",
            "A TradeTracker click id has five fields separated by \"::\"; this has 1.",
        ),
        (
            "0::12345::reference::1405418672",
            "A TradeTracker click id has five fields separated by \"::\"; this has 4.",
        ),
        (
            "x::12345::r::::1405418672",
            "The first field, the material id,",
        ),
        (
            "::12345::r::::1405418672",
            "The first field, the material id,",
        ),
        (
            "-1::12345::r::::1405418672",
            "The first field, the material id,",
        ),
        (
            "1234567890123456789::12345::r::::1405418672",
            "The first field, the material id,",
        ),
        (
            "0::::r::::1405418672",
            "The second field, the affiliate id,",
        ),
        (
            "0::1.5::r::::1405418672",
            "The second field, the affiliate id,",
        ),
        (
            "0::1::r::abc::1405418672",
            "The last field but one, the checksum,",
        ),
        (
            "0::1::r::0:3:====::1405418672",
            "The last field but one, the checksum,",
        ),
        (
            "0::1::r::::12345678",
            "The last field, the time of the click,",
        ),
        (
            "0::1::r::::123456789012",
            "The last field, the time of the click,",
        ),
        (
            "0::1::r::::14054186xx",
            "The last field, the time of the click,",
        ),
        ("0::1::r::::", "The last field, the time of the click,"),
    ] {
        let problem = ClickId::parse_as(text, Form::TradeTracker).unwrap_err();
        assert!(problem.detail.unwrap().starts_with(start), "{text}");
    }
    assert!(ClickId::parse_as(LINKTRUST, Form::LinkTrust).is_ok());
    assert!(ClickId::parse_as("T1", Form::LinkTrust).is_ok());
    let problem = ClickId::parse_as(MANUAL, Form::LinkTrust).unwrap_err();
    assert_eq!(
        problem.detail.unwrap(),
        "Byte 2 is not a letter, a digit, \"_\" or \"-\"."
    );
    assert!(ClickId::parse_as(&"a".repeat(129), Form::LinkTrust).is_err());
}

/// Any click id that a TradeTracker redirect could make.
pub(crate) fn tradetracker_id() -> impl Strategy<Value = String> {
    (
        0..10_000_000u32,
        1..1_000_000u32,
        "[^\\pC]{0,40}",
        prop_oneof![
            Just(String::new()),
            "[0-9a-f]{32}",
            "0:3:[A-Za-z0-9+/]{8,40}={0,2}"
        ],
        100_000_000..99_999_999_999u64,
    )
        .prop_map(|(material, affiliate, reference, checksum, time)| {
            format!("{material}::{affiliate}::{reference}::{checksum}::{time}")
        })
}

proptest! {
    #[test]
    fn any_tradetracker_id_is_kept_and_survives_a_url(id in tradetracker_id()) {
        let parsed = ClickId::parse_as(&id, Form::TradeTracker).unwrap();
        prop_assert_eq!(parsed.as_str(), &id);
        let landing = format!("https://shop.example/?tt={}#top", url::encode(&id));
        let value = url::query_parameter(&landing, "tt").unwrap().unwrap();
        let read = ClickId::parse(&value).unwrap();
        prop_assert_eq!(read.as_str(), &id);
    }

    #[test]
    fn parsing_never_panics_and_is_idempotent(text in "\\PC{0,600}") {
        if let Ok(id) = ClickId::parse(&text) {
            let once = id.as_str().to_owned();
            let again = ClickId::parse(&once).unwrap();
            prop_assert_eq!(again.as_str(), &once);
        }
    }

    #[test]
    fn a_plain_id_has_nothing_that_is_looked_for(
        text in "[!-~]{1,20}|[!a\\[\t\u{7f}\u{85}é\u{200b} ]{1,3}|a?\\[/?marker\\]"
    ) {
        let is_clean = text.chars().all(|c| {
            !c.is_control() && !c.is_whitespace() && !is_invisible(c)
        }) && check_marker(&text, &text).is_ok();
        prop_assert!(is_clean || !is_plain(&text));
    }

    #[test]
    fn colons_everywhere_are_parsed_without_panic(text in "[0-9a:%3A ]{0,60}") {
        let _ = ClickId::parse(&text);
        let _ = network_of(&text);
    }
}
