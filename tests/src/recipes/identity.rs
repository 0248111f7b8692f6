//! Who is it.

use std::io;
use std::time::Duration;

use anywire::{Config, Credential, Denied, Grant, Transport, Visitor};

/// What the app remembers of a user.
pub struct Rights {
    /// Whether the user may write.
    pub may_write: bool,
}

/// The user whose login or token this is. Here the app asks its own store, which may be away.
async fn user_of(said: &str) -> io::Result<Option<&str>> {
    match said {
        "away" => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(said.strip_prefix("secret-of-")),
    }
}

/// Asks each visitor who it is, by a token or by the cookie of a login.
pub fn with_identity(config: Config) -> Config {
    config.authorize(|visitor: Visitor| async move {
        let refusal = || Denied::unauthenticated("sign in first");
        let token = visitor.credential.as_ref().map(Credential::as_str);
        // Any page can include a script, and the browser adds the cookie. So JSONP needs the token.
        let takes_cookie = visitor.transport != Transport::Jsonp;
        let login = visitor.cookie("login").filter(|_| takes_cookie);
        let said = token.or(login).ok_or_else(refusal)?;
        let user = user_of(said).await.map_err(|_| {
            Denied::unavailable("the logins cannot be read", Duration::from_secs(2))
        })?;
        let user = user.ok_or_else(refusal)?;
        if user == "mallory" {
            return Err(Denied::forbidden("mallory may not"));
        }
        let rights = Rights {
            may_write: user != "eve",
        };
        Ok(Grant::to(user)
            .with(rights)
            .lasting(Duration::from_secs(600)))
    })
}
