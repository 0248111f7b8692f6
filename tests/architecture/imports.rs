//! Which file of a crate imports from which other, read off the `use` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A path of modules below the crate's root.
type Module = Vec<String>;

/// The files of a crate, and what each of them imports outside of its tests.
struct Crate {
    files: BTreeMap<Module, Vec<Vec<String>>>,
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![source.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&path).expect("a source");
                    let module = module_of(source, &path);
                    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                    files.insert(module.clone(), imports(code, &module));
                }
            }
        }
        Self { files }
    }

    /// The file that defines what a path names: a re-export is followed to where it comes from.
    fn file_of(&self, path: &[String]) -> Module {
        let mut file = path.to_vec();
        while !self.files.contains_key(&file) {
            file.pop();
        }
        let Some(name) = path.get(file.len()) else {
            return file;
        };
        let exported = self.files[&file].iter().find(|import| {
            import.last() == Some(name)
                && import.len() > file.len() + 1
                && import.starts_with(&file)
        });
        match exported {
            Some(import) => self.file_of(&import.clone()),
            None => file,
        }
    }

    /// The files that lead back to themselves, by the names of their modules.
    fn circles(&self) -> BTreeSet<Vec<String>> {
        let arrows: BTreeMap<Module, BTreeSet<Module>> = self
            .files
            .iter()
            .map(|(module, imports)| {
                let targets = imports.iter().map(|path| self.file_of(path));
                let targets = targets.filter(|target| target != module && !target.is_empty());
                (module.clone(), targets.collect())
            })
            .collect();
        let reach = |from: &Module| {
            let mut seen = BTreeSet::new();
            let mut next: Vec<_> = arrows[from].iter().cloned().collect();
            while let Some(module) = next.pop() {
                if seen.insert(module.clone()) {
                    next.extend(arrows[&module].iter().cloned());
                }
            }
            seen
        };
        let reached: BTreeMap<_, _> = arrows.keys().map(|from| (from, reach(from))).collect();
        reached
            .iter()
            .filter(|(module, reached)| reached.contains(**module))
            .map(|(module, reached_by)| {
                let circle = reached_by
                    .iter()
                    .filter(|other| reached[*other].contains(*module));
                circle.map(|module| module.join("::")).collect()
            })
            .collect()
    }
}

fn module_of(source: &Path, file: &Path) -> Module {
    let path = file
        .strip_prefix(source)
        .expect("below the source")
        .with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    names
        .filter(|name| name != "lib" && name != "main")
        .collect()
}

/// The paths that `use` lines name, from the crate's root on; those of other crates are left out.
fn imports(code: &str, module: &Module) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let Some(begin) = statement.rfind("use ") else {
            continue;
        };
        let before = statement[..begin]
            .trim_end()
            .rsplit('\n')
            .next()
            .unwrap_or_default();
        if !matches!(before.trim(), "" | "pub" | "pub(crate)") && !before.trim().ends_with(']') {
            continue;
        }
        let tree: String = statement[begin + 4..]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        expand("", &tree, &mut found);
    }
    let locals = ["crate", "self", "super"];
    found
        .iter()
        .map(|path| {
            path.split("::")
                .map(|name| name.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .filter_map(|path| {
            let mut base = match path.first()?.as_str() {
                "crate" => Vec::new(),
                "self" => module.clone(),
                "super" => module[..module.len().checked_sub(1)?].to_vec(),
                // In the root, the name of a module is a path too.
                _ if module.is_empty() => Vec::new(),
                _ => return None,
            };
            let skipped = usize::from(locals.contains(&path[0].as_str()));
            for name in &path[skipped..] {
                match name.as_str() {
                    "super" => drop(base.pop()),
                    name => base.push(name.split(" as ").next()?.to_owned()),
                }
            }
            Some(base)
        })
        .collect()
}

/// Takes the braces out of a tree of imports.
fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let Some(open) = tree.find('{') else {
        return found.push(format!("{prefix}{tree}").replace("::self", ""));
    };
    let prefix = format!("{prefix}{}", &tree[..open]);
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut begin) = (0, 0);
    for (index, byte) in inner.bytes().chain([b',']).enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                let part = inner[begin..index].trim();
                if !part.is_empty() {
                    expand(&prefix, part, found);
                }
                begin = index + 1;
            }
            _ => {}
        }
    }
}

#[test]
fn no_file_of_a_crate_imports_from_one_that_imports_from_it() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut circles = Vec::new();
    for folder in std::fs::read_dir(root).expect("the crates") {
        let folder = folder.expect("a crate").path();
        let found = Crate::read(&folder.join("src")).circles();
        let name = folder
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        circles.extend(
            found
                .into_iter()
                .map(|circle| format!("{name}: {}", circle.join(" "))),
        );
    }
    assert!(circles.is_empty(), "circles:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_through_a_re_export_and_not_through_tests() {
    let files = |texts: &[(&str, &str)]| Crate {
        files: texts
            .iter()
            .map(|(name, code)| {
                let module: Module = name.split_whitespace().map(str::to_owned).collect();
                (module.clone(), imports(code, &module))
            })
            .collect(),
    };
    let round = files(&[
        (
            "",
            "mod a; mod b; pub use a::{A, deep::{D}}; pub use b::B as Bee;",
        ),
        ("a", "use std::fmt; use crate::{Limits, b::B};"),
        ("a deep", "pub struct D;"),
        ("b", "use crate::A;"),
    ]);
    assert_eq!(
        round.circles(),
        BTreeSet::from([vec!["a".to_owned(), "b".to_owned()]])
    );
    let straight = files(&[
        ("", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("a", "use crate::b::B;"),
        ("b", "use super::c; fn reuse (a: u8) { }"),
        ("c", ""),
    ]);
    assert_eq!(straight.circles(), BTreeSet::new());
}
