//! One session by itself: its time in milliseconds, and all that it has to send.

use anywire_protocol::{ConnectionId, Packet, Session, Timestamp, Transmit};

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// All that a connection is to send now, and what comes after it.
pub fn drain(session: &mut Session, id: ConnectionId, now: u64) -> (Vec<Packet>, &'static str) {
    let mut packets = Vec::new();
    loop {
        match session.poll_transmit(id, at(now)) {
            Transmit::Packet(packet) => packets.push(packet),
            Transmit::Message(message) => packets.push(Packet::Message(message.clone())),
            Transmit::Idle => return (packets, "idle"),
            Transmit::Finished => return (packets, "finished"),
            Transmit::Superseded => return (packets, "superseded"),
            Transmit::Stalled => return (packets, "stalled"),
        }
    }
}
