//! Who a client is, as the app says.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// Who the app's authorisation says that a client is.
///
/// A session is bound to the principal that opened it. To any other the server answers 4930, as if there were no such
/// session (PROTOCOL §2.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// A name that the app chooses: a user id, an account. The server refuses a grant for one of more than 1,024 bytes.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Display for Principal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<&str> for Principal {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Principal {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}
