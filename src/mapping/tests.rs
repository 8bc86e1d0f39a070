use super::*;
use proptest::prelude::*;

const NAMES: ParameterNames = ParameterNames {
    known: &[
        "transaction_id",
        "click_id",
        "description_merchant",
        "description_affiliate",
        "amount",
    ],
    required: &["transaction_id"],
    open: false,
};

fn parse(arguments: &[&str]) -> Result<Mapping, Problem> {
    Mapping::parse(arguments.iter().copied(), NAMES)
}

#[test]
fn values_mix_text_columns_and_braces() {
    let mapping = parse(&["transaction_id=P-{{{id}}}/{total amount}="]).unwrap();
    let (_, value) = mapping.parameters().next().unwrap();
    assert_eq!(
        value.pieces(),
        [
            Piece::Text("P-{".into()),
            Piece::Column("id".into()),
            Piece::Text("}/".into()),
            Piece::Column("total amount".into()),
            Piece::Text("=".into()),
        ]
    );
}

#[test]
fn an_edit_without_identification_goes_by_the_click() {
    for (argument, needs, goes) in [
        ("approved=no", true, true),
        ("click_id={c}", false, true),
        ("transaction_id={id}", false, false),
        ("merchant_reference_id={id}", false, false),
    ] {
        let mapping = Mapping::parse([argument], ParameterNames::ANY).unwrap();
        assert_eq!(mapping.needs_click_id(Action::Edit), needs, "{argument}");
        assert_eq!(mapping.goes_by_click(Action::Edit), goes, "{argument}");
    }
    let mapping = parse(&["transaction_id={id}"]).unwrap();
    assert!(mapping.needs_click_id(Action::Sale) && mapping.goes_by_click(Action::Sale));
}

#[test]
fn an_edit_by_another_identification_is_for_rows_with_a_click_unless_it_says_otherwise() {
    let refused = |said: &str| Err(format!("invalid trigger argument: {said}"));
    for (arguments, expected) in [
        (&["transaction_id={id}"][..], Ok(true)),
        (&["merchant_reference_id={id}", "organic=false"], Ok(true)),
        (&["transaction_id={id}", "organic=true"], Ok(false)),
        (&["transaction_id={id}", "organic=yes"], Ok(false)),
        (&["click_id={c}"], Ok(false)),
        (&["approved=no", "organic=no"], Ok(false)),
        (
            &["approved=no", "organic=true"],
            refused(
                "\"organic=true\": The edit goes by the click id, which such rows do not have.",
            ),
        ),
        (
            &["transaction_id={id}", "organic={is_organic}"],
            refused("\"organic={is_organic}\": It is neither true nor false."),
        ),
        (
            &["transaction_id={id}", "organic="],
            refused("\"organic=\": It is neither true nor false."),
        ),
    ] {
        let arguments = arguments.iter().copied();
        let mut mapping = Mapping::parse(arguments, ParameterNames::ANY).unwrap();
        let found = mapping.take_organic().map_err(|problem| problem.one_line());
        assert_eq!(found, expected);
        assert!(mapping.parameters().all(|(name, _)| name != ORGANIC));
    }
}

#[test]
fn what_cannot_be_read_is_left_out_and_remembered() {
    let arguments = [
        "transaction_id={shop}-{id}",
        "amount={total",
        "description={note}",
        "tier=gold",
        "click_id={c}",
    ];
    let (mut mapping, problem) = Mapping::read(arguments, NAMES);
    assert_eq!(
        problem.unwrap().one_line(),
        "invalid trigger argument: \"amount={total\": The brace at byte 8 does not belong to a placeholder."
    );
    mapping.leave_out_unless(|column| ["id", "c"].contains(&column));
    // A parameter that the network does not have is known all the same.
    let read: Vec<_> = mapping.parameters().map(|(name, _)| name).collect();
    assert_eq!(read, ["tier", "click_id"]);
    assert_eq!(
        mapping.unread(),
        "amount={total, transaction_id={shop}-{id}, description={note}"
    );
    assert!(mapping.mentions("amount") && !mapping.provides("amount"));
    assert!(!mapping.hides_customer(Action::Sale) && mapping.hides_customer(Action::Edit));
    for argument in ["voucher_code={gone}", "click_id={gone}", "{id}"] {
        let (mut mapping, _) = Mapping::read([argument], ParameterNames::ANY);
        mapping.leave_out_unless(|_| false);
        assert!(mapping.hides_customer(Action::Lead), "{argument}");
    }
}

#[test]
fn an_empty_text_provides_nothing() {
    let mapping =
        Mapping::parse(["transaction_id={id}", "click_id="], ParameterNames::ANY).unwrap();
    assert!(!mapping.needs_click_id(Action::Lead));
    assert_eq!(mapping.check_credit(), Err(missing_argument("click_id")));
    assert_eq!(
        parse(&["transaction_id="]),
        Err(missing_argument("transaction_id"))
    );
    let problem = parse(&["transaction_id={id}", "={id}"]).unwrap_err();
    assert_eq!(problem.to_string(), "invalid trigger argument: \"={id}\"");
}

