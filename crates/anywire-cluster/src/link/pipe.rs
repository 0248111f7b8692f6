//! A connection between two nodes: both know the cluster's key, and what passes is encrypted unless it stays on this machine.
//! It carries bytes; `frame.rs` says what they mean.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use snow::{Builder, HandshakeState, TransportState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::frame::VERSION;
use super::wire::{Network, Wire};
use crate::key::LinkKey;
use crate::store::NodeId;

/// A second without a word is followed by a sign of life.
pub(super) const PING_AFTER: Duration = Duration::from_secs(1);

/// A peer that is silent for 3 s is gone.
pub(super) const SILENCE: Duration = Duration::from_secs(3);

/// A peer that is reachable answers within 2 s.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// What Noise calls the handshake: each side draws a key, and both know another beforehand. Who has not the cluster's key
/// cannot take part, and who learns it later cannot read what has passed.
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";

/// No message of Noise is longer.
const MAX_RECORD_BYTES: usize = 65_535;

/// What a record takes beyond what is in it.
const TAG_BYTES: usize = 16;

/// A new connection, and who is at its other end.
pub(super) struct Pipe {
    wire: Wire,
    /// What has come and is not decrypted yet.
    sealed: BytesMut,
    /// What has come.
    pub(super) input: BytesMut,
    /// What waits to be written.
    output: BytesMut,
    /// Nothing on this machine.
    cipher: Option<Box<TransportState>>,
    heard_at: Instant,
    said_at: Instant,
}

