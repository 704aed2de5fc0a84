//! A row of bits, one a record: what a reader saw costs an eighth of a byte a record, whatever the offsets are.

/// A fixed row of bits; bits beyond its end read as unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// A row of `len` unset bits.
    pub fn unset(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)] }
    }

    /// Sets one bit, which must lie inside the row.
    pub fn set(&mut self, at: usize) {
        self.words[at / 64] |= 1 << (at % 64);
    }

    /// Whether a bit is set.
    pub fn get(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// How many bits are set.
    pub fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_set_is_set() {
        let mut bits = Bits::unset(130);
        for at in [0, 63, 64, 129] {
            bits.set(at);
        }
        let set: Vec<usize> = (0..200).filter(|at| bits.get(*at)).collect();
        assert_eq!(set, [0, 63, 64, 129]);
        assert_eq!(bits.count(), 4);
    }
}
