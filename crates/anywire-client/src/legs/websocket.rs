//! One WebSocket: the upgrade, then frames in and bytes out (PROTOCOL §5, RFC 6455). What they carry is left to the
//! driver.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use anywire_protocol::{ConnectionId, FrameReader, Offer, Outcome, Packet, SUBPROTOCOL, Timestamp};
use anywire_websocket::frame::{Decoder, Encoder, Frame, Role};
use anywire_websocket::handshake::Upgrade;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::exchange::{collect, root_cause};
use super::{Failure, MAX_REFUSAL_BYTES, Owned};
use crate::authorize::Headers;
use crate::connect::Connector;
use crate::credential::Admission;

/// A WebSocket as the driver holds it.
pub(crate) struct WebSocketLeg {
    pub(crate) channel: Channel,
    pub(crate) attachment: Option<ConnectionId>,
    pub(crate) encoder: Encoder,
    pub(crate) reader: FrameReader,
    /// What is to be written when the writer is free.
    pub(crate) out: Vec<u8>,
    pub(crate) is_writing: bool,
    /// Since when the writer has a full buffer and is not done with it, once there is more to write.
    pub(crate) blocked_since: Option<Timestamp>,
    /// Our close is among what was written, or waits in `out`.
    pub(crate) has_close: bool,
    /// The session has nothing more to say here.
    pub(crate) is_finished: bool,
}

impl WebSocketLeg {
    pub(crate) async fn next(&mut self) -> Happened {
        let ended = || Happened::Ended(Failure::new(Outcome::Closed, "the leg's task ended"));
        self.channel.happened.recv().await.unwrap_or_else(ended)
    }

    pub(crate) fn attachment(&self) -> Option<ConnectionId> {
        self.attachment
    }

    /// Since when the line takes nothing, though there is more to write than is prepared ahead.
    pub(crate) fn blocked_since(&self) -> Option<Timestamp> {
        self.blocked_since
    }

    /// Whether all has been written.
    pub(crate) fn is_quiet(&self) -> bool {
        self.out.is_empty() && !self.is_writing
    }

    pub(crate) fn push(&mut self, packet: &Packet) {
        self.encoder.packet(&mut self.out, packet);
    }

    /// Hands what waits to the writer, if it is free.
    pub(crate) fn flush(&mut self) {
        if !self.is_writing && !self.out.is_empty() {
            self.is_writing = true;
            // If the writer has ended, its own event says so.
            let _ = self.channel.write.try_send(std::mem::take(&mut self.out));
        }
    }
}

/// What becomes of a WebSocket.
#[derive(Debug)]
pub(crate) enum Happened {
    /// The upgrade was answered as it should be.
    Connected,
    /// Bytes came; these frames were whole. May be none.
    Heard(Vec<Frame>),
    /// What was handed over has been written.
    Written {
        /// Empty, to be used again.
        buffer: Vec<u8>,
        /// The line did not take it at once.
        has_waited: bool,
    },
    /// It is over.
    Ended(Failure),
}

/// What a WebSocket needs to begin.
pub(crate) struct Beginning {
    pub(crate) connector: Connector,
    pub(crate) uri: Uri,
    pub(crate) headers: Headers,
    pub(crate) offer: Offer,
    /// What lets an offer to open in.
    pub(crate) admission: Option<Admission>,
    pub(crate) max_frame_bytes: usize,
}

/// A WebSocket's task, and the ways to and from it.
pub(crate) struct Channel {
    /// What happens; the task waits while the driver does not take it.
    pub(crate) happened: mpsc::Receiver<Happened>,
    /// One buffer at a time: the next when it was [`Happened::Written`].
    pub(crate) write: mpsc::Sender<Vec<u8>>,
    _task: Owned,
}

impl Channel {
    pub(crate) fn open(beginning: Beginning) -> Self {
        let (tell, happened) = mpsc::channel(EVENTS);
        let (write, buffers) = mpsc::channel(1);
        let task = Owned::spawn(async move {
            let failure = run(beginning, &tell, buffers).await;
            let _ = tell.send(Happened::Ended(failure)).await;
        });
        Self {
            happened,
            write,
            _task: task,
        }
    }
}

/// Runs until it ends, and says why.
async fn run(
    beginning: Beginning,
    tell: &mpsc::Sender<Happened>,
    buffers: mpsc::Receiver<Vec<u8>>,
) -> Failure {
    let max_frame_bytes = beginning.max_frame_bytes;
    let stream = match upgrade(beginning).await {
        Ok(stream) => stream,
        Err(failure) => return failure,
    };
    if tell.send(Happened::Connected).await.is_err() {
        return Failure::new(Outcome::Dropped, "");
    }
    let (from, to) = tokio::io::split(stream);
    tokio::select! {
        failure = read(from, max_frame_bytes, tell) => failure,
        failure = write(to, buffers, tell) => failure,
    }
}

