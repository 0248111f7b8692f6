//! The browser client as constants. Its sources, types and tests are in `js/`.

/// One build of the client, minified, as a script that defines `Anywire`, a drop-in `WebSocket`.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The script, in UTF-8; it is all ASCII.
    pub script: &'static str,
    /// The same for who accepts the content encoding `br`.
    pub brotli: &'static [u8],
    /// The same for who accepts the content encoding `gzip`.
    pub gzip: &'static [u8],
}

/// The client for all browsers.
pub const FULL: Client = Client {
    script: include_str!("../js/dist/anywire-full.min.js"),
    brotli: include_bytes!("../js/dist/anywire-full.min.js.br"),
    gzip: include_bytes!("../js/dist/anywire-full.min.js.gz"),
};

/// The smaller client for browsers of today: without what only old engines need.
pub const MODERN: Client = Client {
    script: include_str!("../js/dist/anywire.min.js"),
    brotli: include_bytes!("../js/dist/anywire.min.js.br"),
    gzip: include_bytes!("../js/dist/anywire.min.js.gz"),
};
