//! What the nodes hold to, and what may befall them. A test takes one rule away to show what it is for.

/// The rules of the cluster. [`Rules::ALL`] is the design; each field that is false leaves one out.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A home writes back only over nothing or over its own incarnation; if it finds another, it drops its session.
    pub write_back_compares: bool,
    /// A home writes back its tombstones too, for as long as the open window lasts.
    pub write_back_tombstones: bool,
    /// A node that meets another store holds opens and 4930 until all live nodes have written back, or the time is over.
    pub barrier: bool,
    /// A cached home that has no such session makes the edge ask the store; it is no verdict.
    pub cache_is_a_hint: bool,
    /// An OPEN counts only in the store that it was written for.
    pub open_is_bound: bool,
    /// Only a peer's word, or that its process is gone, ends the barrier: one that is silent may come back with a session.
    pub silence_is_no_word: bool,
    /// While not all have said that they are done, a node asks its peers before it says 4930.
    pub ask_peers_before_4930: bool,
    /// While not all have said that they are done, a node asks its peers before it opens.
    pub ask_peers_before_open: bool,
    /// A peer that answers no gives up its own OPEN for the session: an answer that comes later does not count.
    pub no_abandons_open: bool,
    /// A node that meets another store forgets what the one before said, and asks anew.
    pub reads_are_bound: bool,
    /// A verdict rests on a read that began after the barrier.
    pub read_after_barrier: bool,
    /// A node is not dead while a connection to it can be made: the judge tries once more.
    pub link_saves: bool,
    /// That try is a new connection, not the judge's last opinion of the link.
    pub connect_before_verdict: bool,
    /// Nobody is dead until a full lease after the judge saw the store change.
    pub lease_is_given_time: bool,
    /// A refused connection counts as death only where nothing but the process's own host can refuse.
    pub only_hosts_refuse: bool,
    /// The header of a dead home stays: an open that finds it gets 4930.
    pub header_outlives_home: bool,
    /// The client names the incarnation that it counts, and every node compares; so does the client.
    pub attach_names_token: bool,
    /// A node whose OPEN finds its own name in the header begins the session with the token of the header.
    pub home_takes_its_header: bool,
    /// An end that silence does not reach is found by pings.
    pub links_are_pinged: bool,
}

impl Rules {
    /// The design.
    pub const ALL: Self = Self {
        write_back_compares: true,
        write_back_tombstones: true,
        barrier: true,
        cache_is_a_hint: true,
        open_is_bound: true,
        silence_is_no_word: true,
        ask_peers_before_4930: true,
        ask_peers_before_open: true,
        no_abandons_open: true,
        reads_are_bound: true,
        read_after_barrier: true,
        link_saves: true,
        connect_before_verdict: true,
        lease_is_given_time: true,
        only_hosts_refuse: true,
        header_outlives_home: true,
        attach_names_token: true,
        home_takes_its_header: true,
        links_are_pinged: true,
    };
}

/// How many faults of each kind may still come, and what else may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Faults {
    /// The store becomes another, and has only what its replica had.
    pub losses: u8,
    /// A node stands still for any time.
    pub pauses: u8,
    /// A node dies.
    pub crashes: u8,
    /// The network between two nodes passes nothing for any time.
    pub cuts: u8,
    /// One node cannot reach the store for any time.
    pub aways: u8,
    /// The replica has an earlier header; else it has none.
    pub is_replicated: bool,
    /// Commands may take effect after their sender gave up.
    pub are_commands_late: bool,
    /// The session may end.
    pub ends: bool,
}
