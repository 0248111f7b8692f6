//! How an address is shown to people: without the credentials that it may hold.

/// What is written in the place of credentials.
const HIDDEN: &str = "…";

/// `url` without its user and password, and without its query, in which a token may be. What is no URL may have its `@`
/// anywhere, so all before the last one is hidden.
pub(crate) fn shown(url: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, _)) if address.contains("://") => (address, "?…"),
        _ => (url, ""),
    };
    let Some((secret, rest)) = address.rsplit_once('@') else {
        return format!("{address}{query}");
    };
    let scheme = secret.find("://").map_or("", |at| &secret[..at + 3]);
    format!("{scheme}{HIDDEN}@{rest}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_hidden_and_the_rest_is_shown() {
        for (url, expected) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://user:word@proxy:3128", "http://…@proxy:3128"),
            ("socks5h://user@proxy", "socks5h://…@proxy"),
            ("http://user:wo/r@d@proxy", "http://…@proxy"),
            ("user:word@proxy", "…@proxy"),
            ("user:w?rd@proxy", "…@proxy"),
            ("wss://host/live?token=word", "wss://host/live?…"),
            ("wss://host/live?user=a@b", "wss://host/live?…"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
