use super::super::{Server, tradetracker};
use super::*;

fn server(options: &[(&str, &str)]) -> Result<Server, Problem> {
    let required = [("campaign_id", "1"), ("product_id", "2")];
    Server::parse(
        "s",
        &tradetracker::NETWORK,
        required.iter().chain(options).copied(),
    )
}

#[test]
fn options_are_read() {
    let server = server(&[
        ("max_in_flight", "4"),
        ("requests_per_second", "2.5"),
        ("timeout", "500ms"),
        ("max_attempts", "3"),
        ("retry_schedule", "1s, 2m,3h,1d"),
        ("retry_ambiguous", "off"),
        ("paused", "TRUE"),
        ("ca_file", "/etc/ssl/own.pem"),
    ])
    .unwrap();
    assert!(server.paused);
    assert_eq!(
        server.limits,
        Limits {
            max_in_flight: 4,
            requests_per_second: Some(2.5),
            ..Limits::default()
        }
    );
    assert_eq!(
        server.request,
        RequestOptions {
            timeout: Duration::from_millis(500),
            allow_http: false,
            ca_file: Some("/etc/ssl/own.pem".into()),
        }
    );
    assert_eq!(
        server.retry,
        RetryPolicy {
            max_attempts: 3,
            schedule: [1, 120, 10_800, 86_400].map(Duration::from_secs).to_vec(),
            ambiguous: false,
        }
    );
}

#[test]
fn a_rate_too_low_is_refused_of_new_servers_alone() {
    let check = |text| {
        let network = &tradetracker::NETWORK;
        Options::new(network, [("requests_per_second", text)])
            .unwrap()
            .check_new()
    };
    for text in ["0.0009", "1e-20", "1e-400", "0", "x"] {
        assert_eq!(
            check(text).unwrap_err().detail.unwrap(),
            "It is not a number from 0.001 to 10000.",
            "{text}"
        );
    }
    for text in ["0.001", "1e-3", "2.5", "10000"] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
    let stored = server(&[("requests_per_second", "1e-20")]).unwrap();
    assert_eq!(stored.limits.requests_per_second, Some(1e-20));
}

#[test]
fn bad_values_are_refused() {
    for (option, text) in [
        ("max_in_flight", "0"),
        ("max_in_flight", "257"),
        ("max_in_flight", "+4"),
        ("max_in_flight", ""),
        ("requests_per_second", "0"),
        ("requests_per_second", "-1"),
        ("requests_per_second", "NaN"),
        ("requests_per_second", "inf"),
        ("timeout", "10"),
        ("timeout", "99ms"),
        ("timeout", "3m"),
        ("timeout", "-10s"),
        ("max_attempts", "0"),
        ("max_attempts", "51"),
        ("retry_schedule", ""),
        ("retry_schedule", "5s,,30s"),
        ("retry_schedule", "5s,31d"),
        ("retry_schedule", "0s"),
        ("retry_schedule", "99999999999999999999d"),
        ("retry_ambiguous", "maybe"),
        ("paused", ""),
        ("ca_file", "own.pem"),
    ] {
        let problem = server(&[(option, text)]).unwrap_err();
        let message = format!("invalid value for option \"{option}\": \"{text}\"");
        assert_eq!(problem.to_string(), message);
        assert!(problem.detail.unwrap().starts_with("It is not "));
    }
    let message = |options: &[_]| server(options).unwrap_err().one_line();
    assert_eq!(
        message(&[("sale_url", "http://ts.example/")]),
        "option \"sale_url\" is not an https URL"
    );
    assert!(server(&[("sale_url", "http://ts.example/"), ("allow_http", "true")]).is_ok());
    assert_eq!(
        message(&[("sale_url", "x")]),
        "invalid value for option \"sale_url\": \"x\": It is not absolute."
    );
}

#[test]
fn unknown_and_missing_options_are_named_with_the_valid_ones() {
    let error = server(&[("time_out", "10s")]).unwrap_err();
    assert_eq!(error.to_string(), "invalid option \"time_out\"");
    assert!(
        error
            .hint
            .unwrap()
            .starts_with("Did you mean \"timeout\"? Valid options are campaign_id, ")
    );
    let error = Server::parse("s", &tradetracker::NETWORK, [("campaign_id", "1")]).unwrap_err();
    assert_eq!(error.to_string(), "option \"product_id\" is required");
    for (id, message) in [
        (
            "x",
            "invalid value for option \"campaign_id\": \"x\": It is not an integer from 1 to 9223372036854775807.",
        ),
        (
            "",
            "invalid value for option \"campaign_id\": \"\": campaign_id is NULL, empty or not given.",
        ),
    ] {
        let options = [("campaign_id", id), ("product_id", "1")];
        let problem = Server::parse("s", &tradetracker::NETWORK, options).unwrap_err();
        assert_eq!((problem.one_line().as_str(), problem.hint), (message, None));
    }
}
