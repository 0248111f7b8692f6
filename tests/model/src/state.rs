//! One moment of the cluster: the store, the nodes, the client and its two legs. What may happen next is left to `steps.rs`.

use crate::rules::Faults;

/// Most nodes that a configuration may have.
pub const MAX_NODES: usize = 3;

/// Legs of the one client.
pub const LEGS: usize = 2;

/// A node, by its number. A restart is another node.
pub type NodeIndex = u8;

/// A value that names one incarnation of the session. A value that occurs nowhere any more may be drawn anew: nobody can
/// tell it from a new one, and the number of states stays finite.
pub type Token = u8;

/// Which store a node talks to: it counts how often the store has become another.
pub type Identity = u8;

/// What the store says about the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Header {
    /// Nothing.
    Missing,
    /// It lives at this home, in this incarnation.
    Live(NodeIndex, Token),
    /// It has ended, and the open window lasts longer than this model looks.
    Tombstone,
}

/// The store. There is one key, so there is one header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Store {
    /// Which store this is.
    pub identity: Identity,
    /// The session's header.
    pub header: Header,
    /// What the replica has: the header after a fail-over.
    pub replica: Header,
}

/// Whether a node's process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Life {
    /// It acts.
    Running,
    /// It stands still, and knows nothing of it.
    Paused,
    /// It is gone for good.
    Dead,
    /// The configuration has no such node.
    Absent,
}

/// How far a node has come since it met another store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Barrier {
    /// Opens and verdicts wait.
    Holding,
    /// The time is over, and not all peers have said that they are done.
    Late,
    /// All live nodes have written back.
    Done,
}

/// A node's OPEN for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Opening {
    /// None is under way.
    None,
    /// The command is on its way to the store that the node knew then.
    Sent(Token, Identity),
    /// The store has answered, and the node has not read the answer.
    Answered(Header),
}

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Whether it runs.
    pub life: Life,
    /// The store that it last met.
    pub knows: Identity,
    /// The session that its hub has: a handler runs.
    pub session: Option<Token>,
    /// The session that ended here.
    pub tombstone: Option<Token>,
    /// It has yet to write its session or its tombstone into the store.
    pub owes: bool,
    /// How far it is with its barrier.
    pub barrier: Barrier,
    /// Its OPEN.
    pub opening: Opening,
    /// The home that it remembers: a hint.
    pub cache: Option<NodeIndex>,
    /// The store has its lease.
    pub lease: bool,
    /// It cannot reach the store.
    pub away: bool,
    /// To whom its end of the link is live, a bit for each node.
    pub links: u8,
}

/// A command whose sender has given up, or that is a copy: it may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stray {
    /// There is none.
    None,
    /// An OPEN.
    Open(NodeIndex, Token, Identity),
    /// A home's header.
    WriteBack(NodeIndex, Token, Identity),
}

/// What a leg asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ask {
    /// The session that the opening key means; a new one, if there is none.
    Open,
    /// The session that the client has been told of.
    Attach(Token),
}

/// What the node where a request came in has found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Found {
    /// Nothing yet.
    Nothing,
    /// What the store said, and how far the node's barrier was when it asked.
    Read(Header, Barrier),
}

/// A leg of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leg {
    /// It does nothing.
    Idle,
    /// Its request is at a node, which looks for the home.
    At(NodeIndex, Ask, Found),
    /// It is carried: the edge, the home, the incarnation.
    On(NodeIndex, NodeIndex, Token),
}

/// What the client believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// It has an opening key.
    Fresh,
    /// It was told that its session is open; it counts the messages of this incarnation.
    Opened(Token),
    /// It was told that its session is over, and has given it up.
    Told,
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrong {
    /// The handler is called a second time for one key, whose session has not ended.
    CalledTwice,
    /// The client is told 4930, and its session lives at a home that runs.
    ToldWrongly,
    /// The client is carried by another incarnation than that which it counts.
    OtherIncarnation,
    /// The handler is called for a session that has ended.
    Risen,
}

