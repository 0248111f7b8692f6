//! Buffers that all connections of a thread share while they are busy, so that an idle one owns none.

use std::cell::RefCell;

use anywire_protocol::Packet;

thread_local! {
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static PACKETS: RefCell<Vec<Packet>> = const { RefCell::new(Vec::new()) };
}

/// How much is read at once, and about how much is written.
pub(super) const SCRATCH_BYTES: usize = 65_536;

/// Lends the bytes to read into. Nothing that is called meanwhile may read.
pub(super) fn with_read<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    READ.with_borrow_mut(|scratch| {
        scratch.resize(SCRATCH_BYTES, 0);
        use_it(scratch)
    })
}

/// Takes the empty buffer to write from; give it back with [`put_write`].
pub(super) fn take_write() -> Vec<u8> {
    WRITE.take()
}

/// Gives the buffer back. One that has grown large is dropped.
pub(super) fn put_write(mut scratch: Vec<u8>) {
    if scratch.capacity() <= 4 * SCRATCH_BYTES {
        scratch.clear();
        WRITE.set(scratch);
    }
}

/// Takes the empty list of packets; give it back with [`put_packets`].
pub(super) fn take_packets() -> Vec<Packet> {
    PACKETS.take()
}

/// Gives the list back.
pub(super) fn put_packets(mut packets: Vec<Packet>) {
    packets.clear();
    PACKETS.set(packets);
}
