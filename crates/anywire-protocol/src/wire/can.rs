//! What both sides of a session can beyond the rules that every peer of this version keeps (PROTOCOL §2.5).

/// Names of additions to version 1 that a side knows, or that both agreed on ([PROTOCOL §2.5]).
///
/// [PROTOCOL §2.5]: crate::specification::protocol#2-identity
///
/// Names that this crate does not know are left out when a list is read, so that newer peers may say more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Can(u8);

/// The names of version 1, in the order of their bits.
const NAMES: [&str; 5] = ["part", "veil", "leave", "credential", "topic"];

impl Can {
    /// Nothing: what a peer says that names nothing, and what a raw connection has.
    pub const NONE: Self = Self(0);

    /// Long messages go in parts (PROTOCOL §4.9).
    pub const PART: Self = Self(1);

    /// A body may show no text to what lies between (PROTOCOL §4.13).
    pub const VEIL: Self = Self(1 << 1);

    /// The page says when it goes (PROTOCOL §8.8).
    pub const LEAVE: Self = Self(1 << 2);

    /// What lets the client in is renewed while the session goes on (PROTOCOL §10.11).
    pub const CREDENTIAL: Self = Self(1 << 3);

    /// What this crate speaks.
    pub const SPOKEN: Self = Self::PART
        .or(Self::VEIL)
        .or(Self::LEAVE)
        .or(Self::CREDENTIAL);

    /// Reads names; those that are unknown are ignored.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let bits = names.into_iter().filter_map(|name| {
            let index = NAMES.iter().position(|known| *known == name)?;
            Some(1 << index)
        });
        Self(bits.fold(0, |all, bit: u8| all | bit))
    }

    /// The names, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let names = NAMES.iter().enumerate();
        names.filter_map(move |(index, name)| (self.0 & 1 << index != 0).then_some(*name))
    }

    /// What either knows.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both know.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it has all names of the other.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it says nothing.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_round_trip_and_unknown_ones_are_left_out() {
        let all = Can::from_names(NAMES);
        assert_eq!(all.names().collect::<Vec<_>>(), NAMES);
        let some = Can::from_names(["topic", "telepathy", "part", "part", ""]);
        assert_eq!(some.names().collect::<Vec<_>>(), ["part", "topic"]);
        let agreed = some.and(Can::from_names(["topic", "veil"]));
        assert_eq!(agreed.names().collect::<Vec<_>>(), ["topic"]);
        assert!(Can::from_names(["lineage"]).is_none());
        assert_eq!(Can::LEAVE.names().collect::<Vec<_>>(), ["leave"]);
        assert!(all.has(Can::LEAVE) && !some.has(Can::LEAVE));
    }
}
