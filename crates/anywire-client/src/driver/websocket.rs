//! How the driver carries the session on a WebSocket (PROTOCOL §5).

use anywire_protocol::{
    Attach, CloseReason, ConnectionMode, Disposition, Fence, FrameReader, Generation, Offer,
    Opened, Outcome, PROOF_BYTES, Packet, Timestamp, Transmit, Transport,
};
use anywire_websocket::frame::Frame;

use super::state::{Driver, end_refused, is_proof, proof};
use crate::legs::Failure;
use crate::legs::websocket::{Beginning, Channel, Happened, WebSocketLeg, encoder};

impl Driver {
    pub(super) fn start_websocket(&mut self, generation: Option<Generation>) {
        let (offer, admission) = match generation {
            Some(generation) => (Offer::Open(self.open(generation)), self.admission()),
            None => {
                let protocols = Vec::new();
                (Offer::Later { protocols }, None)
            }
        };
        self.websocket = Some(WebSocketLeg {
            channel: Channel::open(Beginning {
                connector: self.config.connector.clone(),
                uri: self.config.endpoints.websocket.clone(),
                headers: self.config.headers.clone(),
                offer,
                admission,
                max_frame_bytes: MAX_FRAME_BYTES.max(self.config.limits.max_frame_bytes()),
            }),
            attachment: None,
            encoder: encoder(),
            reader: FrameReader::default(),
            out: Vec::new(),
            is_writing: false,
            blocked_since: None,
            has_close: false,
            is_finished: false,
        });
    }

    pub(super) fn drop_websocket(&mut self, now: Timestamp) {
        if let Some(leg) = self.websocket.take()
            && let Some(id) = leg.attachment
        {
            self.shared.lock().session.handle_detach(id, now);
        }
        self.is_stalled = false;
    }

    pub(super) fn prove_websocket(&mut self, now: Timestamp) {
        let state = self.shared.lock();
        let proof = proof(state.session.limits());
        let has_more = state.session.buffered_bytes() > PROOF_BYTES;
        drop(state);
        if !has_more {
            // The app's first message must not wait for padding.
            self.transmit_websocket(now);
        }
        if let Some(leg) = &mut self.websocket {
            leg.push(&proof);
            leg.flush();
        }
    }

    pub(super) fn attach_websocket(&mut self, generation: Generation) {
        let received = self.shared.lock().session.received();
        if let (Some(leg), Some((session, secret))) = (&mut self.websocket, self.names) {
            leg.push(&Packet::Attach(Box::new(Attach {
                session,
                secret,
                generation,
                received,
                hold: None,
            })));
            leg.flush();
        }
    }

    pub(super) fn websocket_happened(&mut self, happened: Happened, now: Timestamp) {
        match happened {
            Happened::Connected => self.shared.lock().negotiation.handle_connected(now),
            Happened::Heard(frames) => self.websocket_heard(frames, now),
            Happened::Written { buffer, has_waited } => {
                if let Some(leg) = &mut self.websocket {
                    leg.is_writing = false;
                    leg.blocked_since = None;
                    if leg.out.is_empty() {
                        leg.out = buffer;
                    }
                    if let Some(id) = leg.attachment.filter(|_| has_waited) {
                        // A slow line is alive.
                        self.shared.lock().session.handle_alive(id, now);
                    }
                }
            }
            Happened::Ended(mut failure) => {
                if self.shared.lock().negotiation.is_allowed(Transport::Poll) {
                    // Whatever refused the upgrade may have seen another request (NEGOTIATION §3.8).
                    failure.refusal = None;
                }
                self.websocket_lost(&failure, now);
            }
        }
    }

    pub(super) fn websocket_lost(&mut self, failure: &Failure, now: Timestamp) {
        self.drop_websocket(now);
        self.lost(Transport::WebSocket, failure, now);
    }

    fn websocket_heard(&mut self, frames: Vec<Frame>, now: Timestamp) {
        if let Some(id) = self.websocket.as_ref().and_then(WebSocketLeg::attachment) {
            let mut state = self.shared.lock();
            state.session.handle_alive(id, now);
            // Of a stall that the proof's budget found, only the negotiation knows.
            self.is_stalled = false;
            state.negotiation.handle_heard();
        }
        for frame in frames {
            let Some(leg) = &mut self.websocket else {
                return;
            };
            match frame {
                Frame::Message(message) => match leg.reader.read(message) {
                    Ok(None) => {}
                    Ok(Some(packet)) => self.websocket_packet(packet, now),
                    Err(error) => {
                        let failure = Failure::new(Outcome::Closed, error.what());
                        self.websocket_lost(&failure, now);
                    }
                },
                Frame::Ping(content) => leg.encoder.pong(&mut leg.out, &content),
                Frame::Pong(_) => {}
                Frame::Close(code) => {
                    let code = code.map_or(1005, |(code, _)| code.as_u16());
                    let failure = Failure::new(Outcome::Closed, code.to_string());
                    self.websocket_lost(&failure, now);
                }
            }
        }
    }

