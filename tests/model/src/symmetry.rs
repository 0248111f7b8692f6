//! States that differ only in names: nodes, legs and tokens may change theirs, and the same may happen next. One of them
//! stands for all.

use crate::state::{
    Ask, Client, Found, Header, LEGS, Leg, Life, NodeIndex, Opening, State, Stray, Token,
};

/// The least of all states that differ from this one only in names.
pub fn canonical(state: &State) -> State {
    let count = state
        .nodes
        .iter()
        .filter(|node| node.life != Life::Absent)
        .count();
    let orders: &[[u8; 3]] = match count {
        0 | 1 => &ORDERS[..1],
        2 => &ORDERS[..2],
        _ => &ORDERS,
    };
    let swaps = if state.legs[0] == state.legs[LEGS - 1] {
        &[false][..]
    } else {
        &[false, true][..]
    };
    let all = orders
        .iter()
        .flat_map(|order| swaps.iter().map(|swap| renamed(state, order, *swap)));
    all.min().expect("there is at least one order")
}

/// The orders of three nodes; the first two keep the third.
const ORDERS: [[u8; 3]; 6] = [
    [0, 1, 2],
    [1, 0, 2],
    [0, 2, 1],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

/// The state with node `n` called `order[n]`, the legs swapped or not, and tokens numbered as they occur.
fn renamed(state: &State, order: &[u8; 3], is_swapped: bool) -> State {
    let mut names = Names {
        order,
        tokens: [0; 16],
        count: 0,
    };
    let mut new = *state;
    for (index, node) in state.nodes.iter().enumerate() {
        new.nodes[usize::from(order[index])] = *node;
    }
    if is_swapped {
        new.legs.swap(0, 1);
    }
    new.store.header = names.header(new.store.header);
    new.store.replica = names.header(new.store.replica);
    for node in &mut new.nodes {
        node.session = node.session.map(|token| names.token(token));
        node.tombstone = node.tombstone.map(|token| names.token(token));
        node.cache = node.cache.map(|home| names.node(home));
        node.links = names.nodes(node.links);
        node.opening = match node.opening {
            Opening::None => Opening::None,
            Opening::Sent(token, identity) => Opening::Sent(names.token(token), identity),
            Opening::Answered(header) => Opening::Answered(names.header(header)),
        };
    }
    if let Client::Opened(token) = new.client {
        new.client = Client::Opened(names.token(token));
    }
    for leg in &mut new.legs {
        *leg = names.leg(*leg);
    }
    new.stray = match new.stray {
        Stray::None => Stray::None,
        Stray::Open(node, token, identity) => {
            Stray::Open(names.node(node), names.token(token), identity)
        }
        Stray::WriteBack(node, token, identity) => {
            Stray::WriteBack(names.node(node), names.token(token), identity)
        }
    };
    new.cut = 0;
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        if state.cut & State::pair(one, other) != 0 {
            new.cut |= State::pair(names.node(one), names.node(other));
        }
    }
    new
}

/// The new names.
struct Names<'a> {
    order: &'a [u8; 3],
    tokens: [Token; 16],
    count: Token,
}

impl Names<'_> {
    fn node(&self, node: NodeIndex) -> NodeIndex {
        self.order[usize::from(node)]
    }

    fn nodes(&self, bits: u8) -> u8 {
        let named = (0..3).filter(|n| bits & (1 << n) != 0);
        named.fold(0, |bits, n| bits | 1 << self.node(n))
    }

    fn token(&mut self, token: Token) -> Token {
        let name = &mut self.tokens[usize::from(token)];
        if *name == 0 {
            self.count += 1;
            *name = self.count;
        }
        *name
    }

    fn header(&mut self, header: Header) -> Header {
        match header {
            Header::Live(home, token) => Header::Live(self.node(home), self.token(token)),
            Header::Missing | Header::Tombstone => header,
        }
    }

    fn leg(&mut self, leg: Leg) -> Leg {
        match leg {
            Leg::Idle => Leg::Idle,
            Leg::At(edge, ask, found) => {
                let ask = match ask {
                    Ask::Open => Ask::Open,
                    Ask::Attach(token) => Ask::Attach(self.token(token)),
                };
                let found = match found {
                    Found::Nothing => Found::Nothing,
                    Found::Read(header, barrier) => Found::Read(self.header(header), barrier),
                };
                Leg::At(self.node(edge), ask, found)
            }
            Leg::On(edge, home, token) => {
                Leg::On(self.node(edge), self.node(home), self.token(token))
            }
        }
    }
}
