//! Letting in: from an open or attach packet to a connection that carries the session.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use anywire_protocol::{
    AnnouncedLimits, Attach, AttachError, Attached, Can, ConnectionMode, Generation, Offset, Open,
    Opened, Packet, SessionId, ShortAnswer, Transport, check_agreed, choose_protocol,
};

use tracing::debug;

use crate::accounts::Caller;
use crate::connection::Connection;
use crate::entry::Head;
use crate::grant::{Grant, Verdict};
use crate::hub::{Hub, HubState};
use crate::local::Local;
use crate::refusal::Refusal;
use crate::session_cell::{About, Origin, SessionCell};
use crate::usage::Traffic;

impl Hub {
    /// Opens a session, or finds the one that the key means (PROTOCOL §2.2). `packets` are those that the open brings, for
    /// [`Visit::attach`]: a new session is made only if they can begin one.
    ///
    /// # Errors
    /// The hub drains or is full, the key's session is another principal's or has ended, or the packets cannot begin a
    /// session. Nothing has changed.
    pub fn open(&self, open: &Open, packets: &[Packet], caller: &Caller) -> Result<Visit, Refusal> {
        let about = About {
            caller,
            protocol: choose_protocol(&open.protocols, self.protocols()).unwrap_or_default(),
            can: open.can.and(Can::SPOKEN),
            is_by_grant: open.credential.is_some(),
        };
        let found = self.inner.open(open, packets, about);
        let visited = found.and_then(|cell| {
            // One that comes again with its credential was asked about again.
            let is_asked = !cell.is_by_grant || open.credential.is_some();
            self.visit(cell, open.generation, caller, is_asked)
        });
        self.counted(visited)
    }

    /// Finds the session that an attach names. `packets` are those that it brings, for [`Visit::attach`].
    ///
    /// # Errors
    /// Unknown session, wrong secret and wrong principal look the same.
    pub fn find(
        &self,
        attach: &Attach,
        packets: &[Packet],
        caller: &Caller,
    ) -> Result<Visit, Refusal> {
        // The secret is checked in any case, so that both refusals take the same time.
        let is_valid = self.inner.has_secret(attach);
        let found = match self.inner.session(attach.session) {
            Some(cell) if is_valid => {
                let is_newest =
                    || attach.generation >= cell.peek(|state| state.session.generation());
                let asks = packets.iter().any(is_about_request) && is_newest();
                if asks && cell.end_by(&caller.verdict).is_some() {
                    // That is no refusal of the request: it ends the session, before what it brings is taken (PROTOCOL §10.11).
                    cell.renew(caller.verdict.clone(), Origin::Transport);
                }
                // Whoever shows the secret is told how the session has ended, whatever the app says now.
                let is_asked = !cell.is_by_grant && !cell.is_ended();
                self.visit(cell, attach.generation, caller, is_asked)
            }
            _ => Err(Refusal::unknown_session()),
        };
        // Only who was told the secret can show it.
        let found = found.map(|visit| Visit {
            is_use: true,
            ..visit
        });
        self.counted(found)
    }

    /// Opens a session for a raw connection: a plain WebSocket, each frame of which is a message (PROTOCOL §9).
    ///
    /// The session has no acks and no resume, and ends with the connection.
    ///
    /// # Errors
    /// The hub drains or is full.
    pub fn open_raw(&self, protocol: &str, caller: &Caller) -> Result<Connection, Refusal> {
        let about = About {
            caller,
            protocol,
            can: Can::NONE,
            is_by_grant: false,
        };
        let cell = self.counted(self.inner.open_raw(about))?;
        let visit = self.visit(cell.clone(), Generation::new(1), caller, true)?;
        visit
            .attach(
                Offset::default(),
                Vec::new(),
                Transport::Raw,
                ConnectionMode::Raw,
            )
            .map(|(connection, _)| connection)
            .inspect_err(|refusal| {
                // Without its connection it is none.
                let reason = refusal.reason().clone();
                cell.step(Origin::Transport, |state, now| {
                    state.session.abort(reason, now)
                });
            })
    }

    /// Whether an open may be let in, as far as that can be told without it: call it before an upgrade.
    ///
    /// # Errors
    /// The hub drains or is full, and the key is new.
    pub fn admit(&self, open: &Open) -> Result<(), Refusal> {
        self.counted(self.inner.admit(open))
    }

