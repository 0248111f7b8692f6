//! The code that the pages of `docs` show, taken out of their text so that tests run it.

/// The page on several servers.
pub const CLUSTER: &str = include_str!("../../docs/cluster.md");
/// The comparison with other libraries.
pub const COMPARISON: &str = include_str!("../../docs/comparison.md");
/// The page on who a client is.
pub const IDENTITY: &str = include_str!("../../docs/identity.md");
/// The page on running a server.
pub const OPERATING: &str = include_str!("../../docs/operating.md");
/// The page on whether a client is there.
pub const PRESENCE: &str = include_str!("../../docs/presence.md");
/// The page on what follows a session that has ended.
pub const REOPEN: &str = include_str!("../../docs/reopen.md");
/// The recipes.
pub const RECIPES: &str = include_str!("../../docs/recipes.md");

/// The first block in this language below a heading of a page; the heading without its `#`s.
///
/// # Panics
/// The page has no such heading, or the section no such block: the test names another than the page has.
pub fn block<'p>(page: &'p str, heading: &str, language: &str) -> &'p str {
    let mut sections = page.split("\n## ");
    let section = sections
        .find_map(|section| section.strip_prefix(heading)?.strip_prefix('\n'))
        .unwrap_or_else(|| panic!("the page has no section `{heading}`"));
    // Every other piece is a block.
    let mut blocks = section.split("```").skip(1).step_by(2);
    blocks
        .find_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .unwrap_or_else(|| panic!("`{heading}` has no block of {language}"))
}
