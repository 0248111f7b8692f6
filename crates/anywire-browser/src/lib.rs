//! The browser client as constants. Its sources, types and tests are in `js/`.

/// One build of the client, minified, as a script that defines `Anywire`, a drop-in `WebSocket`.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The script, in UTF-8; it is all ASCII.
    pub script: &'static str,
    /// The script in the content encoding `br`.
    pub brotli: &'static [u8],
    /// The script in the content encoding `gzip`.
    pub gzip: &'static [u8],
}

macro_rules! client {
    ($name:literal) => {
        Client {
            script: include_str!(concat!("../js/dist/", $name)),
            brotli: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".br")),
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
        }
    };
}

/// The client for all browsers.
pub const FULL: Client = client!("anywire-full.min.js");

/// The smaller client for browsers since 2020, without what only old engines need.
pub const MODERN: Client = client!("anywire.min.js");
