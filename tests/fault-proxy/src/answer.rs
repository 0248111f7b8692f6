//! The way of an answer from the server to the client, buffered, cut short or downgraded. Which answer and whether
//! it is passed at all is left to `exchange`.

use std::io;

use tokio::net::TcpStream;

use super::{
    Shared,
    body::Body,
    exchange::{Then, swallow},
    faults::{Buffer, Faults},
    head::Head,
    line::End,
    wire::Wire,
};

/// What becomes of the heads that precede an answer, such as 103.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Informational {
    Pass,
    Drop,
}

/// The body of one answer on its way: what is held back, and how much may still pass.
#[derive(Debug)]
struct Gate {
    held: Vec<u8>,
    /// Opens when so much is held, or only at the end.
    block: Option<u64>,
    left: Option<u64>,
}

/// The head of an answer, and its body to come. An error when the client leaves meanwhile.
pub(super) async fn begin(
    client: &mut Wire<End>,
    upstream: &mut Wire<TcpStream>,
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

/// Passes an answer on.
pub(super) async fn pass(
    client: &mut Wire<End>,
    upstream: &mut Wire<TcpStream>,
    request: &Head,
    faults: &Faults,
    shared: &Shared,
) -> io::Result<Then> {
    let informational = if faults.http10 {
        Informational::Drop
    } else {
        Informational::Pass
    };
    let begun = begin(client, upstream, request, informational).await?;
    pass_from(client, upstream, request, faults, shared, begun).await
}

/// Passes an answer on that has begun, piece by piece, since a stream's answer never ends.
pub(super) async fn pass_from(
    client: &mut Wire<End>,
    upstream: &mut Wire<TcpStream>,
    request: &Head,
    faults: &Faults,
    shared: &Shared,
    (head, mut body): (Head, Body),
) -> io::Result<Then> {
    let mut passed = head.without(&faults.strip_answer);
    if faults.http10 {
        passed = passed.downgraded();
    }
    client.write(&passed.bytes).await?;
    let mut gate = Gate::new(faults);
    loop {
        let before = body;
        let piece = tokio::select! {
            piece = upstream.piece(&mut body) => piece?,
            error = departure(client) => return Err(error),
        };
        let is_over = piece.is_empty();
        gate.held.extend(if faults.http10 {
            before.content(&piece)?
        } else {
            piece
        });
        client.write(&gate.release(is_over)).await?;
        if gate.is_shut() {
            shared.count(|counts| counts.silences += 1);
            return mute(client, upstream, &mut body).await;
        }
        if is_over {
            break;
        }
    }
    let is_last =
        request.is_last() || passed.is_last() || passed.answer_body(request)? == Body::UntilClosed;
    Ok(if is_last { Then::Close } else { Then::KeepOpen })
}

impl Gate {
    fn new(faults: &Faults) -> Self {
        Self {
            held: Vec::new(),
            block: match faults.buffer {
                Buffer::Nothing => Some(0),
                Buffer::Bytes(bytes) => Some(bytes),
                Buffer::UntilEnd => None,
            },
            left: faults.mute_answers_after,
        }
    }

    /// What passes now. What may not is still held afterwards, even at the end.
    fn release(&mut self, is_over: bool) -> Vec<u8> {
        let is_full = self
            .block
            .is_some_and(|block| self.held.len() as u64 >= block);
        if !is_full && !is_over {
            return Vec::new();
        }
        let Some(left) = &mut self.left else {
            return std::mem::take(&mut self.held);
        };
        let some = usize::try_from(*left).unwrap_or(usize::MAX);
        let some = some.min(self.held.len());
        *left -= some as u64;
        self.held.drain(..some).collect()
    }

    /// Whether there is more to pass than ever may.
    fn is_shut(&self) -> bool {
        self.left == Some(0) && !self.held.is_empty()
    }
}

/// Swallows the rest of an answer, and tells the client nothing of its end.
async fn mute(
    client: &mut Wire<End>,
    upstream: &mut Wire<TcpStream>,
    body: &mut Body,
) -> io::Result<Then> {
    let drain = async {
        while let Ok([_, ..]) = upstream.piece(body).await.as_deref() {}
        std::future::pending().await
    };
    tokio::select! {
        left = swallow(client) => left,
        () = drain => Ok(Then::Close),
    }
}

/// Waits until the client leaves, and keeps what it says before; dropping the future loses nothing.
///
/// A server learns that nobody waits for its answer any more only if its connection ends with the client's.
async fn departure(client: &mut Wire<End>) -> io::Error {
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

pub(super) const SWITCHING_PROTOCOLS: u16 = 101;
