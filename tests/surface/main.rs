//! The public surface of each crate, compared with the listing in this folder: a change of surface shows in a diff.
//!
//! `make surface` writes the listings anew.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Those whose items users name. The others are parts of them.
const CRATES: [&str; 5] = [
    "anywire",
    "anywire-client",
    "anywire-cluster",
    "anywire-core",
    "anywire-protocol",
];

/// What rustdoc knows of a crate's public items, one a line.
fn surface(package: &str, target: &Path) -> String {
    // Its JSON is unstable, and this asks for it on a stable toolchain.
    let status = Command::new(env!("CARGO"))
        .env("RUSTC_BOOTSTRAP", "1")
        .args([
            "rustdoc",
            "--quiet",
            "--package",
            package,
            "--all-features",
            "--lib",
        ])
        .arg("--target-dir")
        .arg(target)
        .args([
            "--",
            "-Z",
            "unstable-options",
            "--output-format",
            "json",
            "--cap-lints",
            "allow",
        ])
        .status();
    assert!(
        status.expect("cargo runs").success(),
        "cargo rustdoc of {package}"
    );
    let json = format!("doc/{}.json", package.replace('-', "_"));
    let api = public_api::Builder::from_rustdoc_json(target.join(json))
        .omit_auto_derived_impls(true)
        .omit_auto_trait_impls(true)
        .omit_blanket_impls(true)
        .build();
    api.expect("the JSON is of a known form").to_string()
}

#[test]
fn the_public_surface_is_the_one_that_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("surface");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("surface");
    let is_update = std::env::var_os("ANYWIRE_UPDATE_SURFACE").is_some();
    let mut changed = Vec::new();
    for package in CRATES {
        let (found, path) = (
            surface(package, &target),
            folder.join(format!("{package}.txt")),
        );
        if is_update {
            std::fs::write(&path, found).expect("the folder can be written");
            continue;
        }
        let listed = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (found, listed) = (lines(&found), lines(&listed));
        let added = found.iter().filter(|line| !listed.contains(line));
        let removed = listed.iter().filter(|line| !found.contains(line));
        changed.extend(added.map(|line| format!("{package}: + {line}")));
        changed.extend(removed.map(|line| format!("{package}: - {line}")));
    }
    assert!(
        changed.is_empty(),
        "the surface has changed; if that is meant, run `make surface`:\n{}",
        changed.join("\n")
    );
}
