//! Reaching sessions by what they are: one by its id, all of a principal, or an audience. In a cluster that asks the other nodes too.

use std::sync::{Arc, PoisonError};

use anywire_protocol::{CloseCode, CloseReason, Message, SessionId};

use crate::deeds::{Deed, Reach, Reached, Reaching, SessionInfo, Whom};
use crate::hub::{Hub, HubState};
use crate::principal::Principal;
use crate::session_cell::SessionCell;
use crate::socket::Sender;
use crate::topics::Offered;

/// All sessions of a principal; see [`Hub::principal`].
#[derive(Clone, Debug)]
pub struct PrincipalHandle {
    hub: Hub,
    principal: Principal,
}

impl PrincipalHandle {
    /// The name.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Sends a message to all its sessions. One whose outbox is full is closed with 4932. The bytes are shared, not copied.
    ///
    /// Cancel safety: once the future has been polled, the message goes to all; only the count is lost.
    pub async fn send(&self, message: impl Into<Message>) -> Reach {
        self.reach(Deed::Send(message.into())).await.reach
    }

    /// Closes all its sessions, after all that was sent. Cancel safety is as of `send`.
    pub async fn close(&self, reason: impl Into<CloseReason>) -> Reach {
        self.reach(Deed::Close(reason.into())).await.reach
    }

    /// Puts it out: all its sessions close at once with 4970 and this text, and those too that are about to open since the app was asked
    /// about them before. Cancel safety is as of `send`.
    ///
    /// That says nothing of whom the app is asked about next: let [`authorize`](crate::Gate) refuse it first.
    pub async fn revoke(&self, text: impl Into<String>) -> Reach {
        self.reach(Deed::Revoke(text.into())).await.reach
    }

    /// Its sessions. Nodes that do not answer are left out.
    ///
    /// Cancel safety: nothing happens if the future is dropped.
    pub async fn sessions(&self) -> Vec<SessionInfo> {
        self.reach(Deed::Tell).await.told
    }

    async fn reach(&self, deed: Deed) -> Reached {
        let whom = Whom::Principal(self.principal.clone());
        self.hub.reach(whom, deed).await
    }
}

/// The followers of topics, each session once; see [`Hub::audience`].
///
/// The followers of a topic hear in one order what is published there, so or by [`Hub::publish`], at one node. There is no order with what
/// [`Hub::publish`] brings from other nodes.
#[derive(Clone, Debug)]
#[must_use = "an audience hears nothing until `publish` is called"]
pub struct Audience {
    hub: Hub,
    topics: Vec<String>,
    except: Vec<SessionId>,
    except_principals: Vec<Principal>,
}

impl Audience {
    /// With the followers of this topic.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topics.push(topic.into());
        self
    }

    /// Without this session: the sender's own, say.
    pub fn except(mut self, session: SessionId) -> Self {
        self.except.push(session);
        self
    }

    /// Without the sessions of this principal.
    pub fn except_principal(mut self, principal: impl Into<Principal>) -> Self {
        self.except_principals.push(principal.into());
        self
    }

    /// Sends a message to each. One whose outbox is full is closed with 4932.
    ///
    /// Cancel safety: once the future has been polled, the message goes to all; only the count is lost.
    pub async fn publish(self, message: impl Into<Message>) -> Reach {
        let whom = Whom::Followers {
            topics: self.topics,
            except: self.except,
            except_principals: self.except_principals,
        };
        let reached = self.hub.reach(whom, Deed::Send(message.into()));
        reached.await.reach
    }
}

impl Hub {
    /// This node's sessions that have not ended: a snapshot, which holds no lock.
    pub fn sessions(&self) -> impl Iterator<Item = Sender> + use<> {
        self.inner.open_sessions().into_iter().map(Sender::new)
    }

    /// A handle to a session by its public name, while it lives; in a cluster also to one of another node. What such a handle says
    /// of the session (its attachment, say) is as of this call.
    ///
    /// Cancel safety: nothing happens if the future is dropped.
    pub async fn session(&self, id: SessionId) -> Option<Sender> {
        if let Some(cell) = self.inner.session(id) {
            // One that has ended is there until its client knows.
            return (!cell.is_ended()).then(|| Sender::new(cell));
        }
        let nodes = self.inner.nodes()?.clone();
        let reached = nodes.clone().reach(Whom::Session(id), Deed::Tell).await;
        let info = reached.told.into_iter().next()?;
        let longest = self.limits().max_message_bytes;
        Some(Sender::elsewhere(info, nodes, longest))
    }

