//! Stateless random numbers.

use sha2::{Digest, Sha256};

/// A number of at least 0 and less than 1. The same seed, kind and key always give the same number;
/// others give unrelated ones.
pub(super) fn draw(seed: u64, kind: &str, key: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    for part in [kind, key] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let [first, second, third, fourth, ..] = <[u8; 32]>::from(hash.finalize());
    f64::from(u32::from_be_bytes([first, second, third, fourth])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_spread_evenly() {
        let mut tenths = [0_u32; 10];
        for n in 0..10_000 {
            let drawn = draw(1, "kind", &n.to_string());
            assert!((0.0..1.0).contains(&drawn));
            let tenth = (0_u32..10).rev().find(|tenth| drawn * 10.0 >= f64::from(*tenth));
            tenths[tenth.unwrap() as usize] += 1;
        }
        // Five standard deviations of 30.
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn seed_kind_and_key_each_change_the_number() {
        let drawn = draw(1, "kind", "key");
        assert!((drawn - draw(1, "kind", "key")).abs() < f64::EPSILON);
        for (seed, kind, key) in [(2, "kind", "key"), (1, "kin", "dkey"), (1, "kind", "other")] {
            assert!((drawn - draw(seed, kind, key)).abs() > f64::EPSILON);
        }
    }
}
