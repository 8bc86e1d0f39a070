use super::*;
use proptest::prelude::*;

fn filled(template: &str, given: &[(&str, &str)]) -> Result<String, Problem> {
    Template::parse("template", template).unwrap().fill(given)
}

#[test]
fn values_are_encoded_in_path_and_query() {
    let given = [("a", "x/y?z&ü %"), ("b", "")];
    for (template, url) in [
        (
            "https://t.example/{a}/p:{b}/?a={a}&b={b}",
            "https://t.example/x%2Fy%3Fz%26%C3%BC%20%25/p:/?a=x%2Fy%3Fz%26%C3%BC%20%25&b=",
        ),
        ("https://t.example?b={b}&c", "https://t.example/?b=&c"),
        ("https://t.example:8443", "https://t.example:8443/"),
        ("http://[::1]:80/{b}", "http://[::1]:80/"),
        ("https://t.example//x/", "https://t.example//x/"),
        (
            "https://t.example/%41?x=%C3%BC&y=a|".trim_end_matches('|'),
            "https://t.example/%41?x=%C3%BC&y=a",
        ),
    ] {
        assert_eq!(filled(template, &given).unwrap(), url);
    }
}

#[test]
fn a_missing_name_lists_those_that_are_given() {
    let problem = filled(
        "https://t.example/?a={click}",
        &[("amount", "1"), ("clik", "x")],
    )
    .unwrap_err();
    assert_eq!(
        problem.one_line(),
        "parameter \"click\" is missing: Given are amount, clik."
    );
    assert_eq!(problem.hint.unwrap(), "Did you mean \"clik\"?");
    let problem = filled("https://t.example/?a={click}", &[]).unwrap_err();
    assert_eq!(
        problem.one_line(),
        "parameter \"click\" is missing: None are given."
    );
}

#[test]
fn no_value_climbs_the_path() {
    for template in [
        "https://t.example/{a}/x",
        "https://t.example/{a}",
        "https://t.example/{a}?b",
    ] {
        let problem = filled(template, &[("a", "..")]).unwrap_err();
        assert_eq!(problem.message, "parameter \"a\" cannot be in the path");
    }
    for (template, value) in [
        ("https://t.example/.{a}/x", ""),
        ("https://t.example/{a}{a}/x", "."),
        ("https://t.example/%2E{a}/x", "."),
    ] {
        let problem = filled(template, &[("a", value)]).unwrap_err();
        assert_eq!(
            problem.one_line(),
            "parameter \"a\" cannot be in the path: With it, a part of the path is nothing but dots, a step elsewhere."
        );
    }
    for template in [
        "https://t.example/v{a}/x",
        "https://t.example/?{a}",
        "https://t.example/?a={a}",
    ] {
        assert!(filled(template, &[("a", "..")]).is_ok());
    }
}