    /// All sessions of a principal, at all nodes.
    pub fn principal(&self, principal: impl Into<Principal>) -> PrincipalHandle {
        PrincipalHandle {
            hub: self.clone(),
            principal: principal.into(),
        }
    }

    /// An audience that is still to be described.
    pub fn audience(&self) -> Audience {
        Audience {
            hub: self.clone(),
            topics: Vec::new(),
            except: Vec::new(),
            except_principals: Vec::new(),
        }
    }

    /// Reaches sessions of this node and, in a cluster, of the others.
    pub(crate) fn reach(&self, whom: Whom, deed: Deed) -> Reaching {
        let mut reached = self.reach_here(&whom, &deed);
        let nodes = self.inner.nodes();
        // What is asked of others is on its way when this returns, so that two calls arrive in order.
        let asked = nodes.map(|nodes| nodes.clone().reach(whom, deed));
        Box::pin(async move {
            if let Some(asked) = asked {
                reached.add(asked.await);
            }
            reached
        })
    }

    /// Reaches the sessions of this node alone.
    pub fn reach_here(&self, whom: &Whom, deed: &Deed) -> Reached {
        let mut reached = Reached::default();
        if let Deed::Send(message) = deed {
            reached.reach.sessions = self.inner.send(whom, message.clone());
            return reached;
        }
        if let (Whom::Principal(principal), Deed::Revoke(text)) = (whom, deed) {
            let reason = CloseReason::new(CloseCode::REVOKED, text);
            self.inner.revocations.put(principal.clone(), reason);
        }
        for cell in self.inner.those(whom) {
            let is_meant = cell.peek(|state| match deed {
                // Also one that is about to close in order.
                Deed::Revoke(_) => !state.session.is_ended(),
                _ => state.session.is_open(),
            });
            if is_meant {
                act(&cell, deed, &mut reached.told);
                reached.reach.sessions += 1;
            }
        }
        reached
    }
}

impl HubState {
    fn those(&self, whom: &Whom) -> Vec<Arc<SessionCell>> {
        match whom {
            Whom::Session(id) => self.session(*id).into_iter().collect(),
            Whom::Principal(principal) => {
                let ids = self.accounts.sessions(principal).into_iter();
                ids.filter_map(|id| self.session(id)).collect()
            }
            // Followers are only sent to.
            Whom::Followers { .. } => Vec::new(),
        }
    }

    /// Sends to all of them, and closes those that have no room; returns how many have taken it. All hear in one order what is sent to the
    /// same principal, or to the same topics.
    fn send(&self, whom: &Whom, message: Message) -> usize {
        let memory = &self.node.memory;
        if let Whom::Followers {
            topics,
            except,
            except_principals,
        } = whom
        {
            let is_meant = |cell: &SessionCell| {
                let principal = cell.owners.principal();
                !except.contains(&cell.id)
                    && !principal.is_some_and(|principal| except_principals.contains(principal))
            };
            return self.topics.publish_to(topics, is_meant, message, memory);
        }
        let message = message.counted_by(|bytes| memory.count_shared(bytes));
        let those = self.those(whom);
        let offered = match those.len() {
            0 | 1 => Offered::to(those.iter(), &message),
            _ => {
                let _order = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
                Offered::to(those.iter(), &message)
            }
        };
        offered.hand_over()
    }
}

/// Does it to one session.
fn act(cell: &Arc<SessionCell>, deed: &Deed, told: &mut Vec<SessionInfo>) {
    let sender = Sender::new(cell.clone());
    match deed {
        Deed::Tell => told.push(SessionInfo {
            id: cell.id,
            principal: cell.owners.principal().cloned(),
            protocol: cell.protocol().to_owned(),
            attachment: cell.attachment(),
        }),
        Deed::Send(_) => unreachable!("what is sent goes to all at once"),
        Deed::Close(reason) => sender.close(reason.clone()),
        Deed::Revoke(text) => sender.revoke(text),
        Deed::Renew => sender.renew(),
        Deed::Subscribe(topic) => sender.subscribe(topic),
        Deed::Unsubscribe(topic) => sender.unsubscribe(topic),
    }
}
