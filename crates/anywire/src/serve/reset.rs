//! How a connection ends that a stalled peer has: the kernel is to keep nothing for it.

use std::any::Any;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

/// Lets the stream end by a reset once it is dropped, so that what the peer has not taken is freed at once. A normal close
/// would leave it to the kernel, which no limit counts. Streams that are not of TCP end as they do.
pub(crate) fn reset_on_drop(stream: &dyn Any) {
    if let Some(stream) = tcp(stream) {
        // A socket that refuses it has ended.
        let _ = stream.set_zero_linger();
    }
}

fn tcp(stream: &dyn Any) -> Option<&TcpStream> {
    #[cfg(feature = "tls")]
    if let Some(stream) = stream.downcast_ref::<TlsStream<TcpStream>>() {
        return Some(stream.get_ref().0);
    }
    stream.downcast_ref()
}

/// What each connection of TCP is set to.
pub(crate) fn prepare(stream: &TcpStream, stall: Duration) {
    // Small messages must not wait for each other's acks.
    let _ = stream.set_nodelay(true);
    // For what is closed in order and never taken: the kernel gives it up as we would.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(stall));
}
