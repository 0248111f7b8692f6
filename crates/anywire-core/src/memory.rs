//! How many bytes a hub's sessions hold, counted as they come and go, and how many the process may have. What is given up
//! when there are too many is `relief.rs`'s.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;

use crate::counter::Counter;

/// Bytes held, over all sessions of a hub. Clones share the count.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    shards: [Shard; SHARDS],
    most: u64,
}

/// A part of the count, in a cache line of its own, so that threads do not wait for each other.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(AtomicI64);

const SHARDS: usize = 8;

/// 64 KiB: how far a shard may move before the sum is looked at.
const LOOK_AFTER: i64 = 65_536;

impl Memory {
    pub(crate) fn new(most: u64) -> Self {
        Self(Arc::new(Shared {
            shards: Default::default(),
            most,
        }))
    }

    /// Counts bytes that came or went; `seed` spreads the counts. `true` if there are now more than there may be.
    pub(crate) fn change(&self, seed: usize, bytes: i64) -> bool {
        let shard = &self.0.shards[seed % SHARDS].0;
        let before = shard.fetch_add(bytes, Ordering::Relaxed);
        bytes > 0 && before / LOOK_AFTER != (before + bytes) / LOOK_AFTER && self.is_over()
    }

    /// How many bytes are held.
    pub(crate) fn held(&self) -> u64 {
        let sum: i64 = self
            .0
            .shards
            .iter()
            .map(|shard| shard.0.load(Ordering::Relaxed))
            .sum();
        u64::try_from(sum).unwrap_or_default()
    }

    /// Whether more bytes are held than may be.
    pub fn is_over(&self) -> bool {
        self.excess() > 0
    }

    /// How many bytes are to be given up, so that there is some room again.
    pub(crate) fn excess(&self) -> u64 {
        self.held().saturating_sub(self.0.most)
    }

    pub(crate) fn most(&self) -> u64 {
        self.0.most
    }

    /// Bytes that are counted for as long as something holds them. Few bytes are not worth it, and stay as they are.
    pub fn count(&self, bytes: Bytes) -> Bytes {
        if bytes.len() < WORTH_COUNTING {
            return bytes;
        }
        self.count_shared(bytes)
    }

    /// The same for bytes that many hold.
    pub(crate) fn count_shared(&self, bytes: Bytes) -> Bytes {
        let mut charge = self.charge();
        // What is to be given up for it shows at the next change.
        charge.set(bytes.len());
        Bytes::from_owner(Counted {
            bytes,
            _charge: charge,
        })
    }

    /// A count of its own for bytes that no session has yet: a body under way.
    pub fn charge(&self) -> Charge {
        Charge {
            memory: self.clone(),
            bytes: 0,
        }
    }
}

/// Bytes that are counted for as long as this lives.
#[derive(Debug)]
pub struct Charge {
    memory: Memory,
    bytes: usize,
}

impl Charge {
    /// So many bytes are held now. `true` if there are now more than there may be.
    pub fn set(&mut self, bytes: usize) -> bool {
        let change = bytes as i64 - self.bytes as i64;
        self.bytes = bytes;
        self.memory.change(seed(self), change)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

struct Counted {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// 16 KiB: less, in an answer, is of the size of what its connection takes anyway.
const WORTH_COUNTING: usize = 16_384;

/// Whether an index is to let go of room that so few entries do not need. It is looked at after each 1,024th end, since that
/// locks every shard.
pub(crate) fn is_to_shrink(ended: &Counter, index: impl FnOnce() -> (usize, usize)) -> bool {
    ended.read().is_multiple_of(1_024) && {
        let (entries, capacity) = index();
        entries < capacity / 4
    }
}

/// Spreads by where a thing lies.
fn seed<T>(thing: &T) -> usize {
    std::ptr::from_ref(thing).addr() >> 6
}

/// A quarter of the memory that the process may have.
pub(crate) fn quarter() -> u64 {
    available() / 4
}

/// What the group of processes may have, or the machine has.
fn available() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    let machine = machine.map_or(UNKNOWN, |kilobytes| kilobytes * 1_024);
    groups()
        .into_iter()
        .filter_map(limit)
        .fold(machine, u64::min)
}

/// The files that limit the process's group and those that hold it, of both versions of cgroups.
fn groups() -> Vec<String> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut files = vec![
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ];
    for line in own.lines() {
        let mut words = line.splitn(3, ':');
        let (Some(_), Some(kinds), Some(path)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let (root, file) = match kinds {
            "" => ("/sys/fs/cgroup", "memory.max"),
            kinds if kinds.split(',').any(|kind| kind == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mut path = path.trim_end_matches('/');
        while !path.is_empty() {
            files.push(format!("{root}{path}/{file}"));
            path = path.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
    files
}

fn limit(file: String) -> Option<u64> {
    // `max` is none.
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// 4 GiB: taken where the system does not tell.
const UNKNOWN: u64 = 4_294_967_296;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory() {
        assert!(available() >= 16_777_216, "{}", available());
        assert!(quarter() <= available() / 4);
    }

    #[test]
    fn what_comes_and_goes_is_counted_and_too_much_is_seen() {
        let memory = Memory::new(1_000_000);
        let mut charges: Vec<_> = (0..20).map(|_| memory.charge()).collect();
        for charge in &mut charges {
            charge.set(40_000);
            charge.set(60_000);
        }
        assert_eq!((memory.held(), memory.excess()), (1_200_000, 200_000));
        assert!(memory.is_over());
        charges.truncate(10);
        assert_eq!((memory.held(), memory.is_over()), (600_000, false));
        drop(charges);
        assert_eq!(memory.held(), 0);
        let mut big = memory.charge();
        assert!(big.set(2_000_000), "a big change looks at the sum");
    }
}
