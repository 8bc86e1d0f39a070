use super::write::LARGEST;
use super::*;
use crate::callback::Parameters;
use crate::callback::edit::tests::any_edit;
use crate::network::secret::Secret;
use proptest::prelude::*;

fn secret() -> Secret {
    Secret::new("s3cret&").unwrap()
}

fn loaded(file: &str) -> Vec<(u64, Result<String, String>)> {
    read(file)
        .unwrap()
        .map(|line| {
            let edit = line.edit.map(|parameters| {
                let pairs: Vec<_> = parameters.iter().map(|(n, t)| format!("{n}={t}")).collect();
                pairs.join(" ")
            });
            (line.number, edit.map_err(|problem| problem.to_string()))
        })
        .collect()
}

#[test]
fn a_file_is_written_in_each_of_the_manuals_column_sets() {
    let changes = [
        ("approved", "no"),
        ("affiliate_payout", "0"),
        ("execute_affiliate_pixel", "yes"),
    ];
    for (identification, file) in [
        (
            &[("transaction_id", "T-1")][..],
            "Password\tTransactionID\tAP\tMP\tA\texecuteaffiliatepixel\r\ns3cret&\tT-1\t0.00\t\tno\tYes\r\n",
        ),
        (
            &[("click_id", "04_1_x")],
            "Password\tClickID\tAP\tMP\tA\texecuteaffiliatepixel\r\ns3cret&\t04_1_x\t0.00\t\tno\tYes\r\n",
        ),
        (
            &[("merchant_reference_id", "9"), ("campaign_id", "466744")],
            "Password\tMerchantreferenceID\tCID\tAP\tMP\tA\texecuteaffiliatepixel\r\ns3cret&\t9\t466744\t0.00\t\tno\tYes\r\n",
        ),
    ] {
        let parameters: Parameters = identification.iter().chain(&changes).copied().collect();
        let edit = Edit::parse(&parameters, None).unwrap();
        let secret = secret();
        let mut writer = Writer::new(ColumnSet::of(&edit), &secret).unwrap();
        writer.write(&edit).unwrap();
        assert_eq!(writer.finish(), file);
    }
}

#[test]
fn a_file_is_refused_before_it_grows_beyond_its_limit() {
    let reason = "x".repeat(1 << 20);
    let parameters: Parameters = [
        ("transaction_id", "T"),
        ("reason", &reason),
        ("approved", "no"),
    ]
    .into_iter()
    .collect();
    let edit = Edit::parse(&parameters, None).unwrap();
    let secret = secret();
    let mut writer = Writer::new(ColumnSet::TransactionId, &secret).unwrap();
    for _ in 0..63 {
        writer.write(&edit).unwrap();
    }
    let problem = writer.write(&edit).unwrap_err();
    assert_eq!(problem.class, Class::LimitExceeded);
    assert_eq!(problem.to_string(), "the file would be larger than 64 MB");
    assert!(writer.finish().len() <= LARGEST);
}

#[test]
fn the_first_reason_is_a_column_more_for_all_lines() {
    let secret = secret();
    let mut writer = Writer::new(ColumnSet::TransactionId, &secret).unwrap();
    for (id, reason) in [("1", ""), ("2", "sent back"), ("3", "")] {
        let parameters: Parameters = [
            ("transaction_id", id),
            ("approved", "0"),
            ("reason", reason),
        ]
        .into_iter()
        .collect();
        writer
            .write(&Edit::parse(&parameters, None).unwrap())
            .unwrap();
    }
    assert_eq!(
        writer.finish(),
        "Password\tTransactionID\tAP\tMP\tA\texecuteaffiliatepixel\tREASON\r\n\
         s3cret&\t1\t\t\tno\t\t\r\n\
         s3cret&\t2\t\t\tno\t\tsent back\r\n\
         s3cret&\t3\t\t\tno\t\t\r\n"
    );
}

#[test]
fn what_a_file_cannot_hold_is_refused() {
    let secret = secret();
    let write = |parameters: &[(&str, &str)]| {
        let parameters: Parameters = parameters.iter().copied().collect();
        let edit = Edit::parse(&parameters, None).unwrap();
        let mut writer = Writer::new(ColumnSet::TransactionId, &secret).unwrap();
        writer.write(&edit).map_err(|problem| problem.one_line())
    };
    let approved = ("approved", "1");
    for (parameters, message) in [
        (
            [("transaction_id", "a\"b"), ("reason", ""), approved],
            "transaction_id cannot be in a tab-delimited file: \"a\"b\": It has a quote, and such files know no quoting.",
        ),
        (
            [("transaction_id", "T"), ("reason", "a\tb"), approved],
            "reason cannot be in a tab-delimited file: \"a\\u{9}b\": It has a tab, and such files know no quoting.",
        ),
        (
            [("transaction_id", "T"), ("reason", "a\nb"), approved],
            "reason cannot be in a tab-delimited file: \"a\\u{a}b\": It has a line end, and such files know no quoting.",
        ),
        (
            [("click_id", "x"), ("reason", ""), approved],
            "the edits identify their transactions in different ways: The file is by transaction_id, and an edit by click_id.",
        ),
    ] {
        assert_eq!(write(&parameters), Err(message.to_owned()));
    }
    let password = Secret::new("a\tb").unwrap();
    let problem = Writer::new(ColumnSet::ClickId, &password).err().unwrap();
    assert!(!format!("{problem:?}").contains("a\tb"));
}

