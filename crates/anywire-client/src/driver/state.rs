//! What the driver holds, and what its legs share. `driver.rs` decides when it wakes up and what it does
//! then.

use std::net::IpAddr;
use std::sync::Arc;

use anywire_protocol::{
    Can, CloseCode, CloseReason, Generation, Limits, Offset, Open, Opened, OpeningKey, PROOF_BYTES,
    Packet, Secret, SessionId, Timestamp, Transport,
};

use super::asking::Renewal;
use crate::Why;
use crate::authorize::Headers;
use crate::clock::Sleepwatch;
use crate::connect::Connector;
use crate::credential::{Admission, Credentials};
use crate::endpoints::Endpoints;
use crate::legs::Failure;
use crate::legs::exchange::HttpClient;
use crate::legs::pace::Pace;
use crate::legs::poll::PollLeg;
use crate::legs::websocket::WebSocketLeg;
use crate::memory::OriginMemory;
use crate::reopen::{Left, Reopen};
use crate::shared::{Shared, State};

/// What a client was built with.
pub(crate) struct Config {
    pub(crate) endpoints: Endpoints,
    pub(crate) headers: Headers,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) reopen: Option<Reopen>,
    pub(crate) connector: Connector,
    pub(crate) http: HttpClient,
    pub(crate) limits: Limits,
    pub(crate) protocols: Vec<String>,
    pub(crate) memory: OriginMemory,
    pub(crate) network: Option<IpAddr>,
}

/// Owns the legs; ends when the session has, and none follows.
pub(crate) struct Driver {
    pub(super) config: Arc<Config>,
    pub(super) shared: Arc<Shared>,
    /// What the session is opened with.
    pub(super) key: OpeningKey,
    /// The credential that it is opened with.
    pub(super) admission: Option<Admission>,
    /// What that credential is for.
    pub(super) why: Why,
    pub(super) renewal: Renewal,
    /// What is left of the session before, until this one is open.
    pub(super) left: Option<Left>,
    /// Whether a credential was refused since a session was open.
    pub(super) was_unauthorized: bool,
    /// When another session is opened at the soonest, once this one has ended.
    pub(super) opens_at: Option<Timestamp>,
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
    pub(crate) fn new(config: Arc<Config>, shared: Arc<Shared>, key: OpeningKey) -> Self {
        Self {
            config,
            shared,
            key,
            admission: None,
            why: Why::Open,
            renewal: Renewal::default(),
            left: None,
            was_unauthorized: false,
            opens_at: None,
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
        if state.session.is_ended() {
            // The app has closed meanwhile: only the server is to hear of it.
            return true;
        }
        state.id = Some(opened.session);
        state.protocol = opened.protocol.as_str().into();
        self.was_unauthorized = false;
        if let Some(left) = self.left.take() {
            state.follow(left, self.shared.now());
        }
        true
    }

    /// What a leg opens with, as long as no session is known; its credential comes from [`Driver::admission`].
    pub(super) fn open(&self, generation: Generation) -> Open {
        Open {
            key: self.key,
            generation,
            received: Offset::default(),
            hold: None,
            protocols: self.config.protocols.clone(),
            can: CAN,
            credential: None,
        }
    }

    /// The credential that a leg opens with, if the app gives any. Legs that begin together have the same.
    pub(super) fn admission(&mut self) -> Option<Admission> {
        let credentials = self.config.credentials.clone()?;
        let why = self.why;
        self.admission.take_if(|admission| admission.is_stale());
        let admission = self
            .admission
            .get_or_insert_with(|| Admission::new(credentials, why));
        Some(admission.clone())
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
        state.session.cut_short(reason.clone(), now);
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

/// What this client can beyond version 1. A program is no page that leaves.
const CAN: Can = Can::PART.or(Can::VEIL).or(Can::CREDENTIAL);

/// What a line is thought to carry in a millisecond, until it stalls with more than [`LARGE_BYTES`] on the way.
pub(super) const FAIR_BYTES_PER_MS: u64 = 256;
pub(super) const LARGE_BYTES: usize = 65_536;
