use super::*;
use proptest::prelude::*;

#[test]
fn unreserved_characters_stay_and_all_others_are_encoded() {
    assert_eq!(encode("AZaz09-._~"), "AZaz09-._~");
    assert_eq!(
        encode("a b+c&d=e/f?g#h:i\"€\n"),
        "a%20b%2Bc%26d%3De%2Ff%3Fg%23h%3Ai%22%E2%82%AC%0A"
    );
}

#[test]
fn bad_escapes_are_refused_with_their_place() {
    let escape = |at| format!("The \"%\" at byte {at} is not followed by two hexadecimal digits.");
    let not_utf8 = || "The decoded bytes are not valid UTF-8.".to_owned();
    for (text, detail) in [
        ("%", escape(1)),
        ("ab%4", escape(3)),
        ("%zz", escape(1)),
        ("%é", escape(1)),
        (
            "x%00",
            "\"%00\" at byte 2 is a NUL character, which text cannot hold.".to_owned(),
        ),
        ("%ff", not_utf8()),
        ("%C3%28", not_utf8()),
    ] {
        assert_eq!(decode(text).unwrap_err().detail, Some(detail), "{text}");
    }
    assert_eq!(decode("a+b%2b").unwrap(), "a+b+");
}

#[test]
fn query_parameters_are_found_and_decoded() {
    let url = "http://yourwebsite.com/landing/page?a&someparameter=0%3A%3A1&x=2#someparameter=9";
    assert_eq!(
        query_parameter(url, "someparameter").unwrap().unwrap(),
        "0::1"
    );
    assert_eq!(query_parameter(url, "a").unwrap().unwrap(), "");
    assert_eq!(query_parameter(url, "nothing").unwrap(), None);
    assert_eq!(query_parameter("https://x.example/p", "a").unwrap(), None);
    assert_eq!(
        query_parameter("?tt%5Bid%5D=5", "tt[id]").unwrap().unwrap(),
        "5"
    );
    assert!(query_parameter("?a=%", "a").is_err());
}

#[test]
fn base_urls_are_absolute_http_without_query() {
    for (text, kept) in [
        (
            "https://ts.tradetracker.net/",
            "https://ts.tradetracker.net/",
        ),
        (
            "https://ts.tradetracker.net",
            "https://ts.tradetracker.net/",
        ),
        ("http://127.0.0.1:8080/s", "http://127.0.0.1:8080/s"),
        ("HTTPS://[::1]:8443/s", "HTTPS://[::1]:8443/s"),
    ] {
        assert_eq!(BaseUrl::parse("base_url", text).unwrap().as_str(), kept);
    }
    let bad_byte = |at| format!("Byte {at} is white space, a control character or not ASCII.");
    for (text, detail) in [
        ("", "It is not absolute."),
        ("ts.tradetracker.net", "It is not absolute."),
        ("//ts.tradetracker.net/", "It is not absolute."),
        (
            "ftp://ts.tradetracker.net/",
            "Its scheme is neither https nor http.",
        ),
        (
            "file:///etc/passwd",
            "Its scheme is neither https nor http.",
        ),
        (
            "https://user:pw@ts.tradetracker.net/",
            "It has user information before the host.",
        ),
        (
            "https://ts.tradetracker.net/#x",
            "It has a fragment (\"#\").",
        ),
        (
            "https://ts.tradetracker.net/?x=1",
            "It has a query (\"?\").",
        ),
        ("https://ts.tradetracker.net/a b", &bad_byte(30)),
        ("https://ts.tradetracker.net/\r\n", &bad_byte(29)),
        ("https://exämple.com/", &bad_byte(11)),
        ("https:///path", "Its host, port or path is malformed."),
        ("https://", "Its host, port or path is malformed."),
        (
            "https://host:99999/",
            "Its host, port or path is malformed.",
        ),
        ("https://host:/", "Its host, port or path is malformed."),
        ("https://host:0/", "Its host, port or path is malformed."),
        ("http://[::1]x:7801", "Its host, port or path is malformed."),
        (
            "http://[::1]:x:7801",
            "Its host, port or path is malformed.",
        ),
        ("http://[::1]x", "Its host, port or path is malformed."),
        ("https://host:+1/", "Its host, port or path is malformed."),
        ("https://[::1/", "Its host, port or path is malformed."),
        ("https://host/%zz", "Its host, port or path is malformed."),
    ] {
        let problem = BaseUrl::parse("base_url", text).unwrap_err();
        assert_eq!(problem.detail.as_deref(), Some(detail), "{text}");
    }
}

#[test]
fn messages_show_scheme_host_and_path() {
    for (url, shown) in [
        ("https://ts.example/a/b", "https://ts.example/a/b"),
        ("https://ts.example/a?b=c", "https://ts.example/a?…"),
        ("https://ts.example/a?b=c@d", "https://ts.example/a?…"),
        ("https://ts.example/a#b", "https://ts.example/a#…"),
        ("https://user:x@ts.example/a?b", "https://…@ts.example/a?…"),
        ("https://ts.example?a=b@c", "…?…"),
        ("ts.example?a=b", "ts.example?…"),
    ] {
        assert_eq!(without_secrets(url), shown);
    }
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    for url in [
        "https://user:s3cret@ts.example/",
        "https://ts.example/transaction.edit?password=s3cret",
        "https://ts.example?a=b@c&password=s3cret",
        "ts.example?password=s3cret",
        "https://ts.example/ ?password=s3cret#x",
        "https://ts.example/p#password=s3cret",
        "https://user:?s3cret@ts.example",
        "https://user:s3cret?@ts.example",
        "https://user:s/3cret@ts.example",
    ] {
        let problem = BaseUrl::parse("base_url", url).unwrap_err();
        assert!(!format!("{problem:?}").contains("3cret"), "{url}");
    }
}

proptest! {
    #[test]
    fn any_text_survives_encode_and_decode(text in "[^\0]*") {
        let encoded = encode(&text);
        prop_assert_eq!(decode(&encoded).unwrap(), text.as_str());
    }

    #[test]
    fn any_parameter_value_survives_the_receivers_decode(a in "[^\0]*", b in "[^\0]*") {
        let mut url = UrlBuilder::new(&BaseUrl::from_static("https://x.example/"));
        url.parameter("a", &a).parameter("b", &b);
        let url = url.build();
        prop_assert_eq!(query_parameter(&url, "a").unwrap().unwrap(), a);
        prop_assert_eq!(query_parameter(&url, "b").unwrap().unwrap(), b);
        prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn base_urls_never_panic(text in "\\PC*") {
        if let Ok(base) = BaseUrl::parse("base_url", &text) {
            prop_assert!(base.as_str().starts_with(&text));
        }
    }
}