    /// Whether an open from this caller may be let in, for a hub whose sessions may be at other nodes.
    pub(crate) fn admit_from(&self, open: &Open, caller: &Caller) -> Result<(), Refusal> {
        let admitted = self.inner.admit(open).and_then(|()| {
            let now = self.inner.now();
            Ok(self.inner.accounts.judge_open(caller, now)?)
        });
        self.counted(admitted)
    }

    /// Whether the client knows its session's secret, for a hub whose sessions may be at other nodes.
    pub(crate) fn check_secret(&self, attach: &Attach) -> Result<(), Refusal> {
        let is_valid = self.inner.has_secret(attach);
        self.counted(is_valid.then_some(()).ok_or_else(Refusal::unknown_session))
    }

    /// `is_asked` says that what the app says of the request decides, and not the session's grant (PROTOCOL §10.10).
    fn visit(
        &self,
        cell: Arc<SessionCell>,
        generation: Generation,
        caller: &Caller,
        is_asked: bool,
    ) -> Result<Visit, Refusal> {
        let mut grant = None;
        if is_asked {
            let given = caller.verdict.granted()?;
            if cell.owners.principal() != given.principal() {
                return Err(Refusal::unknown_session());
            }
            // What only names who it is changes nothing.
            grant = Some(given.clone()).filter(|given| !given.is_plain() || cell.has_terms());
        }
        Ok(Visit {
            hub: self.inner.clone(),
            cell,
            generation,
            grant,
            renewal: None,
            is_use: false,
        })
    }

    /// Whether a session of this hub goes on by its grant, so that its requests are not asked about (PROTOCOL §10.10).
    pub fn is_by_grant_here(&self, session: SessionId) -> bool {
        self.inner
            .session(session)
            .is_some_and(|cell| cell.is_by_grant)
    }

    /// The same of a session that may be at another node.
    pub(crate) async fn is_by_grant(&self, head: &Head) -> bool {
        let session = head.session();
        match (self.inner.nodes(), head) {
            // An open is asked about before it is known whether it finds a session.
            (Some(nodes), Head::Attach(attach))
                if !self.has_session(session) && self.inner.has_secret(attach) =>
            {
                nodes.is_by_grant(session).await
            }
            _ => self.is_by_grant_here(session),
        }
    }

    fn counted<T>(&self, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        outcome.inspect_err(|refusal| {
            debug!(code = %refusal.reason().code, why = refusal.reason().text(), "client refused");
            self.inner.counters.refused.add(1);
        })
    }
}

/// A client's request that the hub has let in; no connection is attached yet.
///
/// [`Visit::attach`] makes a connection of it. Dropping it attaches nothing, and the session stays.
pub struct Visit {
    hub: Arc<HubState>,
    cell: Arc<SessionCell>,
    generation: Generation,
    /// The newest grant, where the request itself was asked about.
    grant: Option<Grant>,
    /// What the app says of the request, if the client wants its grant renewed by that (PROTOCOL §10.11).
    renewal: Option<Verdict>,
    /// Whether the visit shows that the client uses its session.
    is_use: bool,
}