/// One moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// The store.
    pub store: Store,
    /// The nodes; those beyond the configuration's number are absent.
    pub nodes: [Node; MAX_NODES],
    /// The client's legs.
    pub legs: [Leg; LEGS],
    /// The client.
    pub client: Client,
    /// The command that is late.
    pub stray: Stray,
    /// Pairs of nodes whose network is cut, a bit for each; see [`State::pair`].
    pub cut: u8,
    /// The handler has been called for the key.
    pub called: bool,
    /// The session has ended: the app or the client closed it.
    pub ended: bool,
    /// Faults that may still come.
    pub faults: Faults,
    /// What has gone wrong in the step that led here.
    pub wrong: Option<Wrong>,
}

impl State {
    /// All nodes run and are linked, nothing is asked yet.
    pub fn start(nodes: u8, faults: Faults) -> Self {
        let node = |index: u8| Node {
            life: if index < nodes {
                Life::Running
            } else {
                Life::Absent
            },
            knows: 0,
            session: None,
            tombstone: None,
            owes: false,
            barrier: Barrier::Done,
            opening: Opening::None,
            cache: None,
            lease: index < nodes,
            away: false,
            links: if index < nodes {
                ((1 << nodes) - 1) & !(1 << index)
            } else {
                0
            },
        };
        Self {
            store: Store {
                identity: 0,
                header: Header::Missing,
                replica: Header::Missing,
            },
            nodes: [node(0), node(1), node(2)],
            legs: [Leg::Idle; LEGS],
            client: Client::Fresh,
            stray: Stray::None,
            cut: 0,
            called: false,
            ended: false,
            faults,
            wrong: None,
        }
    }

    /// The node of a number.
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[usize::from(index)]
    }

    /// The node of a number, to change it.
    pub fn node_mut(&mut self, index: NodeIndex) -> &mut Node {
        &mut self.nodes[usize::from(index)]
    }

    /// Whether a node acts.
    pub fn is_running(&self, index: NodeIndex) -> bool {
        self.node(index).life == Life::Running
    }

    /// Whether a node can exchange commands with the store that it knows.
    pub fn reaches_store(&self, index: NodeIndex) -> bool {
        let node = self.node(index);
        node.life == Life::Running && !node.away && node.knows == self.store.identity
    }

    /// The bit of a pair of nodes.
    pub fn pair(one: NodeIndex, other: NodeIndex) -> u8 {
        1 << (one + other - 1)
    }

    /// Whether a new connection between two nodes would be made: the far process accepts, and the network passes it.
    pub fn connects(&self, one: NodeIndex, other: NodeIndex) -> bool {
        self.is_running(other) && self.cut & Self::pair(one, other) == 0
    }

    /// Whether a node believes that its link to another is live.
    pub fn is_linked(&self, one: NodeIndex, other: NodeIndex) -> bool {
        self.node(one).links & (1 << other) != 0
    }

    /// Nothing is paused, cut or away.
    pub fn is_calm(&self) -> bool {
        let upset = |node: &Node| node.life == Life::Paused || node.away;
        self.cut == 0 && !self.nodes.iter().any(upset)
    }

    /// The smallest token that occurs nowhere.
    pub fn fresh_token(&self) -> Token {
        (1..)
            .find(|token| !self.mentions(*token))
            .expect("a state has few places for tokens")
    }

    fn mentions(&self, token: Token) -> bool {
        let in_header = |header: &Header| matches!(header, Header::Live(_, tk) if *tk == token);
        let in_node = |node: &Node| {
            node.session == Some(token)
                || node.tombstone == Some(token)
                || match &node.opening {
                    Opening::None => false,
                    Opening::Sent(tk, _) => *tk == token,
                    Opening::Answered(header) => in_header(header),
                }
        };
        let in_leg = |leg: &Leg| match leg {
            Leg::Idle => false,
            Leg::At(_, ask, found) => {
                *ask == Ask::Attach(token)
                    || matches!(found, Found::Read(header, _) if in_header(header))
            }
            Leg::On(_, _, tk) => *tk == token,
        };
        in_header(&self.store.header)
            || in_header(&self.store.replica)
            || self.nodes.iter().any(in_node)
            || self.legs.iter().any(in_leg)
            || self.client == Client::Opened(token)
            || matches!(self.stray, Stray::Open(_, tk, _) | Stray::WriteBack(_, tk, _) if tk == token)
    }
}
