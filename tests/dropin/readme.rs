//! The examples of the client's README are lines of the paths.

#[test]
fn the_readme_shows_what_is_tested() {
    let paths = [
        include_str!("graphql.js"),
        include_str!("reconnecting.js"),
        include_str!("yjs.js"),
    ];
    let readme = include_str!("../../crates/anywire-browser/js/README.md");
    let (_, section) = readme.split_once("## Libraries that").expect("its heading");
    let (_, examples) = section.split_once("```js\n").expect("its examples");
    let (examples, _) = examples.split_once("\n```").expect("their end");
    let is_tested = |example: &str| {
        // A path may set more than the constructor.
        let end = example.find("Anywire").expect("it hands it over") + "Anywire".len();
        paths.iter().any(|path| path.contains(&example[..end]))
    };
    for example in examples.lines() {
        assert!(is_tested(example), "{example}");
    }
    assert_eq!(examples.lines().count(), paths.len());
}
