//! The browser client as a constant. Its sources, types and tests are in `js/`.

/// The client, minified; defines `Anywire`, a drop-in `WebSocket`.
pub const CLIENT_JS: &str = include_str!("../js/dist/anywire.min.js");
