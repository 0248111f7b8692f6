//! The two documents that doc comments cite: the wire ([`protocol`]), and the choice of a transport ([`negotiation`]).
//!
//! "PROTOCOL §7.2" means the clause with this number in section 7 of [`protocol`]. "NEGOTIATION §4.5" means likewise a
//! clause of [`negotiation`]. The crate's package has the same texts as the files `PROTOCOL.md` and `NEGOTIATION.md`.

// Rustdoc resolves links of other crates against the compiled crate. So the modules are always there, and empty: only
// their texts are for rustdoc alone.

/// What the two sides say to each other, in numbered clauses: enough to write a client or a server from.
#[cfg_attr(all(doc, not(doctest)), doc = include_str!("../PROTOCOL.md"))]
pub mod protocol {}

/// How a client chooses between its transports and moves a session from one to another, in numbered clauses.
#[cfg_attr(all(doc, not(doctest)), doc = include_str!("../NEGOTIATION.md"))]
pub mod negotiation {}
