//! The client: it sends requests on two legs, gives them up, and believes what it is told.

use crate::rules::Rules;
use crate::state::{Ask, Client, Found, Header, Leg, NodeIndex, State, Token, Wrong};
use crate::step::{Actor, Next};

/// A leg sends its request to any node, or breaks.
pub(crate) fn steps(next: &mut Next<'_>, leg: u8) {
    let at = usize::from(leg);
    match next.state.legs[at] {
        Leg::Idle => {
            let ask = match next.state.client {
                Client::Fresh => Ask::Open,
                Client::Opened(token) => Ask::Attach(token),
                Client::Told => return,
            };
            for node in next.alive() {
                let what = match ask {
                    Ask::Open => "a leg sends OPEN to a node: leg, node",
                    Ask::Attach(_) => "a leg sends an attach to a node: leg, node",
                };
                next.step(Actor::Client, what, [Some(leg), Some(node)], |state| {
                    state.legs[at] = Leg::At(node, ask, Found::Nothing);
                });
            }
        }
        Leg::At(..) | Leg::On(..) => {
            next.step(
                Actor::Client,
                "a leg breaks: leg",
                [Some(leg), None],
                |state| {
                    state.legs[at] = Leg::Idle;
                },
            );
        }
    }
}

/// The home lets the leg carry its session, and the client hears of it.
pub(crate) fn carry(
    state: &mut State,
    rules: &Rules,
    leg: u8,
    edge: NodeIndex,
    home: NodeIndex,
    token: Token,
) {
    let leg = &mut state.legs[usize::from(leg)];
    *leg = Leg::On(edge, home, token);
    match state.client {
        Client::Fresh => state.client = Client::Opened(token),
        Client::Opened(known) if known == token => {}
        // A late OPEN was answered by another incarnation: the client drops that leg.
        Client::Opened(_) if rules.attach_names_token => *leg = Leg::Idle,
        Client::Opened(_) => state.wrong = Some(Wrong::OtherIncarnation),
        Client::Told => *leg = Leg::Idle,
    }
}

/// The edge tells the client that it knows no such session; the client gives the session up.
pub(crate) fn tell(state: &mut State, leg: u8) {
    let leg = &mut state.legs[usize::from(leg)];
    let is_open = matches!(leg, Leg::At(_, Ask::Open, _));
    *leg = Leg::Idle;
    let known = match state.client {
        Client::Told => return,
        Client::Fresh => None,
        Client::Opened(token) => Some(token),
    };
    state.client = Client::Told;
    let lives = (0..state.nodes.len() as u8).any(|n| {
        let Some(token) = state.node(n).session else {
            return false;
        };
        // A home whose header another incarnation has taken is about to drop its session.
        let is_named = match state.store.header {
            Header::Live(home, named) => home == n && named == token,
            Header::Missing => true,
            Header::Tombstone => false,
        };
        let is_meant = known.is_none_or(|known| known == token);
        // The key of a session that has ended gets 4930, even if a second one has risen, which is a wrong of its own.
        let is_over = is_open && state.ended;
        state.is_running(n) && is_named && is_meant && !is_over
    });
    if lives {
        state.wrong = Some(Wrong::ToldWrongly);
    }
}

/// A home closes the session, and the legs that carry it tell the client. A home that only drops it tells nothing.
pub(crate) fn let_go(state: &mut State, home: NodeIndex, is_told: bool) {
    for leg in &mut state.legs {
        if matches!(leg, Leg::On(_, at, _) if *at == home) {
            *leg = Leg::Idle;
            if is_told {
                state.client = Client::Told;
            }
        }
    }
}
