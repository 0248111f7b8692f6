//! Each text of an error stands in a test, beside what causes it.

use std::path::Path;

/// What makes errors of the peer's, and begins their texts.
const MAKERS: [&str; 6] = [
    "malformed(",
    "ProtocolError::new(",
    "Violation::protocol(",
    "Violation::new(",
    "HandshakeError(",
    "LimitsError(",
];

pub(super) fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// The first literal behind each maker, if it is one of its arguments.
fn texts(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for maker in MAKERS {
        for (begin, _) in code.match_indices(maker) {
            let rest = &code[begin + maker.len()..];
            let arguments = rest.split(&[')', ';'][..]).next().unwrap_or_default();
            // A `)` inside the literal must not cut it.
            if let Some(open) = arguments.find('"') {
                let literal = &rest[open + 1..];
                let end = literal
                    .match_indices('"')
                    .find(|(at, _)| !literal[..*at].ends_with('\\'));
                found.extend(end.map(|(at, _)| literal[..at].to_owned()));
            }
        }
    }
    found
}

#[test]
fn each_text_of_an_error_is_expected_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut texts_of_errors, mut tests) = (Vec::new(), String::new());
    for folder in std::fs::read_dir(root.join("crates"))
        .expect("the crates")
        .flatten()
    {
        let mut code = Vec::new();
        sources(&folder.path().join("src"), &mut code);
        for file in code {
            let (production, unit_tests) = file.split_once("#[cfg(test)]").unwrap_or((&file, ""));
            texts_of_errors.extend(texts(production));
            tests.push_str(unit_tests);
        }
        let folder = folder.path().join("tests");
        if folder.is_dir() {
            let mut code = Vec::new();
            sources(&folder, &mut code);
            tests.extend(code);
        }
    }
    let mut code = Vec::new();
    sources(&root.join("tests/integration"), &mut code);
    tests.extend(code);
    // Long literals are broken in the tests as in the sources.
    let joined = |text: &str| {
        text.replace("\\\n", "")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let tests = joined(&tests);
    let mut missing: Vec<_> = texts_of_errors
        .into_iter()
        .filter(|text| !tests.contains(&joined(text)))
        .collect();
    missing.sort();
    missing.dedup();
    assert!(
        missing.is_empty(),
        "no test causes these:\n{}",
        missing.join("\n")
    );
}
