//! The code of docs/recipes.md, word for word.

mod identity;
mod users;

pub use self::identity::with_identity;
pub use self::users::{serve_users, tell};

#[cfg(test)]
mod tests {
    use crate::documents::{RECIPES, block};

    #[test]
    fn the_page_shows_this_code() {
        for (heading, code) in [
            ("Who is it", include_str!("recipes/identity.rs")),
            ("A message to one user", include_str!("recipes/users.rs")),
        ] {
            assert!(code.contains(block(RECIPES, heading, "rust")), "{heading}");
        }
    }
}