    fn websocket_packet(&mut self, packet: Packet, now: Timestamp) {
        let Some(leg) = &mut self.websocket else {
            return;
        };
        if let Packet::Pong(content) = &packet {
            let mut state = self.shared.lock();
            if is_proof(content, state.session.limits()) {
                state.negotiation.handle_proven(Transport::WebSocket, now);
            }
        }
        match (packet, leg.attachment) {
            (Packet::Opened(opened), None) => self.websocket_opened(&opened, now),
            (Packet::Superseded, _) => {
                let failure = Failure::new(Outcome::Superseded, "");
                self.websocket_lost(&failure, now);
            }
            (Packet::Close(reason), attachment)
                if attachment.is_none() || reason.code.disposition() == Disposition::Retry =>
            {
                self.websocket_refused(reason, now);
            }
            (Packet::Pong(_) | Packet::Padding(_), None) => {}
            (Packet::Ping(content), None) => leg.push(&Packet::Pong(content)),
            (packet, Some(id)) => {
                let fence = Fence::Connection(id);
                // A broken rule has closed the session, and transmitting tells the peer; a connection that carries
                // nothing any more has nothing to say.
                let _ = self.shared.lock().session.handle_packet(fence, packet, now);
            }
            (_, None) => {
                let failure = Failure::new(Outcome::Closed, "a packet before the attach");
                self.websocket_lost(&failure, now);
            }
        }
    }

    fn websocket_opened(&mut self, opened: &Opened, now: Timestamp) {
        if !self.adopt(opened) {
            let failure = Failure::new(Outcome::Closed, "another session");
            return self.websocket_lost(&failure, now);
        }
        let mut state = self.shared.lock();
        let (generation, received) = (opened.generation, opened.received);
        let attached =
            state
                .session
                .handle_attach(generation, received, ConnectionMode::Duplex, now);
        match attached {
            Ok(at) => {
                state.session.seek(opened.first, now);
                if let Some(leg) = &mut self.websocket {
                    leg.attachment = Some(at.id);
                }
                if state.session.is_ended() {
                    // What it says cannot be true. The session is not open; only the server is to be told.
                    return;
                }
                let reports: Vec<_> = state.negotiation.reports().collect();
                state.negotiation.handle_attached(Transport::WebSocket, now);
                if let Some(last) = reports.last() {
                    state.negotiation.handle_reported(last.number);
                }
                if let Some(leg) = &mut self.websocket {
                    for report in reports {
                        leg.push(&Packet::Report(Box::new(report)));
                    }
                }
            }
            Err(_) => {
                drop(state);
                let failure = Failure::new(Outcome::Superseded, "");
                self.websocket_lost(&failure, now);
            }
        }
    }

    /// The server closes before it has attached, or tells to attach again.
    fn websocket_refused(&mut self, reason: CloseReason, now: Timestamp) {
        let outcome = if reason.code == anywire_protocol::CloseCode::SUPERSEDED {
            Outcome::Superseded
        } else {
            Outcome::Refused
        };
        let failure = Failure::new(outcome, reason.to_string());
        if reason.code.disposition() != Disposition::Retry {
            end_refused(&mut self.shared.lock(), &reason, self.is_close_out, now);
        }
        self.websocket_lost(&failure, now);
    }

    /// Writes what the session wants said, as much as the writer takes.
    pub(super) fn transmit_websocket(&mut self, now: Timestamp) {
        let Some(leg) = &mut self.websocket else {
            return;
        };
        let Some(id) = leg.attachment.filter(|_| !leg.is_finished) else {
            return leg.flush();
        };
        let mut state = self.shared.lock();
        let failure = loop {
            if leg.is_writing && leg.out.len() >= MAX_OUT_BYTES {
                leg.blocked_since.get_or_insert(now);
                break None;
            }
            match state.session.poll_transmit(id, now) {
                Transmit::Packet(packet) => {
                    leg.has_close |= matches!(packet, Packet::Close(_));
                    leg.encoder.packet(&mut leg.out, &packet);
                }
                Transmit::Message(message) => leg.encoder.message(&mut leg.out, message),
                Transmit::Idle => break None,
                Transmit::Finished => {
                    let reason = state.session.close_reason().cloned();
                    if let Some(reason) = reason {
                        leg.encoder.close(&mut leg.out, &reason);
                    }
                    leg.is_finished = true;
                    break None;
                }
                Transmit::Superseded => break Some(Failure::new(Outcome::Dropped, "")),
                Transmit::Stalled => break Some(Failure::new(Outcome::Stalled, "")),
            }
            if leg.out.len() >= MAX_OUT_BYTES {
                leg.flush();
            }
        };
        drop(state);
        leg.flush();
        self.is_close_out |= leg.has_close && leg.out.is_empty();
        if let Some(failure) = failure {
            self.websocket_lost(&failure, now);
        }
    }
}

/// What is encoded ahead of the writer; the rest waits in the outbox.
const MAX_OUT_BYTES: usize = 65_536;

/// Before *opened* has told the server's limits, a frame may be so long.
const MAX_FRAME_BYTES: usize = 16 * 1_048_576;
