//! What an address, a principal and all clients together may ask of a server. `Limits` says what a session may hold;
//! `accounts.rs` counts.

use std::time::Duration;

/// How much clients may ask: each address, each principal, and all together.
///
/// Addresses of IPv6 count by their /64, which is what one site has. Clients whose address is not known (a proxy that is not
/// trusted, a host that does not tell) have no limits by address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budgets {
    /// Of one address. What asks more is refused with 4904 and 429. [`Share::address`] has the defaults.
    pub address: Share,
    /// Of one principal, likewise. [`Share::principal`] has the defaults. Raise it where many visitors have one name.
    pub principal: Share,
    /// Of all clients together. What asks more is refused with 4902 and 503. [`Share::process`] has the defaults.
    pub process: Share,
    /// Most bytes that sessions, messages and bodies take together. Default: a quarter of the memory that the process may have. Too
    /// small, and sessions of clients that come back a little late are given up; too large, and the system ends the process.
    pub max_bytes: u64,
}

/// How much one of those who share may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Share {
    /// Opens of sessions, refused ones included.
    pub opens: Rate,
    /// Most sessions at once.
    pub sessions: u32,
    /// Most sessions at once whose client has sent nothing since it opened them.
    pub unused_sessions: u32,
    /// Most connections at once that carry a session: WebSockets, streams, held polls.
    pub connections: u32,
    /// Messages from clients.
    pub messages: Rate,
    /// Bytes of these messages.
    pub bytes: Rate,
    /// Requests, packets and frames that are no messages.
    pub control_frames: Rate,
}

/// So many a second in the long run, and so many at once.
///
/// ```
/// use anywire_core::Rate;
///
/// let opens = Rate { per_second: 50, at_once: 2_000 };
/// # let _ = opens;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many a second come back, of those used up.
    pub per_second: u64,
    /// How many at once, when none has been used for a while.
    pub at_once: u64,
}

impl Rate {
    /// Without a limit.
    pub const UNLIMITED: Self = Self {
        per_second: u64::MAX,
        at_once: u64::MAX,
    };

    const fn new(per_second: u64, at_once: u64) -> Self {
        Self {
            per_second,
            at_once,
        }
    }

    /// How long one may have to wait that comes after so many.
    pub(crate) fn time_of(self, count: u64) -> Duration {
        let nanos = u128::from(count) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Share {
    /// One address: 2,000 opens at once and 50 a second, 10,000 sessions of which 4,000 were never used, 16,384 connections,
    /// 1,000,000 messages at once and 100,000 a second, 32 MiB at once and 16 MiB a second, 200,000 control frames at once
    /// and 20,000 a second.
    ///
    /// An office of 2,000 people behind one address that opens after a power cut stays below.
    pub fn address() -> Self {
        Self {
            opens: Rate::new(50, 2_000),
            sessions: 10_000,
            unused_sessions: 4_000,
            connections: 16_384,
            messages: Rate::new(100_000, 1_000_000),
            bytes: Rate::new(16_777_216, 33_554_432),
            control_frames: Rate::new(20_000, 200_000),
        }
    }

    /// One principal: 1,000 opens at once and 20 a second, 2,000 sessions of which 1,000 were never used, 4,096 connections; messages,
    /// bytes and control frames as of an address.
    pub fn principal() -> Self {
        Self {
            opens: Rate::new(20, 1_000),
            sessions: 2_000,
            unused_sessions: 1_000,
            connections: 4_096,
            ..Self::address()
        }
    }

    /// All clients: 100,000 opens at once and 5,000 a second; else without limits, since `Limits::max_sessions`, the server loop's
    /// connections and `Budgets::max_bytes` are limits of the process already.
    pub fn process() -> Self {
        Self {
            opens: Rate::new(5_000, 100_000),
            ..Self::unlimited()
        }
    }

    /// Without limits.
    pub fn unlimited() -> Self {
        Self {
            opens: Rate::UNLIMITED,
            sessions: u32::MAX,
            unused_sessions: u32::MAX,
            connections: u32::MAX,
            messages: Rate::UNLIMITED,
            bytes: Rate::UNLIMITED,
            control_frames: Rate::UNLIMITED,
        }
    }
}

macro_rules! setters {
    ($($owner:ident { $($field:ident: $kind:ty,)* })*) => {
        $(
            /// Setters, one for each field: its meaning and default are described there.
            impl $owner {
                $(
                    #[doc = concat!("Sets [`", stringify!($field), "`](field@", stringify!($owner), "::", stringify!($field), ").")]
                    #[must_use]
                    pub fn $field(mut self, $field: $kind) -> Self {
                        self.$field = $field;
                        self
                    }
                )*
            }
        )*
    };
}

setters! {
    Budgets {
        max_bytes: u64,
    }
    Share {
        opens: Rate,
        sessions: u32,
        unused_sessions: u32,
        connections: u32,
        messages: Rate,
        bytes: Rate,
        control_frames: Rate,
    }
}

impl Budgets {
    /// Without limits but those of memory: for tests, and for servers that only friends reach.
    pub fn unlimited() -> Self {
        Self {
            address: Share::unlimited(),
            principal: Share::unlimited(),
            process: Share::unlimited(),
            ..Self::default()
        }
    }

    /// Sets the share of each address.
    #[must_use]
    pub fn of_address(mut self, share: Share) -> Self {
        self.address = share;
        self
    }

    /// Sets the share of each principal.
    #[must_use]
    pub fn of_principal(mut self, share: Share) -> Self {
        self.principal = share;
        self
    }

    /// Sets the share of all clients together.
    #[must_use]
    pub fn of_process(mut self, share: Share) -> Self {
        self.process = share;
        self
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            address: Share::address(),
            principal: Share::principal(),
            process: Share::process(),
            max_bytes: crate::memory::quarter(),
        }
    }
}
