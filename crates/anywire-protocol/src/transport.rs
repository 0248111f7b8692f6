//! The kinds of connection, by name and by number. Shells connect.

use std::ops::{Index, IndexMut};

use crate::words::words;

words! {
    /// A kind of connection that can carry a session. Each is a section of [PROTOCOL](crate::specification::protocol).
    ///
    /// Code outside this crate does not match on it: a table with a row for each kind is a [`PerTransport`], and
    /// [`Transport::ALL`] walks them.
    Transport {
        /// A WebSocket (PROTOCOL §5): messages both ways on one connection.
        WebSocket = "websocket",
        /// Long polling (PROTOCOL §6): one request after the other. The server holds each until it has something
        /// to say.
        Poll = "poll",
        /// A plain WebSocket (PROTOCOL §9) for clients that do not speak the protocol. It cannot resume.
        Raw = "raw",
        /// One endless answer down, and requests up beside it (PROTOCOL §13).
        Stream = "stream",
        /// The same as server-sent events, for browsers that have `EventSource` (PROTOCOL §14).
        Events = "events",
        /// Long polling by script tags, for browsers that can make no other request across origins (PROTOCOL §15).
        Jsonp = "jsonp",
    }
}

impl Transport {
    /// The row of this kind in a table with one row for each: its place in [`Transport::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A table with one row for each [`Transport`].
///
/// ```
/// use anywire_protocol::{PerTransport, Transport};
///
/// let mut attaches = PerTransport::<u64>::default();
/// attaches[Transport::Poll] += 1;
/// assert_eq!(attaches.iter().map(|(_, count)| count).sum::<u64>(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerTransport<T>([T; Transport::ALL.len()]);

impl<T> PerTransport<T> {
    /// A table; `row` is called once for each transport and returns its value.
    pub fn from_fn(mut row: impl FnMut(Transport) -> T) -> Self {
        Self(Transport::ALL.map(&mut row))
    }

    /// The rows, in the order of [`Transport::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Transport, &T)> {
        Transport::ALL.into_iter().zip(&self.0)
    }
}

impl<T> Index<Transport> for PerTransport<T> {
    type Output = T;

    fn index(&self, transport: Transport) -> &T {
        &self.0[transport.index()]
    }
}

impl<T> IndexMut<Transport> for PerTransport<T> {
    fn index_mut(&mut self, transport: Transport) -> &mut T {
        &mut self.0[transport.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_and_a_row_of_its_own() {
        let table = PerTransport::from_fn(Transport::name);
        for (row, transport) in Transport::ALL.into_iter().enumerate() {
            assert_eq!(transport.index(), row);
            assert_eq!(table[transport], transport.name());
            assert_eq!(Transport::from_name(transport.name()), Some(transport));
        }
        assert_eq!(Transport::from_name("carrier-pigeon"), None);
    }
}
