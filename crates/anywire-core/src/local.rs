//! A connection whose session lives here: what the transport brings goes into the session's state, and back.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anywire_protocol::{Can, ConnectionId, Fence, Packet, ProtocolError, Transmit};
use tracing::debug;

use crate::hub::HubState;
use crate::refusal::Refusal;
use crate::remote::{End, Flow, Outgoing};
use crate::session_cell::{Origin, SessionCell};

/// A connection of a session of this hub. Dropping it detaches.
pub(crate) struct Local {
    pub(crate) hub: Arc<HubState>,
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) id: ConnectionId,
}

impl Local {
    /// Feeds packets that came in so many frames; then call [`Connection::poll_transmit`]. Returns how long to read no more, so
    /// that a client that sends much is slowed.
    ///
    /// # Errors
    /// The connection is superseded, or the packets break a rule and the session has closed: transmit what is left. With
    /// the codes 4904 and 4902 the packets were taken and the client asks too much: close the
    /// connection with that code.
    pub(crate) fn receive(
        &self,
        packets: impl Iterator<Item = Packet>,
        frames: usize,
    ) -> Result<Duration, Refusal> {
        let fence = Fence::Connection(self.id);
        let mut messages = 0;
        let (outcome, traffic, is_first_use) = self.cell.step(Origin::Connection, |state, now| {
            // Whatever the app sends meanwhile is transmitted next; no task need be woken for it.
            if state.session.is_current(self.id) {
                state.connection = None;
            }
            let mut count = 0;
            let outcome = packets.into_iter().try_for_each(|packet| {
                count += 1;
                messages += state.traffic.add_packet(&packet);
                if let Packet::Report(report) = packet {
                    state.reports.take(*report, &self.hub.counters.attempts);
                    return Ok(());
                }
                state.session.handle_packet(fence, packet, now)
            });
            // Pings of WebSocket, and fragments.
            state.traffic.add(0, frames.saturating_sub(count) as u64, 0);
            let is_due = state.traffic.is_worth_counting();
            let traffic = is_due.then(|| mem::take(&mut state.traffic));
            (outcome, traffic, state.begin_use())
        });
        self.hub.counters.messages_up.add(messages);
        let (accounts, owners) = (&self.hub.accounts, &self.cell.owners);
        if is_first_use {
            accounts.begin_use(owners);
        }
        outcome?;
        match traffic {
            Some(traffic) => Ok(accounts.spend(owners, traffic, self.hub.now())?),
            None => Ok(Duration::ZERO),
        }
    }

    /// The connection holds so many bytes, beside what the session has: what has come of a frame, and what the peer does
    /// not take.
    pub(crate) fn hold(&self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let change = self.cell.peek(|state| {
            if state.session.is_current(self.id) {
                state.under_way = bytes;
            }
            state.weigh()
        });
        self.cell.count(change);
    }

    /// What both sides of the session can.
    pub(crate) fn can(&self) -> Can {
        self.cell.can
    }

    /// The peer closes the connection as browsers close those of pages that go (PROTOCOL §8.8).
    pub(crate) fn go_away(&self) {
        self.cell.step(Origin::Connection, |state, now| {
            state.session.handle_going_away(self.id, now);
        });
    }

    /// The peer broke a rule below the packets: the session closes. Transmit what is left.
    pub(crate) fn violate(&self, error: ProtocolError) {
        let fence = Fence::Connection(self.id);
        self.cell.step(Origin::Connection, |state, now| {
            state.session.handle_violation(fence, error, now);
        });
    }

    /// The peer showed life without completing a packet.
    pub(crate) fn alive(&self) {
        let now = self.cell.now();
        self.cell
            .peek(|state| state.session.handle_alive(self.id, now));
    }

    /// The peer has taken nothing for too long: the connection is dropped.
    pub(crate) fn stall(&self) {
        self.cell.step(Origin::Connection, |state, now| {
            if state.session.is_current(self.id) {
                state.let_go();
                state.session.handle_stall(self.id, now);
            }
        });
    }

    /// Hands what is to be sent now to `send`, until `send` says that it has no room. Pending means that the task is
    /// woken when there is more.
    pub(crate) fn poll_transmit(
        &self,
        cx: &Context<'_>,
        mut send: impl FnMut(Outgoing<'_>) -> Flow,
    ) -> Poll<End> {
        let mut messages = 0;
        let poll = self.cell.step(Origin::Connection, |state, now| {
            if state.must_end && state.session.is_current(self.id) {
                return Poll::Ready(End::Stalled);
            }
            loop {
                let outgoing = match state.session.poll_transmit(self.id, now) {
                    Transmit::Packet(packet) => {
                        messages += u64::from(matches!(packet, Packet::Message(_)));
                        Outgoing::Packet(packet)
                    }
                    Transmit::Message(message) => {
                        messages += 1;
                        Outgoing::Message(message)
                    }
                    Transmit::Idle => {
                        state.wait(cx);
                        return Poll::Pending;
                    }
                    Transmit::Finished => {
                        let reason = state.session.close_reason().cloned();
                        return Poll::Ready(reason.map_or(End::Finished, End::Closed));
                    }
                    Transmit::Superseded => return Poll::Ready(End::Superseded),
                    Transmit::Stalled => return Poll::Ready(End::Stalled),
                };
                if send(outgoing) == Flow::Pause {
                    state.wait(cx);
                    return Poll::Pending;
                }
            }
        });
        if messages > 0 {
            self.hub.counters.messages_down.add(messages);
        }
        poll
    }

    /// Whether the session is no longer this connection's to carry: what waits to be written matters no more.
    pub(crate) fn is_over(&self) -> bool {
        self.cell
            .peek(|state| !state.session.is_current(self.id) || state.session.is_ended())
    }

    /// Whether more may be read off the wire; if not, the task is woken when the app has taken messages.
    pub(crate) fn poll_inbox_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.cell.peek(|state| {
            if !state.session.is_flooded() || !state.session.is_current(self.id) {
                return Poll::Ready(());
            }
            state.wait(cx);
            Poll::Pending
        })
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let why = self.cell.step(Origin::Connection, |state, now| {
            let is_current = state.session.is_current(self.id);
            let has_ended = state.session.is_ended();
            if is_current {
                state.let_go();
            }
            state.session.handle_detach(self.id, now);
            match (is_current, has_ended) {
                (_, true) => "the session has ended",
                (true, false) => "the connection ended",
                (false, false) => "a newer connection took over, or the peer was silent",
            }
        });
        self.hub.let_go(&self.cell.owners);
        debug!(session = %self.cell.id, why, "connection detached");
    }
}
