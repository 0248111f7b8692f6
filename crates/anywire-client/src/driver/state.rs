//! What the driver holds, and what its legs share. `driver.rs` decides when it wakes up and what it does
//! then.

use std::net::IpAddr;
use std::sync::Arc;

use anywire_protocol::{
    Can, CloseCode, CloseReason, Generation, Limits, Offset, Open, Opened, OpeningKey, PROOF_BYTES,
    Packet, Secret, SessionId, Timestamp, Transport,
};

use crate::authorize::Headers;
use crate::clock::Sleepwatch;
use crate::connect::Connector;
use crate::endpoints::Endpoints;
use crate::legs::Failure;
use crate::legs::exchange::HttpClient;
use crate::legs::pace::Pace;
use crate::legs::poll::PollLeg;
use crate::legs::websocket::WebSocketLeg;
use crate::memory::OriginMemory;
use crate::shared::{Shared, State};

/// What a client was built with.
pub(crate) struct Config {
    pub(crate) endpoints: Endpoints,
    pub(crate) headers: Headers,
    pub(crate) connector: Connector,
    pub(crate) http: HttpClient,
    pub(crate) limits: Limits,
    pub(crate) protocols: Vec<String>,
    pub(crate) memory: OriginMemory,
    pub(crate) key: OpeningKey,
    pub(crate) network: Option<IpAddr>,
}

/// Owns the legs; ends when the session has.
pub(crate) struct Driver {
    pub(super) config: Arc<Config>,
    pub(super) shared: Arc<Shared>,
    /// What attaches to the session, once it is open.
    pub(super) names: Option<(SessionId, Secret)>,
    pub(super) websocket: Option<WebSocketLeg>,
    pub(super) poll: Option<PollLeg>,
    pub(super) pace: Pace,
    /// The WebSocket's unanswered ping was taken for a stall.
    pub(super) is_stalled: bool,
    /// What the line is thought to carry at least.
    pub(super) bytes_per_ms: u64,
    /// The server may have our close: only its answer may have been lost.
    pub(super) is_close_out: bool,
    /// No leg came through in time.
    pub(super) has_given_up: bool,
    /// How long last words may take.
    pub(super) linger_until: Option<Timestamp>,
    pub(super) sleepwatch: Sleepwatch,
}

impl Driver {
    pub(crate) fn new(config: Arc<Config>, shared: Arc<Shared>) -> Self {
        Self {
            config,
            shared,
            names: None,
            websocket: None,
            poll: None,
            pace: Pace::default(),
            is_stalled: false,
            bytes_per_ms: FAIR_BYTES_PER_MS,
            is_close_out: false,
            has_given_up: false,
            linger_until: None,
            sleepwatch: Sleepwatch::start(),
        }
    }

    /// The session is open, or carried anew: takes what *opened* says of it, but for the counts.
    ///
    /// `false`: this is another session than ours.
    pub(super) fn adopt(&mut self, opened: &Opened) -> bool {
        if let Some((id, _)) = self.names {
            return id == opened.session;
        }
        self.names = Some((opened.session, opened.secret));
        let limits = opened.limits.apply_to(&self.config.limits);
        let mut state = self.shared.lock();
        state.session.adopt(Arc::new(limits));
        state.session.agree(opened.can.and(CAN));
        state.id = Some(opened.session);
        state.protocol = opened.protocol.as_str().into();
        true
    }

    /// A leg is gone. What the server itself said of the session ends it.
    pub(super) fn lost(&mut self, leg: Transport, failure: &Failure, now: Timestamp) {
        let mut state = self.shared.lock();
        if let Some(reason) = failure.session_end() {
            end_refused(&mut state, reason, self.is_close_out, now);
        }
        state.negotiation.handle_lost(leg, &failure.loss, now);
    }
}

/// The server says that it does not know the session, or will not have it.
pub(super) fn end_refused(
    state: &mut State,
    reason: &CloseReason,
    is_close_out: bool,
    now: Timestamp,
) {
    if reason.code == CloseCode::UNKNOWN_SESSION && is_close_out {
        // It has closed already; only its answer was lost (PROTOCOL §8.2.1).
        let own = state.session.close_reason().cloned();
        state
            .session
            .abort(own.unwrap_or_else(|| reason.clone()), now);
    } else {
        state.session.abort(reason.clone(), now);
    }
}

/// The ping that proves a leg (NEGOTIATION §1.2): as much padding as the server takes.
pub(super) fn proof(limits: &Limits) -> Packet {
    Packet::Ping(".".repeat(PROOF_BYTES.min(limits.max_ping_bytes)).into())
}

/// Whether a pong is the answer to [`proof`].
pub(super) fn is_proof(content: &str, limits: &Limits) -> bool {
    content.len() == PROOF_BYTES.min(limits.max_ping_bytes)
}

/// What a leg opens with, as long as no session is known.
pub(super) fn open(config: &Config, generation: Generation) -> Open {
    Open {
        key: config.key,
        generation,
        received: Offset::default(),
        hold: None,
        protocols: config.protocols.clone(),
        can: CAN,
        credential: None,
    }
}

/// What this client can beyond version 1. A program is no page that leaves.
const CAN: Can = Can::PART.or(Can::VEIL);

/// What a line is thought to carry in a millisecond, until it stalls with more than [`LARGE_BYTES`] on the way.
pub(super) const FAIR_BYTES_PER_MS: u64 = 256;
pub(super) const LARGE_BYTES: usize = 65_536;