#[test]
fn headers_come_in_any_order_and_case() {
    let expected = vec![(
        2,
        Ok("transaction_id=T-1 affiliate_payout=1 approved=no".to_owned()),
    )];
    for file in [
        "TransactionID\tAP\tA\nT-1\t1\tno\n",
        "a\tTRANSACTIONID\tPassword\tap\r\nno\tT-1\tsecret\t1\r\n",
        "\u{feff}A\tMP\tTransactionID\t AP \r\nno\t\tT-1\t1",
        "\"A\"\t\"AP\"\tTransactionID\n\"no\"\t\"1\"\t\"T-1\"\n\t\t\n\n",
        "A\tAP\tTransactionID\t\nno\t1\tT-1\t\n",
    ] {
        assert_eq!(loaded(file), expected, "{file:?}");
    }
}

#[test]
fn bad_lines_are_reported_by_number_and_the_others_are_read() {
    for end in ["\n", "\r\n", "\r"] {
        let file = [
            "ClickID\tA",
            "a\tno",
            "",
            "",
            "b",
            "c\t\"x\ty",
            "\t",
            "d\t\"yes",
            "e\tyes",
        ]
        .join(end);
        assert_eq!(
            loaded(&file),
            [
                (2, Ok("click_id=a approved=no".to_owned())),
                (5, Err("the line has 1 fields, the header 2".to_owned())),
                (6, Err("the line has 3 fields, the header 2".to_owned())),
                (8, Ok("click_id=d approved=\"yes".to_owned())),
                (9, Ok("click_id=e approved=yes".to_owned())),
            ]
        );
    }
}

#[test]
fn bad_headers_are_refused() {
    let message = |file| {
        let problem = read(file).err().unwrap();
        let Problem { message, hint, .. } = problem;
        format!("{message} {}", hint.unwrap_or_default())
    };
    let columns = "The first line names the columns, separated by tabs: some of Password, TransactionID, ClickID, MerchantreferenceID, CID, AP, MP, A, executeaffiliatepixel, REASON.";
    for (file, what) in [
        ("", "the file has no header"),
        ("\n\r\n\t\n", "the file has no header"),
        (
            "AP\tMP\n",
            "the header has no column TransactionID, ClickID or MerchantreferenceID",
        ),
        // Not a header, and nothing of it is repeated.
        (
            "s3cret\tT-1\t0.00\t\tno\tYes\r\n",
            "the header has no column TransactionID, ClickID or MerchantreferenceID",
        ),
    ] {
        assert_eq!(message(file), format!("{what} {columns}"));
    }
    assert_eq!(
        message("TransactionID\tAPP\n"),
        "unknown column: \"APP\" Did you mean \"AP\"?"
    );
    assert_eq!(
        message("TransactionID,AP\n"),
        "unknown column: \"TransactionID,AP\" Columns are separated by tabs."
    );
    assert_eq!(
        message("ClickID\tclickid\n"),
        "column \"clickid\" is there twice "
    );
}

proptest! {
    #[test]
    fn any_edit_survives_a_file(parameters in any_edit(), others in 0..3usize) {
        let edit = Edit::parse(&parameters, None).unwrap();
        let secret = secret();
        let mut writer = Writer::new(ColumnSet::of(&edit), &secret).unwrap();
        for _ in 0..=others {
            writer.write(&edit).unwrap();
        }
        let file = writer.finish();
        let lines: Vec<_> = read(&file).unwrap().collect();
        prop_assert_eq!(lines.len(), others + 1);
        for (at, line) in lines.into_iter().enumerate() {
            prop_assert_eq!(line.number, at as u64 + 2);
            let loaded = line.edit.unwrap();
            prop_assert_eq!(&Edit::parse(&loaded, None).unwrap(), &edit);
        }
    }

    #[test]
    fn any_file_is_read_without_panic(file in "(ClickID|A|\t|\n|\r|\"|é|\u{feff}|x){0,40}|\\PC*") {
        if let Ok(lines) = read(&file) {
            let last = file.replace("\r\n", "\n").split(['\r', '\n']).count() as u64;
            for line in lines {
                prop_assert!(line.number <= last);
            }
        }
    }
}