#[test]
fn description_sets_both() {
    let mapping = parse(&["transaction_id={id}", "description=new player"]).unwrap();
    for name in DESCRIPTION.1 {
        assert!(mapping.mentions(name), "{name}");
    }
    let problem = parse(&[
        "transaction_id={id}",
        "description=a",
        "description_merchant=b",
    ]);
    assert_eq!(
        problem.unwrap_err().one_line(),
        "invalid trigger argument: \"description_merchant=b\": Another argument sets the same parameter."
    );
}

#[test]
fn a_column_whose_name_has_braces_is_quoted() {
    for (argument, column, rest) in [
        (r#"x={"a{b}"}"#, "a{b}", ""),
        (r#"x={"}"}}}"#, "}", "}"),
        (r#"x={"{{"}"#, "{{", ""),
        (r#"x={"say ""hi"""}"#, "say \"hi\"", ""),
        (r#"x={{{"id"}}}"#, "id", "}"),
        (r#"x={{{id}}}"#, "id", "}"),
    ] {
        let mapping = Mapping::parse([argument], ParameterNames::ANY).unwrap();
        let (_, value) = mapping.parameters().next().unwrap();
        let columns: Vec<_> = value.columns().collect();
        assert_eq!(columns, [column], "{argument}");
        let last = match value.pieces().last() {
            Some(Piece::Text(text)) => text,
            _ => "",
        };
        assert_eq!(last, rest, "{argument}");
    }
    for argument in [r#"x={""}"#, r#"x={"a}"#, r#"x={"a"b}"#, r#"x={"a": {id}}"#] {
        let problem = Mapping::parse([argument], ParameterNames::ANY).unwrap_err();
        assert_eq!(
            problem.detail.unwrap(),
            "The brace at byte 3 does not belong to a placeholder.",
            "{argument}"
        );
    }
}

#[test]
fn a_click_id_is_not_the_same_in_every_row() {
    let check = |argument| {
        Mapping::parse([argument], ParameterNames::ANY)
            .unwrap()
            .check_click_id()
    };
    for argument in ["click_id=0::1::a::::1405418672", "click_id={{click_id}}"] {
        assert_eq!(
            check(argument).unwrap_err().one_line(),
            format!(
                "invalid trigger argument: \"{argument}\": Every row would have the same click id."
            )
        );
    }
    for argument in ["click_id=", "click_id={c}", "click_id=a-{c}", "source=a"] {
        assert_eq!(check(argument), Ok(()), "{argument}");
    }
}

#[test]
fn columns_with_wanted_types_are_known() {
    let arguments = ["click_id={c}", "amount={a}.{b}", "voucher_code={v}"];
    let mapping = Mapping::parse(arguments, ParameterNames::ANY).unwrap();
    let typed: Vec<_> = mapping.typed_columns().collect();
    assert_eq!(
        typed,
        [
            (Wanted::ClickId, "c", arguments[0]),
            (Wanted::Amount, "a", arguments[1]),
            (Wanted::Amount, "b", arguments[1]),
        ]
    );
}

#[test]
fn mistakes_are_named() {
    for (arguments, message, hint) in [
        (
            &["transaction_id"][..],
            "invalid trigger argument: \"transaction_id\"",
            "Write for example transaction_id={id}, where id is a column.",
        ),
        (
            &["transaction_id={id"],
            "invalid trigger argument: \"transaction_id={id\"",
            "Write {column} for a column's value, {\"column\"} if its name has braces, {{ or }} for a brace.",
        ),
        (
            &["transaction_id=id}"],
            "invalid trigger argument: \"transaction_id=id}\"",
            "Write {column} for a column's value, {\"column\"} if its name has braces, {{ or }} for a brace.",
        ),
        (
            &["transaction_id={}"],
            "invalid trigger argument: \"transaction_id={}\"",
            "Write {column} for a column's value, {\"column\"} if its name has braces, {{ or }} for a brace.",
        ),
        (
            &["transaction_id=ORDER_ID"],
            "invalid trigger argument: \"transaction_id=ORDER_ID\"",
            "Write for example transaction_id={id}, where id is a column.",
        ),
        (
            &["transaktion_id={id}"],
            "unknown parameter: \"transaktion_id\"",
            "Did you mean \"transaction_id\"?",
        ),
        (
            &["voucher={id}"],
            "unknown parameter: \"voucher\"",
            "Valid parameters are transaction_id, click_id, description_merchant, description_affiliate, amount.",
        ),
        (
            &["amount={total}"],
            "parameter transaction_id is required",
            "Add an argument such as transaction_id={column}.",
        ),
    ] {
        let problem = parse(arguments).unwrap_err();
        assert_eq!(problem.to_string(), message);
        assert_eq!(problem.hint.as_deref(), Some(hint));
    }
}

proptest! {
    #[test]
    fn any_argument_parses_or_is_refused(text in "[{}a=]{0,20}|\\PC{0,30}") {
        if let Ok(mapping) = parse(&["transaction_id={id}", &format!("amount={text}")]) {
            for (column, _) in mapping.columns() {
                let is_name = !column.is_empty() && !column.contains(['{', '}']);
                prop_assert!(is_name);
            }
        }
    }
}
