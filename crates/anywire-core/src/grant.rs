//! What the app says of a client: who it is, and until when that holds. The app is asked in `visit.rs` and `renewal.rs`.

use std::any::Any;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::principal::Principal;
use crate::refusal::Refusal;

/// What lets a client in: who it is, until when that holds, and what the app wants to remember of it. Clones share it.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use anywire_core::Grant;
///
/// #[derive(Debug, PartialEq)]
/// struct Rights { may_bid: bool }
///
/// let in_an_hour = SystemTime::now() + Duration::from_secs(3_600);
/// let grant = Grant::to("ada").until(in_an_hour).with(Rights { may_bid: true });
/// assert_eq!(grant.get::<Rights>(), Some(&Rights { may_bid: true }));
/// assert!(grant.expires_in().unwrap() > Duration::from_secs(3_590));
/// ```
#[derive(Clone, Default)]
#[must_use = "a grant lets nobody in until it is returned"]
pub struct Grant(Option<Arc<Inner>>);

#[derive(Clone, Default)]
struct Inner {
    principal: Option<Principal>,
    until: Option<Instant>,
    values: Vec<Arc<dyn Any + Send + Sync>>,
    /// Another node was given it, and has kept its values.
    is_relayed: bool,
}

impl Grant {
    /// For a client that the app does not name. It holds for good.
    pub fn anonymous() -> Self {
        Self(None)
    }

    /// For this principal. It holds for good.
    pub fn to(principal: impl Into<Principal>) -> Self {
        Self::anonymous().change(|inner| inner.principal = Some(principal.into()))
    }

    /// Holds until this moment, such as the `exp` of a JSON Web Token; the session ends then with 4935, if the client has
    /// not renewed it (PROTOCOL §10.11). The last call counts.
    ///
    /// The clock of the wall is read once, here: when it steps later, the grant holds as long as it would have held.
    pub fn until(self, when: SystemTime) -> Self {
        let left = when.duration_since(SystemTime::now());
        self.lasting(left.unwrap_or_default())
    }

    /// Holds for so long from now on, as [`Grant::until`] says.
    pub fn lasting(self, duration: Duration) -> Self {
        self.change(|inner| inner.until = Instant::now().checked_add(duration))
    }

    /// Remembers a value of a type of the app's own, for [`Grant::get`]. A second one of the same type takes the place of the
    /// first. What it weighs is not counted among the bytes that the session holds. It stays at the node that was given it: see
    /// docs/identity.md on several nodes.
    pub fn with<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.change(|inner| {
            inner.values.retain(|other| !(**other).is::<T>());
            inner.values.push(Arc::new(value));
        })
    }

    /// What another node was given: its values are there.
    pub fn relayed(principal: Option<Principal>, left: Option<Duration>) -> Self {
        let grant = Self::anonymous().change(|inner| {
            inner.principal = principal;
            inner.is_relayed = true;
        });
        match left {
            Some(left) => grant.lasting(left),
            None => grant,
        }
    }

    /// The same with what this node knows better than the one that was given it: the values of the grant before.
    pub(crate) fn after(self, before: &Self) -> Self {
        match &before.0 {
            Some(before) if self.is_relayed() => {
                self.change(|inner| inner.values.clone_from(&before.values))
            }
            _ => self,
        }
    }

    /// Who the client is, if the app has named it.
    pub fn principal(&self) -> Option<&Principal> {
        self.0.as_ref()?.principal.as_ref()
    }

    /// The value of a type that the app has given it.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let values = &self.0.as_ref()?.values;
        values.iter().find_map(|value| value.downcast_ref())
    }

    /// Whether the app has given it values.
    pub fn has_values(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|inner| !inner.values.is_empty())
    }

    /// How long it still holds; `None` for one that holds for good.
    pub fn expires_in(&self) -> Option<Duration> {
        let until = self.ends_at()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.0.as_ref()?.until
    }

    /// Whether it says no more than who the client is.
    pub(crate) fn is_plain(&self) -> bool {
        !self.has_values() && self.ends_at().is_none()
    }

    /// Whether another node was given it.
    pub(crate) fn is_relayed(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.is_relayed)
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = self.0.map(Arc::unwrap_or_clone).unwrap_or_default();
        change(&mut inner);
        Self(Some(Arc::new(inner)))
    }
}

impl From<Principal> for Grant {
    fn from(principal: Principal) -> Self {
        Self::to(principal)
    }
}

impl Debug for Grant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("principal", &self.principal())
            .field("expires_in", &self.expires_in())
            .finish_non_exhaustive()
    }
}

/// What the app says of a request or a credential.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It lets the client in.
    Granted(Grant),
    /// It does not, or cannot tell now.
    Denied(Refusal),
    /// It was not asked, since what lets the session's client in is its grant (PROTOCOL §10.10).
    NotAsked,
}

impl Default for Verdict {
    /// Of an app that lets everybody in.
    fn default() -> Self {
        Self::Granted(Grant::anonymous())
    }
}

impl Verdict {
    /// The grant, where the app has given one.
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Granted(grant) => Some(grant),
            Self::Denied(_) | Self::NotAsked => None,
        }
    }

    /// The grant, where the app has given one, to keep.
    pub(crate) fn into_grant(self) -> Option<Grant> {
        match self {
            Self::Granted(grant) => Some(grant),
            Self::Denied(_) | Self::NotAsked => None,
        }
    }

    /// The grant, or why there is none.
    ///
    /// # Errors
    /// The app has said no. Where it was not asked, the client must say who it is: 4966.
    pub(crate) fn granted(&self) -> Result<&Grant, Refusal> {
        match self {
            Self::Granted(grant) => Ok(grant),
            Self::Denied(refusal) => Err(refusal.clone()),
            Self::NotAsked => Err(Refusal::unauthorized()),
        }
    }
}
