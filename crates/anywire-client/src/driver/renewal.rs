//! How the driver renews what lets the session in (PROTOCOL §10.11): it waits a little, asks the app, and has the session say what
//! the app gives. A client that gives no credentials makes a request that shows what its headers say now.

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::{
    Attach, Credential, Encoding, Fence, Packet, PayloadWriter, Timestamp, decode_payload,
    veiled_bytes,
};
use bytes::Bytes;
use tokio::sync::OnceCell;

use super::asking::{Asking, Renewed};
use super::state::Driver;
use crate::Why;
use crate::legs::exchange::Exchanger;
use crate::legs::websocket::WebSocketLeg;

impl Driver {
    /// Does what is due.
    pub(super) fn renew(&mut self, now: Timestamp) {
        let mut state = self.shared.lock();
        if let Some(left) = state.session.poll_ask() {
            let renewal = &mut self.renewal;
            renewal.until = now + left;
            let is_fresh = |at: Timestamp| now.since(at) < FRESH;
            let said = state.session.unconfirmed_credential().cloned();
            if renewal.at.is_some() || renewal.asking.is_some() {
                // That will be the answer.
            } else if let Some(said) = said.filter(|_| renewal.given_at.is_some_and(is_fresh)) {
                // The two crossed, or the app behind the server could not judge it.
                state.session.renew(said);
            } else {
                renewal.failures = 0;
                renewal.at = Some(now + left.mul_f64(SPREAD * fastrand::f64()));
            }
        }
        let is_ended = state.session.is_ended();
        drop(state);
        if self.renewal.at.take_if(|at| *at <= now).is_none() || is_ended {
            return;
        }
        match self.config.credentials.clone() {
            Some(credentials) => {
                let asked = async move { Renewed::Given(credentials.ask(Why::Expiring).await) };
                self.renewal.asking = Some(Asking::start(asked));
            }
            None => self.renewal.is_owed = true,
        }
    }

    /// The request that an attached poll leg does not make.
    pub(super) fn show_headers(&mut self) {
        let is_attached = |leg: &WebSocketLeg| leg.attachment().is_some();
        let is_beside = self.websocket.as_ref().is_some_and(is_attached);
        if !self.renewal.is_owed || self.config.credentials.is_some() || !is_beside {
            return;
        }
        let Some((session, secret)) = self.names else {
            return;
        };
        self.renewal.is_owed = false;
        let state = self.shared.lock();
        let limits = state.session.limits();
        let attach = Attach {
            session,
            secret,
            generation: state.session.generation(),
            received: state.session.received(),
            hold: None,
        };
        let patience = limits.heartbeat_timeout;
        let max_answer_bytes = veiled_bytes(limits.max_payload_bytes);
        drop(state);
        let mut writer = PayloadWriter::new(Encoding::Binary);
        writer.push(&Packet::Attach(Box::new(attach)));
        writer.push(&Packet::Credential(Credential::new("")));
        let exchanger = Exchanger {
            http: self.config.http.clone(),
            uri: self.config.endpoints.poll.clone(),
            headers: self.config.headers.clone(),
            asked: Arc::new(OnceCell::new()),
            max_answer_bytes,
        };
        let content_type = Encoding::Binary.content_type();
        let exchange = exchanger.exchange(content_type, writer.finish(), patience);
        self.renewal.asking = Some(Asking::start(
            async move { Renewed::Answered(exchange.await) },
        ));
    }

    pub(super) fn renewed(&mut self, renewed: Renewed, now: Timestamp) {
        self.renewal.asking = None;
        match renewed {
            Renewed::Given(Ok(credential)) => {
                self.renewal.given_at = Some(now);
                self.renewal.is_owed = true;
                self.shared.lock().session.renew(credential);
            }
            Renewed::Answered(Ok(payload)) => self.headers_answered(payload, now),
            // What refuses the request says nothing of the session: the WebSocket does.
            Renewed::Given(Err(_)) | Renewed::Answered(Err(_)) => self.renewal.retry(now),
        }
    }

    /// The answer tells what there is to say of credentials, like a packet on the WebSocket beside it.
    fn headers_answered(&mut self, payload: Bytes, now: Timestamp) {
        let Some(id) = self.websocket.as_ref().and_then(WebSocketLeg::attachment) else {
            return;
        };
        let packets = decode_payload(Encoding::Binary, payload).unwrap_or_default();
        for packet in packets {
            if matches!(packet, Packet::Credential(_)) {
                let fence = Fence::Connection(id);
                // A broken rule has closed the session.
                let _ = self.shared.lock().session.handle_packet(fence, packet, now);
            }
        }
    }
}

/// Many clients may be asked together: each waits for a random part of so much of the time that is left.
const SPREAD: f64 = 0.2;

/// A credential that the app gave so recently is said again rather than asked for again.
const FRESH: Duration = Duration::from_secs(10);
