//! Who is it.

use anywire::{Config, Denied, Principal, Transport, Visitor};

/// The user whose login or token this is. Here the app asks its own store.
async fn user_of(credential: &str) -> Option<&str> {
    credential.strip_prefix("secret-of-")
}

fn cookie<'v>(visitor: &'v Visitor, name: &str) -> Option<&'v str> {
    let lines = visitor.headers.get_all("cookie").iter();
    let mut cookies = lines.flat_map(|line| line.to_str().unwrap_or_default().split("; "));
    cookies.find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))
}

fn parameter<'v>(visitor: &'v Visitor, name: &str) -> Option<&'v str> {
    let mut parameters = visitor.query.split('&');
    parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
}

/// Asks each request who it is of.
pub fn with_identity(config: Config) -> Config {
    config.authorize(|visitor| async move {
        // Any page can include a script, and the browser adds the cookie. So JSONP needs the token.
        let takes_cookie = visitor.transport != Transport::Jsonp;
        let login = cookie(&visitor, "login").filter(|_| takes_cookie);
        let refusal = || Denied::unauthenticated("sign in first");
        let credential = parameter(&visitor, "token").or(login).ok_or_else(refusal)?;
        let user = user_of(credential).await.ok_or_else(refusal)?;
        Ok(Principal::new(user))
    })
}