#[test]
fn mistakes_are_named() {
    for (template, detail) in [
        (
            "https://{host}/x",
            "The brace at byte 9 is in the scheme or host, which cannot vary.",
        ),
        (
            "{scheme}://t.example/",
            "The brace at byte 1 is in the scheme or host, which cannot vary.",
        ),
        (
            "https://t.example:{port}/",
            "The brace at byte 19 is in the scheme or host, which cannot vary.",
        ),
        (
            "{url}",
            "The brace at byte 1 is in the scheme or host, which cannot vary.",
        ),
        (
            "https://t.example/?a={{x}}",
            "At byte 22 there is a placeholder of another syntax: {{x}}.",
        ),
        (
            "https://t.example/?a=[=x=]",
            "At byte 22 there is a placeholder of another syntax: [=x=].",
        ),
        (
            "https://t.example/?a=%x%",
            "At byte 22 there is a placeholder of another syntax: %x%.",
        ),
        (
            "https://t.example/?a=%click_id%&b",
            "At byte 22 there is a placeholder of another syntax: %x%.",
        ),
        (
            "https://t.example/?a=#{x}",
            "At byte 22 there is a placeholder of another syntax: #{x}.",
        ),
        (
            "https://t.example/?a=${x}",
            "At byte 22 there is a placeholder of another syntax: ${x}.",
        ),
        (
            "https://t.example/?a=%zz",
            "The \"%\" at byte 22 is not followed by two hexadecimal digits.",
        ),
        (
            "https://t.example/?a=1&amp;b=2",
            "The \"&amp;\" at byte 23 is HTML for \"&\".",
        ),
        (
            "https://t.example/?a=1¤cy=EUR",
            "The \"¤\" at byte 23 is what HTML makes of \"&curren\".",
        ),
        ("https://t.example/?a=1 2", "Byte 23 is a space."),
        (
            "https://t.example/?a=1#x",
            "The \"#\" at byte 23 starts a fragment, which is never sent.",
        ),
        (
            "https://t.example/?a=1|2",
            "\"|\" at byte 23 cannot be in a URL as it is.",
        ),
        (
            "https://t.example/ü",
            "\"ü\" at byte 19 cannot be in a URL as it is.",
        ),
        (
            "https://t.example/\n",
            "\"\\u{a}\" at byte 19 cannot be in a URL as it is.",
        ),
        (
            "https://t.example/{}",
            "The brace at byte 19 does not belong to a placeholder.",
        ),
        (
            "https://t.example/{a",
            "The brace at byte 19 does not belong to a placeholder.",
        ),
        (
            "https://t.example/a}",
            "The brace at byte 20 does not belong to a placeholder.",
        ),
        (
            "https://t.example/{a-b}",
            "The brace at byte 19 does not belong to a placeholder.",
        ),
        (
            "https://t.example/{1}",
            "The brace at byte 19 does not belong to a placeholder.",
        ),
        ("t.example/{a}", "It is not absolute."),
        (
            "ftp://t.example/{a}",
            "Its scheme is neither https nor http.",
        ),
        (
            "https://u:p@t.example/{a}",
            "It has user information before the host.",
        ),
        (
            "https://t.example:0/",
            "Its host, port or path is malformed.",
        ),
        ("", "It is not absolute."),
    ] {
        let problem = Template::parse("sale_url", template).unwrap_err();
        assert!(!format!("{problem:?}").contains("u:p"));
        assert_eq!(problem.detail.unwrap(), detail, "{template}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_what_parses_fills(text in "(https://t.example/)?(\\{a\\}|%41|&|=|\\?|/|\\[|\\PC){0,12}", value in "[^\0]*") {
        if let Ok(template) = Template::parse("t", &text) {
            let given: Vec<_> = template.parameters().map(|name| (name, &value)).collect();
            if let Ok(url) = template.fill(&given) {
                prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
                prop_assert!(url.parse::<Uri>().is_ok());
            }
        }
    }

    #[test]
    fn the_receiver_reads_what_was_given(a in "[^\0]*", b in "[^\0]*") {
        let url = filled("https://t.example/?a={a}&b={b}", &[("a", &a), ("b", &b)]).unwrap();
        let read = |name| crate::url::query_parameter(&url, name).unwrap().unwrap();
        prop_assert_eq!(read("a"), a);
        prop_assert_eq!(read("b"), b);
    }
}

#[test]
fn a_key_in_a_template_is_not_repeated() {
    for template in [
        "https://t.example/p?api_key=s3cret&c={{click_id}}",
        "https://t.example/p?api_key=s3cret&c={click id}",
        "https://t.example/p?api_key=s3cret&c=[=click_id=]",
        "https://t.example/p?api_key=s3cret&c=%click_id%",
        "https://t.example/p?api_key=s3cret%",
        "https://t.example/p?api_key=s3cret&amp;c={click_id}",
        "https://t.example/p?api_key=s3cret&c={click_id} ",
        "https://t.example/p?api_key=s3cret#{click_id}",
        "https://t.example/p?api_key=s3cret&c={click_id",
        "https://{host}/p?api_key=s3cret&c={click_id}",
        "ftp://t.example/p?api_key=s3cret&c={click_id}",
        "https://user:s3cret@t.example/p?c={click_id}",
        "t.example?api_key=s3cret&c={click_id}",
        "https://t.example:0?api_key=s3cret&c={click_id}",
    ] {
        let problem = Template::parse("template", template).unwrap_err();
        assert!(!format!("{problem:?}").contains("s3cret"), "{template}");
    }
}
