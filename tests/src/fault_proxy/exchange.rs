//! One client's connection: its requests, one after the other, each with the fault that it meets. Finding the
//! ends of heads and bodies is left to `http` and `body`.
//!
//! A client that closes, also if only its sending half, has left.

use std::{io, sync::Arc, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{
    Fault, Shared,
    body::Body,
    http::{Head, Wire},
    live::Mode,
    tunnel,
};

/// Whether the client's connection can carry another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    KeepOpen,
    Close,
}

/// Serves a client until its connection ends.
///
/// An error of either side closes the client's connection: a client in front of a dead server sees that too.
pub(super) async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let Ok(mut client) = Wire::new(client) else {
        return;
    };
    while let Ok(Some(request)) = client.head().await {
        if request.is_upgrade() {
            // An upgrade takes the connection with it.
            match upgrade(client, request, &shared).await {
                Ok(Some(kept)) => client = kept,
                Ok(None) | Err(_) => return,
            }
        } else if !matches!(
            plain(&mut client, &request, &shared).await,
            Ok(Then::KeepOpen)
        ) {
            return;
        }
    }
}

/// A request that asks for no upgrade.
async fn plain(client: &mut Wire, request: &Head, shared: &Shared) -> io::Result<Then> {
    let fault = shared.fault_for(request);
    if request.is_poll() {
        shared.count(|counts| counts.polls += 1);
    }
    let sent = client
        .whole(&mut request.request_body()?, request.bytes.clone())
        .await?;
    let mut upstream = send(shared, &sent).await?;
    match fault {
        Fault::LoseAnswers { .. } => {
            let (head, mut body) =
                answer(client, &mut upstream, request, Informational::Drop).await?;
            upstream.whole(&mut body, head.bytes).await?;
            shared.count(|counts| counts.answers_lost += 1);
            return Ok(Then::Close);
        }
        Fault::RepeatRequests { .. } => {
            let first = answer(client, &mut upstream, request, Informational::Drop);
            let _ = timeout(REPEAT_PATIENCE, first).await;
            shared.count(|counts| counts.repeats += 1);
            let mut second = send(shared, &sent).await?;
            // The first connection stays open until the second answer is through.
            return pass_answer(client, &mut second, request).await;
        }
        Fault::None
        | Fault::RefuseUpgrade
        | Fault::HangUpgrade
        | Fault::SilentAfterUpgrade
        | Fault::KillAfterUpgrade(_) => {}
    }
    pass_answer(client, &mut upstream, request).await
}

/// A request for a WebSocket. Gives the client's connection back if the server refuses and both go on.
async fn upgrade(mut client: Wire, request: Head, shared: &Shared) -> io::Result<Option<Wire>> {
    let fault = shared.fault_for(&request);
    shared.count(|counts| counts.upgrades_seen += 1);
    let (mode, lifetime) = match fault {
        Fault::RefuseUpgrade => {
            client.write(REFUSAL).await?;
            client.stream.shutdown().await?;
            return swallow(client).await.map(|()| None);
        }
        Fault::HangUpgrade => return swallow(client).await.map(|()| None),
        Fault::SilentAfterUpgrade => (Mode::Muted, None),
        Fault::KillAfterUpgrade(lifetime) => (Mode::Passing, Some(lifetime)),
        Fault::None | Fault::LoseAnswers { .. } | Fault::RepeatRequests { .. } => {
            (Mode::Passing, None)
        }
    };
    let mut upstream = send(shared, &request.bytes).await?;
    let (head, body) = answer(&mut client, &mut upstream, &request, Informational::Pass).await?;
    if head.status()? != SWITCHING_PROTOCOLS {
        let then = pass_body(&mut client, &mut upstream, &request, &head, body).await?;
        return Ok((then == Then::KeepOpen).then_some(client));
    }
    // Among the living before the client knows, so that it is never told too late what becomes of it.
    let place = shared.live.enter(mode);
    shared.count(|counts| counts.upgrades_passed += 1);
    client.write(&head.bytes).await?;
    tunnel::run(client, upstream, place, lifetime)
        .await
        .map(|()| None)
}

/// Sends a request on a connection of its own.
///
/// None is kept for the next one: an idle connection that the server just closes would be a fault that nobody
/// asked for.
async fn send(shared: &Shared, request: &[u8]) -> io::Result<Wire> {
    let mut upstream = Wire::new(TcpStream::connect(shared.upstream).await?)?;
    upstream.write(request).await?;
    Ok(upstream)
}

/// What becomes of the heads that precede an answer, such as 103.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Informational {
    Pass,
    Drop,
}

/// The head of an answer, and its body to come. An error when the client leaves meanwhile.
async fn answer(
    client: &mut Wire,
    upstream: &mut Wire,
    request: &Head,
    informational: Informational,
) -> io::Result<(Head, Body)> {
    loop {
        let head = tokio::select! {
            head = upstream.head() => head?.ok_or(io::ErrorKind::UnexpectedEof)?,
            error = departure(client) => return Err(error),
        };
        let status = head.status()?;
        if status >= 200 || status == SWITCHING_PROTOCOLS {
            let body = head.answer_body(request)?;
            return Ok((head, body));
        }
        if informational == Informational::Pass {
            client.write(&head.bytes).await?;
        }
    }
}

async fn pass_answer(client: &mut Wire, upstream: &mut Wire, request: &Head) -> io::Result<Then> {
    let (head, body) = answer(client, upstream, request, Informational::Pass).await?;
    pass_body(client, upstream, request, &head, body).await
}

/// Passes an answer on piece by piece, since a stream's answer never ends.
async fn pass_body(
    client: &mut Wire,
    upstream: &mut Wire,
    request: &Head,
    head: &Head,
    mut body: Body,
) -> io::Result<Then> {
    client.write(&head.bytes).await?;
    loop {
        let piece = tokio::select! {
            piece = upstream.piece(&mut body) => piece?,
            error = departure(client) => return Err(error),
        };
        if piece.is_empty() {
            break;
        }
        client.write(&piece).await?;
    }
    let is_last = request.is_last() || head.is_last() || body == Body::UntilClosed;
    Ok(if is_last { Then::Close } else { Then::KeepOpen })
}

/// Waits until the client leaves, and keeps what it says before; dropping the future loses nothing.
///
/// A server learns that nobody waits for its answer any more only if its connection ends with the client's.
async fn departure(client: &mut Wire) -> io::Error {
    while !client.is_full() {
        match client.fill().await {
            Ok(true) => {}
            Ok(false) => return io::ErrorKind::ConnectionAborted.into(),
            Err(error) => return error,
        }
    }
    // It says more than we keep, and is heard again when this answer is through.
    std::future::pending().await
}

/// Reads and forgets until the client closes.
async fn swallow(mut client: Wire) -> io::Result<()> {
    while client.fill().await? {
        client.buffer.clear();
    }
    Ok(())
}

const SWITCHING_PROTOCOLS: u16 = 101;
const REFUSAL: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// How long a request may be held before its repeat is sent: long for loopback, short for a test.
const REPEAT_PATIENCE: Duration = Duration::from_millis(200);
