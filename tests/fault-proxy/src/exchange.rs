//! One client's connection: its requests, one after the other, each with the faults that it meets. The way of an
//! answer is left to `answer`, what comes after a 101 to `tunnel`.
//!
//! A client that closes, also if only its sending half, has left.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use super::{
    Shared,
    answer::{self, Informational},
    faults::Upgrade,
    filter,
    head::Head,
    line::End,
    live::raise,
    order::Encounter,
    tunnel::{self, Mode},
    wire::{Wire, write_in_steps},
};

/// Whether the client's connection can carry another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    KeepOpen,
    Close,
}

/// Serves a client until its connection ends.
///
/// An error of either side closes the client's connection: a client in front of a dead server sees that too.
pub(super) async fn serve(client: End, shared: &Shared) {
    let mut client = Wire::new(client);
    let mut then = Then::KeepOpen;
    while then == Then::KeepOpen {
        client.stream.draw_cut();
        let Ok(Some(request)) = client.head().await else {
            return;
        };
        let met = shared.meet(&request);
        shared.count(|counts| counts.requests += 1);
        then = match one(&mut client, &request, &met, shared).await {
            Ok(then) => then,
            Err(_) => return,
        };
    }
}

async fn one(
    client: &mut Wire<End>,
    request: &Head,
    met: &Encounter,
    shared: &Shared,
) -> io::Result<Then> {
    if met.faults.refuse_connections {
        shared.count(|counts| counts.refusals += 1);
        client.stream.finish(met.faults.rst);
        return Ok(Then::Close);
    }
    let mut passed = request.without(&met.faults.strip);
    if met.faults.strip_cookies {
        passed = passed.without(&["cookie"]);
    }
    if request.is_upgrade() {
        shared.count(|counts| counts.upgrades_seen += 1);
        if met.faults.upgrade == Upgrade::Strip || met.faults.http10 {
            passed = passed.without(&["upgrade", "connection"]);
        }
    }
    if passed.is_upgrade() {
        upgrade(client, &passed, met, shared).await
    } else {
        plain(client, request, passed, met, shared).await
    }
}

/// A request that asks for no upgrade, as it came and as it goes on.
async fn plain(
    client: &mut Wire<End>,
    request: &Head,
    passed: Head,
    met: &Encounter,
    shared: &Shared,
) -> io::Result<Then> {
    if request.is_poll() {
        shared.count(|counts| counts.polls += 1);
    }
    let framing = request.request_body()?;
    let mut rest = framing;
    let body = client.whole(&mut rest, Vec::new()).await?;
    if met.faults.refuse_posts && request.is_post() {
        shared.count(|counts| counts.refusals += 1);
        client.write(PORTAL).await?;
        return Ok(Then::KeepOpen);
    }
    let content = framing.content(&body)?;
    if request.is_post()
        && met
            .faults
            .refuse_text
            .iter()
            .any(|text| filter::says(&content, text))
    {
        shared.count(|counts| counts.refusals += 1);
        client.write(PORTAL).await?;
        return Ok(Then::KeepOpen);
    }
    let length = content.len() as u64;
    if request.is_post() && met.faults.limit_body.is_some_and(|most| length > most) {
        shared.count(|counts| counts.refusals += 1);
        client.write(TOO_LARGE).await?;
        return Ok(Then::KeepOpen);
    }
    let sent = if met.faults.http10 {
        let (body, is_sized) = (framing.content(&body)?, framing.is_sized());
        let head = passed.downgraded();
        let head = if is_sized {
            head
        } else {
            head.with("Content-Length", &body.len().to_string())
        };
        [head.bytes, body].concat()
    } else {
        [passed.bytes, body].concat()
    };
    if met.is_held_back {
        shared.count(|counts| counts.reorders += 1);
        let mut others = shared.posts_sent.subscribe();
        let _ = timeout(OVERTAKING_PATIENCE, others.changed()).await;
    }
    let mut upstream = send(shared, &sent, met).await?;
    if request.is_post() {
        shared.posts_sent.send_modify(|sent| *sent += 1);
    }
    // Stays open until the second answer is through.
    let mut _first = None;
    if met.is_repeated {
        let answered = answer::begin(client, &mut upstream, request, Informational::Drop);
        let _ = timeout(REPEAT_PATIENCE, answered).await;
        shared.count(|counts| counts.repeats += 1);
        _first = Some(std::mem::replace(
            &mut upstream,
            send(shared, &sent, met).await?,
        ));
    }
    if met.loses_answer {
        let (_, mut body) =
            answer::begin(client, &mut upstream, request, Informational::Drop).await?;
        upstream.whole(&mut body, Vec::new()).await?;
        shared.count(|counts| counts.answers_lost += 1);
        client.stream.finish(met.faults.rst);
        return Ok(Then::Close);
    }
    answer::pass(client, &mut upstream, request, &met.faults, shared).await
}

