//! The code of docs/recipes.md, docs/identity.md and docs/presence.md, word for word.

mod asking;
mod identity;
mod presence;
mod revocation;
mod users;
mod watching;

pub use self::asking::{here, is_here};
pub use self::identity::{Rights, with_identity};
pub use self::presence::Room;
pub use self::revocation::put_out;
pub use self::users::tell;
pub use self::watching::watch;

#[cfg(test)]
mod tests {
    use crate::documents::{IDENTITY, PRESENCE, RECIPES, block};

    #[test]
    fn the_pages_show_this_code() {
        for (page, heading, code) in [
            (
                IDENTITY,
                "The question",
                include_str!("recipes/identity.rs"),
            ),
            (
                IDENTITY,
                "The end of a login",
                include_str!("recipes/revocation.rs"),
            ),
            (
                PRESENCE,
                "By callbacks",
                include_str!("recipes/presence.rs"),
            ),
            (PRESENCE, "In a task", include_str!("recipes/watching.rs")),
            (
                PRESENCE,
                "When it is asked",
                include_str!("recipes/asking.rs"),
            ),
            (
                RECIPES,
                "A message to one user",
                include_str!("recipes/users.rs"),
            ),
        ] {
            assert!(code.contains(block(page, heading, "rust")), "{heading}");
        }
    }
}
