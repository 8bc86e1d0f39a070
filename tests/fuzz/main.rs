//! The checks of the fuzz targets, on stable Rust: with inputs that were kept, and with random
//! ones.
//!
//! `make fuzz TARGET=click_id` looks for more, for as long as it is let. What it finds goes into
//! `corpus/`, in the folder of its check, under a name that says what it is.

mod checks;

use std::fs;
use std::path::Path;

use checks::CHECKS;
use proptest::prelude::*;

#[test]
fn every_kept_input_holds() {
    for (name, check) in CHECKS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        let mut inputs = 0;
        for entry in fs::read_dir(folder.join(name)).expect("a folder for each check") {
            let path = entry.expect("an entry").path();
            println!("{}", path.display());
            check(&fs::read(&path).expect("an input"));
            inputs += 1;
        }
        assert!(inputs > 0, "no inputs for {name}");
    }
}

/// Pieces of what the readers read, so that random input gets past the first character.
const WORDS: [&str; 56] = [
    "::",
    "_",
    "0",
    "12345",
    "1405418672",
    "0:3:",
    "%3A%3A",
    "%25",
    "%2",
    "%00",
    "%2e",
    "[marker]",
    "fb93f424-788d-4c48-bfb1-98516f855839",
    "https://",
    "http://[::1]:80",
    "t.example",
    "@",
    "/",
    "?",
    "&",
    "=",
    "#",
    "..",
    "{click_id}",
    "{",
    "}",
    "{{",
    "}}",
    "transaction_id=",
    "amount=",
    "description=",
    "approved=",
    "<LinkTrust>",
    "<ApiResponse>",
    "<Succeeded>",
    "True",
    "False",
    "</Succeeded>",
    "<Error><Type>permanent</Type>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "&#84;",
    "s3cret&",
    "TransactionID",
    "ClickID",
    "MerchantreferenceID\tCID",
    "\tAP",
    "\tA",
    "\t",
    "\r\n",
    "\n",
    "\"",
    "Sun, 06 Nov 1994 08:50:37 GMT",
    "\u{feff}",
];

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(WORDS.as_slice()).prop_map(|word| word.as_bytes().to_vec());
    let bytes = proptest::collection::vec(any::<u8>(), 0..6);
    let characters = "\\PC{0,6}".prop_map(String::into_bytes);
    let piece = prop_oneof![6 => word, 1 => bytes, 2 => characters];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_check_holds_for_any_input(input in any_input()) {
        for (_, check) in CHECKS {
            check(&input);
        }
    }
}
