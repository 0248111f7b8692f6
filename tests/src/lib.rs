//! What the tests over real sockets and in real browsers share.

pub mod capture;
pub mod chromium;
pub mod directory;
pub mod host;
pub mod http;
pub mod middlebox;
pub mod open_answer;
pub mod oracle;
pub mod server;
pub mod simulation;