/// Connects and upgrades. The HTTP connection is driven on the way and taken apart at the end.
async fn upgrade(beginning: Beginning) -> Result<impl AsyncRead + AsyncWrite + Unpin, Failure> {
    let closed = |error: hyper::Error| Failure::new(Outcome::Closed, root_cause(&error));
    let failed = |why: String| Failure::new(Outcome::Failed, why);
    let Beginning {
        connector,
        uri,
        headers,
        mut offer,
        admission,
        ..
    } = beginning;
    let mut fields = headers.now().await.map_err(Failure::from)?;
    if let (Offer::Open(open), Some(admission)) = (&mut offer, admission) {
        let credential = admission.credential().await.map_err(Failure::from)?;
        open.credential = Some(credential);
    }
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| failed(error.to_string()))?;
    let handshake = Upgrade::new(nonce);
    let own = handshake
        .headers(&offer.tokens())
        .map_err(|error| failed(error.to_string()))?;
    fields.extend(own);
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(host).map_err(|error| failed(error.to_string()))?;
    fields.insert(HOST, host);

    let stream = connector
        .dial(uri.clone())
        .await
        .map_err(|error| failed(root_cause(&error)))?;
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(stream)
        .await
        .map_err(closed)?;
    let _driving = Owned::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    let mut request = Request::new(Empty::new());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().unwrap_or_default();
    *request.headers_mut() = fields;
    let response = sender.send_request(request).await.map_err(closed)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (head, body) = response.into_parts();
        let body = collect(body, MAX_REFUSAL_BYTES, REFUSAL_WITHIN)
            .await
            .unwrap_or_default();
        return Err(Failure::refused(head.status, &head.headers, &body));
    }
    if let Err(error) = handshake.check(response.headers(), SUBPROTOCOL) {
        return Err(Failure::new(Outcome::Refused, error.to_string()));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(closed)?;
    Ok(TokioIo::new(upgraded))
}

async fn read(
    mut from: impl AsyncRead + Unpin,
    max_frame_bytes: usize,
    tell: &mpsc::Sender<Happened>,
) -> Failure {
    let mut decoder = Decoder::new(Role::Client, max_frame_bytes);
    let mut scratch = vec![0; READ_BYTES];
    loop {
        let count = match from.read(&mut scratch).await {
            Ok(0) => return Failure::new(Outcome::Closed, "the connection ended"),
            Ok(count) => count,
            Err(error) => return Failure::new(Outcome::Closed, error.to_string()),
        };
        let mut input = &mut scratch[..count];
        let mut frames = Vec::new();
        let broken = loop {
            match decoder.decode(&mut input) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break None,
                Err(violation) => break Some(violation),
            }
        };
        if tell.send(Happened::Heard(frames)).await.is_err() {
            return Failure::new(Outcome::Dropped, "");
        }
        if let Some(violation) = broken {
            return Failure::new(Outcome::Closed, violation.what());
        }
    }
}

async fn write(
    mut to: impl AsyncWrite + Unpin,
    mut buffers: mpsc::Receiver<Vec<u8>>,
    tell: &mpsc::Sender<Happened>,
) -> Failure {
    while let Some(mut buffer) = buffers.recv().await {
        let mut has_waited = false;
        let written = {
            let mut writing = pin!(async {
                to.write_all(&buffer).await?;
                to.flush().await
            });
            poll_fn(|cx| {
                let poll = writing.as_mut().poll(cx);
                has_waited |= poll.is_pending();
                poll
            })
            .await
        };
        if let Err(error) = written {
            return Failure::new(Outcome::Closed, error.to_string());
        }
        buffer.clear();
        let happened = Happened::Written { buffer, has_waited };
        if tell.send(happened).await.is_err() {
            break;
        }
    }
    // The driver has let go after its last words: the peer ends the TCP connection, or we do by dropping it.
    let _ = to.shutdown().await;
    Failure::new(Outcome::Dropped, "")
}

/// An encoder whose masks are fresh for each frame and from a strong source (RFC 6455 §5.3), which is asked for many at
/// once.
pub(crate) fn encoder() -> Encoder {
    let mut pool = [0_u8; 512];
    let mut used = pool.len();
    Encoder::client(move || {
        if used == pool.len() {
            // Without a source of randomness the handshake has failed already.
            getrandom::fill(&mut pool).ok();
            used = 0;
        }
        used += 4;
        let mask = pool[used - 4..].first_chunk();
        *mask.expect("the pool is made of masks")
    })
}

/// How much is read at once.
const READ_BYTES: usize = 32_768;

/// How many happenings may wait for the driver.
const EVENTS: usize = 4;

/// How long the body of a refusal may take.
const REFUSAL_WITHIN: Duration = Duration::from_secs(2);
