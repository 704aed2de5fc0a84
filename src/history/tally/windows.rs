//! Stretches of time, some of which may be at once, and which of them touch another one.

use crate::kafka::TimeNs;

/// From when to when, both included; `None` for one that never was.
pub type Window = Option<(TimeNs, TimeNs)>;

/// Windows by when they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// From, to, and which.
    by_start: Vec<(TimeNs, TimeNs, usize)>,
    /// The latest end of each and all those before it.
    ends: Vec<TimeNs>,
}

impl Windows {
    /// Puts them in order. They keep their numbers.
    pub fn new(windows: &[Window]) -> Self {
        let there = windows.iter().enumerate().filter_map(|(which, window)| window.map(|(from, to)| (from, to, which)));
        let mut by_start: Vec<_> = there.collect();
        by_start.sort_unstable();
        let mut latest = TimeNs(0);
        let ends = by_start.iter().map(|(_, to, _)| {
            latest = latest.max(*to);
            latest
        });
        Self { ends: ends.collect(), by_start }
    }

    /// The numbers of those that share a moment with `from` to `to`.
    pub fn touching(&self, from: TimeNs, to: TimeNs) -> impl Iterator<Item = usize> + '_ {
        let begun = self.by_start.partition_point(|(start, ..)| *start <= to);
        let near = (0..begun).rev().take_while(move |at| self.ends[*at] >= from);
        near.map(|at| self.by_start[at]).filter(move |(_, end, _)| *end >= from).map(|(_, _, which)| which)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn those_touch_that_share_a_moment(
            spans in prop::collection::vec(prop::option::of((0_u64..50, 0_u64..9)), 0..12),
            (from, length) in (0_u64..60, 0_u64..9),
        ) {
            let window = |span: &Option<(u64, u64)>| span.map(|(from, length)| (TimeNs(from), TimeNs(from + length)));
            let windows: Vec<Window> = spans.iter().map(window).collect();
            let to = from + length;
            let mut touched: Vec<usize> = Windows::new(&windows).touching(TimeNs(from), TimeNs(to)).collect();
            touched.sort_unstable();
            let expected = (0..windows.len())
                .filter(|at| windows[*at].is_some_and(|(start, end)| start.0 <= to && from <= end.0));
            prop_assert_eq!(touched, expected.collect::<Vec<_>>());
        }
    }
}