impl Debug for Visit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit")
            .field("session", &self.cell.id)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl Visit {
    /// The client's grant is renewed by what the app says of the request, if the packets ask for that.
    pub(crate) fn renewed_by(self, packets: &[Packet], caller: &Caller) -> Self {
        let asks = packets.iter().any(is_about_request);
        Self {
            renewal: asks.then(|| caller.verdict.clone()),
            ..self
        }
    }

    /// A connection begins to carry the session, and brings packets, which a request may; the connection before is
    /// superseded. Send [`Visit::opened`] first where the client asked for it.
    ///
    /// # Errors
    /// A newer connection carries the session, or the packets cannot be true. None of them was taken (PROTOCOL §8.6).
    pub fn attach(
        &self,
        received: Offset,
        packets: Vec<Packet>,
        transport: Transport,
        mode: ConnectionMode,
    ) -> Result<(Connection, Attached), Refusal> {
        let accounts = &self.hub.accounts;
        if let Err(exceeded) = accounts.attach(&self.cell.owners) {
            return Err(self.refused(exceeded.into()));
        }
        let attached = self.take(received, packets, transport, Some(mode));
        let attached = attached.inspect_err(|_| self.hub.let_go(&self.cell.owners))?;
        let at = attached.expect("an attach that is not refused has a connection");
        self.hub.counters.attaches[transport].add(1);
        debug!(session = %self.cell.id, %transport, generation = %self.generation, "connection attached");
        let (hub, cell, id) = (self.hub.clone(), self.cell.clone(), at.id);
        Ok((Connection::here(Local { hub, cell, id }), at))
    }

    /// The *opened* packet's content: the session's id, secret and limits, and where each direction goes on (PROTOCOL §3.2).
    ///
    /// `at` is what [`Visit::attach`] returned. `None` stands for an exchange that attaches nothing: the counts are then what
    /// the server has received, and what the client has acknowledged.
    pub fn opened(&self, at: Option<Attached>) -> Opened {
        let (received, first) = match at {
            Some(at) => (at.received, at.first),
            None => self.cell.peek(|state| {
                let session = &state.session;
                (session.received(), session.acknowledged())
            }),
        };
        Opened {
            session: self.cell.id,
            secret: self.hub.secrets().secret(self.cell.id),
            generation: self.generation,
            received,
            first,
            protocol: String::from(self.cell.protocol()),
            can: self.cell.can,
            limits: AnnouncedLimits::new(&self.hub.limits, self.cell.can),
        }
    }

    /// Takes the packets of an exchange that only sends (PROTOCOL §6.3); `received` acts as an ack.
    ///
    /// When the inbox is full, messages are left out (PROTOCOL §6.6).
    ///
    /// # Errors
    /// Those of [`Visit::attach`].
    pub fn receive(
        &self,
        received: Offset,
        packets: Vec<Packet>,
        transport: Transport,
    ) -> Result<(), Refusal> {
        self.take(received, packets, transport, None).map(drop)
    }

    fn take(
        &self,
        received: Offset,
        packets: Vec<Packet>,
        transport: Transport,
        mode: Option<ConnectionMode>,
    ) -> Result<Option<Attached>, Refusal> {
        let counters = &self.hub.counters;
        if let Err(error) = check_agreed(&packets, self.cell.can) {
            return Err(self.refused(error.into()));
        }
        let (mut traffic, mut messages) = (Traffic::default(), 0);
        for packet in &packets {
            messages += traffic.add_packet(packet);
        }
        // The request itself.
        traffic.add(0, 1, 0);
        let taken = self
            .hub
            .accounts
            .take(&self.cell.owners, traffic, self.hub.now());
        if let Err(exceeded) = taken {
            return Err(self.refused(exceeded.into()));
        }
        let (aside, packets): (Vec<_>, Vec<_>) = packets
            .into_iter()
            .partition(|packet| matches!(packet, Packet::Report(_)) || is_about_request(packet));
        let (mut is_first_use, mut old) = (false, None);
        let taken = self.cell.step(Origin::Transport, |state, now| {
            is_first_use = self.is_use && state.begin_use();
            if mode.is_some() {
                // What the connection before holds under way goes with it.
                (state.under_way, state.must_end) = (0, false);
            }
            let session = &mut state.session;
            let taken = session.handle_request(self.generation, received, packets, mode, now)?;
            for packet in aside {
                if let Packet::Report(report) = packet {
                    state.reports.take(*report, &counters.attempts);
                }
            }
            if let Some(grant) = &self.grant {
                old = state.set_grant(grant.clone(), self.cell.clock(), now);
            }
            let carries = mode.is_some() || !self.cell.has_transport();
            if carries && self.cell.set_transport(transport) {
                state.session.touch_contact();
            }
            Ok(taken)
        });
        // Its values are the app's, which must not be called under the session's lock.
        drop(old);
        if is_first_use {
            self.hub.accounts.begin_use(&self.cell.owners);
        }
        match taken {
            Ok(taken) => {
                counters.messages_up.add(messages);
                if let Some(verdict) = &self.renewal {
                    self.cell.renew(verdict.clone(), Origin::Transport);
                }
                Ok(taken)
            }
            Err(error) => Err(self.refused(AttachError::into(error))),
        }
    }

    fn refused(&self, refusal: Refusal) -> Refusal {
        let reason = refusal.reason();
        debug!(session = %self.cell.id, code = %reason.code, why = reason.text(), "request refused");
        self.hub.counters.refused.add(1);
        refusal
    }

    /// What the answer to an exchange that does not attach says: what the server has received, and the end if it has
    /// come.
    pub fn answer(&self) -> ShortAnswer {
        self.cell.step(Origin::Connection, |state, now| {
            state.session.poll_answer(now)
        })
    }
}

/// Whether a packet asks the app about the request that brings it.
pub(crate) fn is_about_request(packet: &Packet) -> bool {
    matches!(packet, Packet::Credential(credential) if credential.is_empty())
}