/// Why [`Pipe::turn`] returns.
pub(super) enum Turn {
    /// Bytes came: see [`Pipe::input`].
    Read,
    /// What waited has been written, or some of it.
    Written,
    /// The future that was waited for beside it is ready.
    Woken,
    /// It is time for a sign of life.
    MustPing,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The peer's host refuses connections at the address: the process is gone, if it was there.
    #[error("no process listens at {0}")]
    Refused(SocketAddr),
    /// Somebody else answers at the address.
    #[error("another node than {0} answers at its address: that process is gone")]
    OtherNode(NodeId),
    /// What the peer says cannot come from a node of this cluster.
    #[error("the peer has not this cluster's key, or is of another version: {0}")]
    Foreign(#[from] snow::Error),
    /// What the peer says breaks the rules of links: a bug here or there.
    #[error("a peer broke the rules of links: {0}")]
    Nonsense(&'static str),
    /// Bytes that are no frame.
    #[error(transparent)]
    Frame(#[from] super::frame::FrameError),
    /// The connection broke, or could not be made.
    #[error("the connection between the nodes broke: {0}")]
    Broken(#[from] io::Error),
}

impl Pipe {
    /// Connects to a node.
    pub(super) async fn connect(
        network: &dyn Network,
        address: SocketAddr,
        own: NodeId,
        peer: NodeId,
        key: &LinkKey,
    ) -> Result<Self, LinkError> {
        let connecting = async {
            let wire = network.connect(address).await;
            let mut wire = wire.map_err(|error| match error.kind() {
                io::ErrorKind::ConnectionRefused => LinkError::Refused(address),
                _ => error.into(),
            })?;
            let mut noise = Builder::new(PATTERN.parse()?)
                .psk(0, key.as_bytes())?
                .build_initiator()?;
            say(&mut wire, &mut noise, own).await?;
            let found = hear(&mut wire, &mut noise).await?;
            if found != peer {
                return Err(LinkError::OtherNode(peer));
            }
            Self::new(wire, noise)
        };
        let connected = timeout(CONNECT_WITHIN, connecting).await;
        connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    /// Takes a connection that a node has made; returns which.
    pub(super) async fn accept(
        mut wire: Wire,
        own: NodeId,
        keys: &[LinkKey],
    ) -> Result<(Self, NodeId), LinkError> {
        let accepting = async {
            let first = read_message(&mut wire).await?;
            let mut last = None;
            for key in keys {
                let mut noise = Builder::new(PATTERN.parse()?)
                    .psk(0, key.as_bytes())?
                    .build_responder()?;
                match read_hello(&mut noise, &first) {
                    Ok(peer) => {
                        say(&mut wire, &mut noise, own).await?;
                        return Ok((Self::new(wire, noise)?, peer));
                    }
                    Err(error) => last = Some(error),
                }
            }
            Err(last.unwrap_or(LinkError::Foreign(snow::Error::Decrypt)))
        };
        let accepted = timeout(CONNECT_WITHIN, accepting).await;
        accepted.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    fn new(wire: Wire, noise: HandshakeState) -> Result<Self, LinkError> {
        let cipher = match wire.stays_here {
            true => None,
            false => Some(Box::new(noise.into_transport_mode()?)),
        };
        let now = Instant::now();
        Ok(Self {
            wire,
            sealed: BytesMut::new(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            cipher,
            heard_at: now,
            said_at: now,
        })
    }

    /// Whether so much waits to be written that no more should be made.
    pub(super) fn is_full(&self) -> bool {
        self.output.len() >= MAX_OUTPUT_BYTES
    }

    /// Says something; [`Pipe::turn`] writes it.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let Some(cipher) = &mut self.cipher else {
            self.output.extend_from_slice(bytes);
            return Ok(());
        };
        for bytes in bytes.chunks(MAX_RECORD_BYTES - TAG_BYTES) {
            let begin = self.output.len();
            self.output.put_u16_le((bytes.len() + TAG_BYTES) as u16);
            self.output.resize(begin + 2 + bytes.len() + TAG_BYTES, 0);
            cipher.write_message(bytes, &mut self.output[begin + 2..])?;
        }
        Ok(())
    }

    /// Reads, writes, or waits for `wake`, whatever comes first.
    ///
    /// Cancel safety: no byte is lost if the future is dropped.
    ///
    /// # Errors
    /// The connection broke, or the peer has been silent for too long.
    pub(super) async fn turn(&mut self, wake: impl Future<Output = ()>) -> Result<Turn, LinkError> {
        let has_output = !self.output.is_empty();
        let into = match self.cipher {
            Some(_) => &mut self.sealed,
            None => &mut self.input,
        };
        let turn = tokio::select! {
            count = self.wire.reader.read_buf(into) => {
                if count? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                self.heard_at = Instant::now();
                Turn::Read
            }
            count = self.wire.writer.write(&self.output), if has_output => {
                self.output.advance(count?);
                self.said_at = Instant::now();
                Turn::Written
            }
            () = wake => Turn::Woken,
            () = sleep_until(self.said_at + PING_AFTER), if !has_output => {
                self.said_at = Instant::now();
                Turn::MustPing
            }
            () = sleep_until(self.heard_at + SILENCE) => {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
        };
        if let Turn::Read = turn {
            self.open_records()?;
        }
        Ok(turn)
    }

    fn open_records(&mut self) -> Result<(), LinkError> {
        let Some(cipher) = &mut self.cipher else {
            return Ok(());
        };
        while let Some(&length) = self.sealed.first_chunk::<2>() {
            let length = usize::from(u16::from_le_bytes(length));
            if self.sealed.len() < 2 + length {
                break;
            }
            self.sealed.advance(2);
            let record = self.sealed.split_to(length);
            let begin = self.input.len();
            self.input.resize(begin + length, 0);
            let count = cipher.read_message(&record, &mut self.input[begin..])?;
            self.input.truncate(begin + count);
        }
        Ok(())
    }
}

async fn say(wire: &mut Wire, noise: &mut HandshakeState, own: NodeId) -> Result<(), LinkError> {
    let mut hello = [0; 9];
    hello[0] = VERSION;
    hello[1..].copy_from_slice(&own.0);
    let mut message = vec![0; 256];
    let length = noise.write_message(&hello, &mut message)?;
    wire.writer.write_u16_le(length as u16).await?;
    wire.writer.write_all(&message[..length]).await?;
    Ok(())
}

async fn hear(wire: &mut Wire, noise: &mut HandshakeState) -> Result<NodeId, LinkError> {
    let message = read_message(wire).await?;
    read_hello(noise, &message)
}

async fn read_message(wire: &mut Wire) -> Result<Vec<u8>, LinkError> {
    let length = wire.reader.read_u16_le().await?;
    if length > 256 {
        return Err(snow::Error::Input.into());
    }
    let mut message = vec![0; usize::from(length)];
    wire.reader.read_exact(&mut message).await?;
    Ok(message)
}

fn read_hello(noise: &mut HandshakeState, message: &[u8]) -> Result<NodeId, LinkError> {
    let mut hello = [0; 256];
    let length = noise.read_message(message, &mut hello)?;
    match hello[..length].split_first() {
        Some((&VERSION, node)) => {
            let node = node.try_into().map_err(|_| snow::Error::Input)?;
            Ok(NodeId(node))
        }
        _ => Err(snow::Error::Input.into()),
    }
}

/// 256 KiB: a peer that takes less fills no more of this node's memory.
const MAX_OUTPUT_BYTES: usize = 262_144;

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::key::ClusterKey;

    /// Both ends of a connection as between two machines.
    async fn encrypted() -> [Pipe; 2] {
        let key = ClusterKey::new([7; 32]).unwrap().link();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (edge, home) = (NodeId::draw(), NodeId::draw());
        let begin = |side: fn(Builder<'static>) -> Result<HandshakeState, snow::Error>| {
            let key: &'static [u8; 32] = Box::leak(Box::new(*key.as_bytes()));
            side(Builder::new(PATTERN.parse().unwrap()).psk(0, key).unwrap()).unwrap()
        };
        let far = |stream| Wire::tcp(stream, [192, 0, 2, 1].into()).unwrap();
        let connecting = async {
            let mut wire = far(TcpStream::connect(address).await.unwrap());
            let mut noise = begin(Builder::build_initiator);
            say(&mut wire, &mut noise, edge).await.unwrap();
            assert_eq!(hear(&mut wire, &mut noise).await.unwrap(), home);
            Pipe::new(wire, noise).unwrap()
        };
        let accepting = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut wire = far(stream);
            let mut noise = begin(Builder::build_responder);
            assert_eq!(hear(&mut wire, &mut noise).await.unwrap(), edge);
            say(&mut wire, &mut noise, home).await.unwrap();
            Pipe::new(wire, noise).unwrap()
        };
        let (edge, home) = tokio::join!(connecting, accepting);
        [edge, home]
    }

    #[tokio::test]
    async fn what_leaves_the_machine_is_encrypted_and_cannot_be_changed() {
        let [mut edge, mut home] = encrypted().await;
        let said: Vec<u8> = b"a word that is seen ".repeat(20_000);
        edge.push(&said).unwrap();
        assert!(
            !edge
                .output
                .windows(12)
                .any(|bytes| bytes == b"word that is")
        );
        while home.input.len() < said.len() {
            tokio::select! {
                turn = edge.turn(pending()) => drop(turn.unwrap()),
                turn = home.turn(pending()) => drop(turn.unwrap()),
            }
        }
        assert!(home.input == said[..]);
        edge.push(b"a word that is changed").unwrap();
        let last = edge.output.len() - 1;
        edge.output[last] ^= 1;
        let error = loop {
            tokio::select! {
                turn = edge.turn(pending()) => drop(turn.unwrap()),
                turn = home.turn(pending()) => if let Err(error) = turn {
                    break error;
                },
            }
        };
        assert!(matches!(error, LinkError::Foreign(_)), "{error}");
    }
}
