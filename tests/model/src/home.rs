//! What a node knows of the session's home: that it is the home itself, or where the home is.

use crate::state::{Header, NodeIndex, State, Token, Wrong};

/// The handler is called: the node is the home of a new incarnation.
pub(crate) fn begin(state: &mut State, home: NodeIndex, token: Token) {
    if state.ended {
        state.wrong = Some(Wrong::Risen);
    } else if state.called {
        state.wrong = Some(Wrong::CalledTwice);
    }
    state.called = true;
    state.node_mut(home).session = Some(token);
}

/// The node keeps in mind where the store said that the session lives.
pub(crate) fn remember(state: &mut State, node: NodeIndex, header: Header) {
    if let Header::Live(home, _) = header
        && home != node
    {
        state.node_mut(node).cache = Some(home);
    }
}
