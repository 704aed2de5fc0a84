//! Chance from a seed, the same for ever: `ChaCha8` is a published algorithm, and what turns its bits into choices is
//! written here rather than taken from a library whose next version may choose otherwise.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The stream of this name under this seed; streams of different names know nothing of one another.
fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(fnv1a(name));
    rng
}

/// FNV-1a, 64 bits: a stable number for a name.
fn fnv1a(name: &str) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    name.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// A number for a client to seed its own choices with. It has 53 bits, because many readers of JSON round what is longer.
pub(super) fn number(seed: u64, name: &str) -> u64 {
    stream(seed, name).next_u64() >> 11
}

/// A number from 0 to `most`, each as likely.
pub(super) fn up_to(seed: u64, name: &str, most: u64) -> u64 {
    below(&mut stream(seed, name), most.saturating_add(1))
}

/// The broker ids in a drawn order (Fisher and Yates).
pub(super) fn permutation(seed: u64, name: &str, mut ids: Vec<i32>) -> Vec<i32> {
    let mut rng = stream(seed, name);
    for last in (1..ids.len()).rev() {
        let chosen = below(&mut rng, last as u64 + 1);
        ids.swap(last, usize::try_from(chosen).expect("less than the list's length"));
    }
    ids
}

/// A number below `bound`, each as likely: what would favour the low ones is drawn again.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    let whole = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = rng.next_u64();
        if drawn < whole {
            return drawn % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_name_is_the_published_one() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn every_number_up_to_the_greatest_comes_about_as_often() {
        let mut seen = [0_u32; 4];
        for seed in 0..4000 {
            seen[usize::try_from(up_to(seed, "fault/a/every", 3)).expect("at most 3")] += 1;
        }
        assert!(seen.iter().all(|count| (900..1100).contains(count)), "{seen:?}");
        assert_eq!(up_to(7, "fault/a/for", 0), 0);
    }

    #[test]
    fn every_order_comes_about_as_often() {
        let mut first = [0_u32; 3];
        for seed in 0..3000 {
            let id = permutation(seed, "fault/a", vec![1, 2, 3])[0];
            first[usize::try_from(id).expect("ids count from 1") - 1] += 1;
        }
        assert!(first.iter().all(|count| (900..1100).contains(count)), "{first:?}");
    }
}
