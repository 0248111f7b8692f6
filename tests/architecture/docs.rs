//! What public items must say of themselves, as far as a machine can tell.

use std::path::Path;

use super::texts::sources;

/// A doc comment, and the item below it.
struct Item<'a> {
    doc: Vec<&'a str>,
    item: &'a str,
}

/// The documented items of a source, private ones too.
fn items(code: &str) -> Vec<Item<'_>> {
    let mut found = Vec::new();
    let mut doc = Vec::new();
    for line in code.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim());
        } else if !doc.is_empty() && !line.starts_with("#[") {
            found.push(Item {
                doc: std::mem::take(&mut doc),
                item: line,
            });
        }
    }
    found
}

fn is_clause_alone(doc: &[&str]) -> bool {
    let text = doc.join(" ");
    let text = text.trim_matches(&['(', ')', '.', ' '][..]);
    ["PROTOCOL", "NEGOTIATION", "RFC"]
        .iter()
        .any(|document| text.starts_with(document))
        && text.split(' ').count() <= 3
}

fn wrongs(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut wrong = Vec::new();
    for Item { doc, item } in items(code) {
        if is_clause_alone(&doc) {
            wrong.push(format!("documented by a clause alone: {item}"));
        }
        if doc[0].starts_with("As [`") {
            wrong.push(format!("documented elsewhere: {item}"));
        }
        let is_public_async = item.starts_with("pub async fn");
        let says_what_a_drop_does = doc.iter().any(|line| {
            ["Cancel safety", "Dropping", "drop"]
                .iter()
                .any(|word| line.contains(word))
        });
        if is_public_async && !says_what_a_drop_does {
            wrong.push(format!("does not say what a dropped future loses: {item}"));
        }
    }
    wrong
}

#[test]
fn public_items_explain_themselves() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut code = Vec::new();
    for folder in std::fs::read_dir(root).expect("the crates").flatten() {
        sources(&folder.path().join("src"), &mut code);
    }
    let wrong: Vec<_> = code.iter().flat_map(|file| wrongs(file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_explains_nothing_is_found() {
    for bad in [
        "/// PROTOCOL §5.\nWebSocket,",
        "/// As [`Sender::send`].\npub fn send(&self) {}",
        "/// Sends.\npub async fn send(&self) {}",
    ] {
        assert_eq!(wrongs(bad).len(), 1, "{bad}");
    }
    let good = "/// A WebSocket (PROTOCOL §5).\n#[inline]\npub fn websocket() {}";
    assert!(wrongs(good).is_empty());
}
