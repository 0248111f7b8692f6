//! The browser client as constants. Its sources, types and tests are in `js/`.

/// The client for all browsers, minified; defines `Anywire`, a drop-in `WebSocket`.
pub const CLIENT_JS: &str = include_str!("../js/dist/anywire-full.min.js");

/// The smaller client for browsers of today: without what only old engines need.
pub const CLIENT_MODERN_JS: &str = include_str!("../js/dist/anywire.min.js");
