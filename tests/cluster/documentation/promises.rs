//! `tests/README.md` lists what must hold, each with the tests that show it.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn promises_name_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests/http", "tests/cluster"] {
        collect_sources(&root.join(folder), &mut sources);
    }
    let promises = fs::read_to_string(root.join("tests/README.md")).expect("tests/README.md");
    let named: Vec<&str> = promises
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.contains("::"))
        .collect();
    assert!(named.len() > 50, "only {} tests are named", named.len());
    let is_there = |name: &&str| {
        let (module, test) = name.rsplit_once("::").expect("a module");
        let is_module = |path: &Path, text: &str| {
            path.ends_with(format!("{module}.rs"))
                || path.iter().any(|part| part == module)
                || text.contains(&format!("mod {module} {{"))
        };
        let function = format!("fn {test}(");
        // Those of the ledger are made by a macro, of a list of names.
        let is_test = |line: &str| line.trim() == test || line.trim().starts_with(&function);
        sources
            .iter()
            .any(|(path, text)| is_module(path, text) && text.lines().any(is_test))
    };
    let missing: Vec<&&str> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "there are no tests {missing:?}");
}

fn collect_sources(folder: &Path, sources: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect_sources(&path, sources);
        } else {
            let text = fs::read_to_string(&path).unwrap_or_default();
            sources.push((path, text));
        }
    }
}
