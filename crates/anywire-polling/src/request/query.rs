//! A request's query: the protocol's own parameters, and the rest for the app.

use anywire_protocol::{ProtocolError, unescape};
use bytes::Bytes;

/// The value of a parameter, unescaped; `None` if there is none of this name.
///
/// # Errors
/// Its escape is broken.
pub fn parameter(query: &str, name: &str) -> Option<Result<Bytes, ProtocolError>> {
    let value = pairs(query).find_map(|(pair_name, value)| (pair_name == name).then_some(value))?;
    Some(unescape(format!("b={value}").into()))
}

/// The query without the protocol's own parameters, which are, or hold, credentials: do not log them.
pub fn without(query: &str, names: &[&str]) -> String {
    let is_kept = |pair: &&str| !names.contains(&split(pair).0);
    let kept: Vec<_> = query.split('&').filter(is_kept).collect();
    kept.join("&")
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(split)
}

fn split(pair: &str) -> (&str, &str) {
    pair.split_once('=').unwrap_or((pair, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_unescaped_and_taken_out() {
        let query = "user=ada&offer=a%2Cb+c&x&offers=no";
        assert_eq!(parameter(query, "offer"), Some(Ok("a,b c".into())));
        assert_eq!(parameter(query, "x"), Some(Ok("".into())));
        assert_eq!(parameter(query, "y"), None);
        assert!(parameter("b=%", "b").is_some_and(|value| value.is_err()));
        assert_eq!(without(query, &["offer"]), "user=ada&x&offers=no");
        assert_eq!(without("offer=x", &["offer"]), "");
        assert_eq!(without("", &["offer"]), "");
    }
}
