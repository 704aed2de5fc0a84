//! The order in which Clojure's and Bifurcan's hash collections yield what they hold.
//!
//! Two of Jepsen's answers depend on it. Where an offset has several values, the version order keeps whichever a Clojure set
//! yields first; and Elle's search for a cycle begins at whichever operation a Bifurcan map yields first, and reports the first
//! one that it finds. To give the same answers the same orders are needed, so the hashes are computed here as Clojure does
//! (Murmur3, `clojure.lang.Murmur3` and `Util.hashCombine`), and walked as the two kinds of tries are.

use super::op::Atom;

/// How many bits of a hash choose the branch at each level of a trie.
const CHUNK_BITS: u32 = 5;

/// Levels of a trie over 32 bits.
const LEVELS: u32 = 7;

/// Clojure's `hash` of an atom.
pub fn clojure_hash(atom: &Atom) -> u32 {
    match atom {
        Atom::Nil => 0,
        Atom::Int(number) => hash_long(*number),
        Atom::Keyword(word) => hash_symbol(word).wrapping_add(0x9e37_79b9),
        Atom::Text(text) => hash_int(java_hash(text)),
    }
}

/// Where an atom comes when a Clojure set is walked: `nil` first, then by the chunks of the hash, the lowest first.
pub fn clojure_rank(atom: &Atom) -> u64 {
    if *atom == Atom::Nil { 0 } else { 1 + chunks_reversed(clojure_hash(atom)) }
}

/// Brings items into the order in which a Bifurcan map keyed by operations (hashed by their index) yields them: at each node
/// first the entries that lie in it, then what lies in its branches.
pub fn in_bifurcan_order<T: Copy>(items: &[T], index_of: impl Fn(T) -> i64) -> Vec<T> {
    let mut hashed: Vec<(u32, T)> = items.iter().map(|item| (bifurcan_hash(index_of(*item)), *item)).collect();
    hashed.sort_by_key(|(hash, _)| chunks_reversed(*hash));
    let mut ordered = Vec::with_capacity(items.len());
    walk(&hashed, 0, &mut ordered);
    ordered
}

/// Walks a node that holds these items, which are sorted by the chunks of their hashes.
fn walk<T: Copy>(items: &[(u32, T)], level: u32, ordered: &mut Vec<T>) {
    if level >= LEVELS {
        ordered.extend(items.iter().map(|(_, item)| *item));
        return;
    }
    let groups = || items.chunk_by(|left, right| chunk(left.0, level) == chunk(right.0, level));
    ordered.extend(groups().filter(|group| group.len() == 1).map(|group| group[0].1));
    for group in groups().filter(|group| group.len() > 1) {
        walk(group, level + 1, ordered);
    }
}

fn chunk(hash: u32, level: u32) -> u32 {
    (hash >> (CHUNK_BITS * level)) & 0x1f
}

/// The hash with its chunks in the opposite order, so that numbers compare as tries branch.
fn chunks_reversed(hash: u32) -> u64 {
    (0..LEVELS).fold(0, |sum, level| (sum << CHUNK_BITS) | u64::from(chunk(hash, level)))
}

/// The hash of an operation in a Bifurcan map: Clojure's hash of its index, widened to 64 bits with its sign, then mixed.
fn bifurcan_hash(index: i64) -> u32 {
    let narrow = hash_long(index);
    let mut hash = if narrow & 0x8000_0000 == 0 { narrow } else { !narrow };
    hash ^= (hash >> 20) ^ (hash >> 12);
    hash ^ (hash >> 7) ^ (hash >> 4)
}

/// Murmur3 of a long.
fn hash_long(number: i64) -> u32 {
    if number == 0 {
        return 0;
    }
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).expect("the mask leaves 32 bits");
    let bits = number.cast_unsigned();
    finish(mix(mix(0, half(bits)), half(bits >> 32)), 8)
}

/// Murmur3 of an int.
fn hash_int(number: u32) -> u32 {
    if number == 0 { 0 } else { finish(mix(0, number), 4) }
}

/// Clojure's hash of a symbol, or of a keyword before its constant is added: its name, combined with its namespace.
fn hash_symbol(word: &str) -> u32 {
    let (namespace, name) = match word.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => (java_hash(namespace), name),
        _ => (0, word),
    };
    let seed = hash_utf16(name);
    // An arithmetic shift, as Java's `>>` on an int.
    let shifted = (seed.cast_signed() >> 2).cast_unsigned();
    seed ^ namespace.wrapping_add(0x9e37_79b9).wrapping_add(seed << 6).wrapping_add(shifted)
}

/// Murmur3 of a string's UTF-16 code units, two at a time.
fn hash_utf16(text: &str) -> u32 {
    let units: Vec<u16> = text.encode_utf16().collect();
    let pairs = units.chunks_exact(2);
    let rest = pairs.remainder();
    let mut hash = pairs.fold(0, |hash, pair| mix(hash, u32::from(pair[0]) | (u32::from(pair[1]) << 16)));
    if let [last] = rest {
        hash ^= scramble(u32::from(*last));
    }
    finish(hash, u32::try_from(units.len() * 2).unwrap_or(u32::MAX))
}

/// Java's `String.hashCode`.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

fn mix(hash: u32, block: u32) -> u32 {
    (hash ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

fn finish(hash: u32, length: u32) -> u32 {
    let hash = hash ^ length;
    let hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_clojure_prints() {
        let keyword = |word: &str| clojure_hash(&Atom::Keyword(word.to_owned())).cast_signed();
        assert_eq!(clojure_hash(&Atom::Nil), 0);
        assert_eq!(clojure_hash(&Atom::Int(0)), 0);
        assert_eq!(clojure_hash(&Atom::Int(1)).cast_signed(), 1_392_991_556);
        assert_eq!(clojure_hash(&Atom::Int(2)).cast_signed(), -971_005_196);
        assert_eq!(keyword("a"), -2_123_407_586);
        assert_eq!(keyword("b"), 1_482_224_470);
        assert_eq!(keyword("foo"), 1_268_894_036);
        assert_eq!(clojure_hash(&Atom::Text(String::new())), 0);
    }

    #[test]
    fn a_set_of_small_numbers_is_walked_as_clojure_walks_it() {
        // (seq (set (range 10))) => (0 7 1 4 6 3 2 9 5 8), which everybody who printed a set has seen.
        let mut numbers: Vec<i64> = (0..10).collect();
        numbers.sort_by_key(|number| clojure_rank(&Atom::Int(*number)));
        assert_eq!(numbers, [0, 7, 1, 4, 6, 3, 2, 9, 5, 8]);
    }

    #[test]
    fn a_map_yields_what_lies_in_a_node_before_what_lies_in_its_branches() {
        let items: Vec<i64> = (0..200).collect();
        let ordered = in_bifurcan_order(&items, |item| item);
        let mut sorted = ordered.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, items, "nothing is lost");
        let alone = |item: i64| {
            items.iter().filter(|other| chunk(bifurcan_hash(**other), 0) == chunk(bifurcan_hash(item), 0)).count() == 1
        };
        let first_shared = ordered.iter().position(|item| !alone(*item)).expect("200 items share 32 branches");
        assert!(ordered[first_shared..].iter().all(|item| !alone(*item)));
    }
}
