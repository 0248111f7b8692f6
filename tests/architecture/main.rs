//! The arrows between crates, and between the files of a crate, run one way, as ARCHITECTURE.md says.

mod docs;
mod imports;
mod texts;

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which of our crates, and which of those that act, each crate may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("anywire-protocol", &[]),
    ("anywire-core", &["anywire-protocol", "tokio"]),
    (
        "anywire-websocket",
        &["anywire-protocol", "anywire-core", "tokio"],
    ),
    (
        "anywire-polling",
        // For the deadline of a body.
        &["anywire-protocol", "anywire-core", "tokio"],
    ),
    (
        "anywire-cluster",
        &["anywire-protocol", "anywire-core", "tokio"],
    ),
    (
        "anywire",
        &[
            "anywire-protocol",
            "anywire-core",
            "anywire-websocket",
            "anywire-polling",
            "anywire-browser",
            "anywire-cluster",
            "tokio",
            "hyper",
            "hyper-util",
            "warp",
        ],
    ),
    ("anywire-browser", &[]),
    (
        "anywire-client",
        &[
            "anywire-protocol",
            "anywire-websocket",
            "tokio",
            "hyper",
            "hyper-util",
        ],
    ),
];

/// Crates that act: whoever depends on them is a shell.
const ACTING: &[&str] = &["tokio", "hyper", "hyper-util", "warp", "mio", "async-io"];

fn arrows() -> BTreeMap<String, Vec<(String, bool)>> {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata runs");
    let normal = |kind| matches!(kind, DependencyKind::Normal | DependencyKind::Build);
    metadata
        .packages
        .into_iter()
        .map(|package| {
            let dependencies = package.dependencies.into_iter().filter(|d| normal(d.kind));
            let arrows = dependencies.map(|d| (d.name, d.optional)).collect();
            (package.name.to_string(), arrows)
        })
        .collect()
}

#[test]
fn crates_depend_only_on_what_the_house_allows() {
    let arrows = arrows();
    for (package, allowed) in ALLOWED {
        for (dependency, _) in &arrows[*package] {
            let is_watched =
                dependency.starts_with("anywire") || ACTING.contains(&dependency.as_str());
            assert!(
                !is_watched || allowed.contains(&dependency.as_str()),
                "{package} must not depend on {dependency}"
            );
        }
    }
    for package in arrows.keys().filter(|name| {
        ![
            "anywire-compare",
            "anywire-examples",
            "anywire-fault-proxy",
            "anywire-model",
            "anywire-tests",
        ]
        .contains(&name.as_str())
    }) {
        assert!(
            ALLOWED.iter().any(|(name, _)| name == package),
            "{package} has no place in the house"
        );
    }
}

#[test]
fn the_frame_codec_needs_no_runtime() {
    for (dependency, is_optional) in &arrows()["anywire-websocket"] {
        assert!(
            *is_optional || !["anywire-core", "tokio"].contains(&dependency.as_str()),
            "anywire-websocket must have {dependency} behind its feature `server` only"
        );
    }
}
