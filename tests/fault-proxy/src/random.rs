//! A small generator, so that all chances follow from the seed.

/// Numbers that follow from a seed alone.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The generator of the n-th connection. Each has its own, so that what one does changes nothing for
    /// another.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut random = Self(seed);
        random.0 = random.next() ^ number;
        random
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound.max(1)
    }

    pub(super) fn chance(&mut self, percent: f64) -> bool {
        (self.below(1_000_000) as f64) < percent * 10_000.0
    }

    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_chance_comes_as_often_as_it_says() {
        for (percent, expected) in [(0.0, 0..=0), (5.0, 400..=600), (100.0, 10_000..=10_000)] {
            let mut random = Random::new(7, 1);
            let hits = (0..10_000).filter(|_| random.chance(percent)).count();
            assert!(expected.contains(&hits), "{percent} %: {hits}");
        }
    }

    #[test]
    fn connections_and_seeds_differ_and_repeat() {
        let first = |seed, number| Random::new(seed, number).next();
        assert_eq!(first(1, 1), first(1, 1));
        assert_ne!(first(1, 1), first(1, 2));
        assert_ne!(first(1, 1), first(2, 1));
    }
}