/// A request for a WebSocket. The connection goes on if the server refuses and both keep it open.
async fn upgrade(
    client: &mut Wire<End>,
    request: &Head,
    met: &Encounter,
    shared: &Shared,
) -> io::Result<Then> {
    let faults = &met.faults;
    match faults.upgrade {
        Upgrade::Refuse => {
            shared.count(|counts| counts.refusals += 1);
            client.write(REFUSAL).await?;
            client.stream.finish(faults.rst);
            return Ok(Then::Close);
        }
        Upgrade::Hang => return swallow(client).await,
        Upgrade::Pass | Upgrade::Strip => {}
    }
    let mut upstream = send(shared, &request.bytes, met).await?;
    let (head, body) = answer::begin(client, &mut upstream, request, Informational::Pass).await?;
    if head.status()? != answer::SWITCHING_PROTOCOLS {
        return answer::pass_from(client, &mut upstream, request, faults, shared, (head, body))
            .await;
    }
    // Among the living before the client knows, so that it is never told too late what becomes of it.
    let place = shared.tunnels.enter(Mode::Passing);
    if faults.silent {
        raise(&place.state(), Mode::Muted);
        shared.count(|counts| counts.silences += 1);
    }
    shared.count(|counts| counts.upgrades_passed += 1);
    client
        .write(&head.without(&faults.strip_answer).bytes)
        .await?;
    tunnel::run(client, upstream, place, faults, shared).await;
    Ok(Then::Close)
}

/// Sends a request on a connection of its own.
///
/// None is kept for the next one: an idle connection that the server just closes would be a fault that nobody
/// asked for.
async fn send(shared: &Shared, request: &[u8], met: &Encounter) -> io::Result<Wire<TcpStream>> {
    let stream = TcpStream::connect(&shared.upstream)
        .await
        .inspect_err(|_| shared.count(|counts| counts.unreachable += 1))?;
    stream.set_nodelay(true)?;
    let mut upstream = Wire::new(stream);
    write_in_steps(&mut upstream.stream, request, met.faults.step()).await?;
    Ok(upstream)
}

/// Reads and forgets until the client closes.
pub(super) async fn swallow(client: &mut Wire<End>) -> io::Result<Then> {
    loop {
        client.buffer.clear();
        if !client.fill().await? {
            return Ok(Then::Close);
        }
    }
}

const REFUSAL: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const PORTAL: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 36\r\n\r\n\
    <h1>Please sign in to use Wi-Fi</h1>";
const TOO_LARGE: &[u8] =
    b"HTTP/1.1 413 Request Entity Too Large\r\ncontent-type: text/html\r\ncontent-length: 33\r\n\r\n\
    <h1>Request Entity Too Large</h1>";
/// How long a request may be held before its repeat is sent: long for loopback, short for a test.
const REPEAT_PATIENCE: Duration = Duration::from_millis(200);
/// How long a request waits for another one to overtake it.
const OVERTAKING_PATIENCE: Duration = Duration::from_millis(100);
