//! Elle's breadth-first search for a cycle of a given kind (`elle.bfs`), step by step.
//!
//! Which cycle is found first decides how it is named ([`super::explain`]), so the search is the same one: from one operation
//! after the other, paths of growing length; a path's first step is one of the kinds that the cycle has to have, if any; a
//! path that comes back to where it began, and has all that it has to have, is the answer; one that comes back to where it
//! has been since is cut down to that loop, in which the search begins anew. Operations are taken in the order in which
//! Bifurcan's maps yield them ([`super::hash`]).
//!
//! Paths are not merged, so that their number may explode. Elle gives up after a second and reports `cycle-search-timeout`;
//! which of its searches do depends on the machine and not on the history. Here a number of steps is the limit, and past it
//! a shortest cycle through a fitting edge is taken ([`shortest`]).

use std::collections::{HashMap, HashSet, VecDeque};

use super::graph::{REALTIME, Rels, WR, WW};
use super::hash::in_bifurcan_order;

/// A kind of cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Dependencies that it may consist of.
    pub legal: Rels,
    /// Dependencies of which it has to have one each.
    pub wanted: Rels,
    /// A dependency that it cannot do without, because there is no cycle of the others.
    pub through: Rels,
}

/// Write-write dependencies only.
pub const G0: Spec = Spec { legal: WW, wanted: 0, through: WW };
/// With a write-read dependency.
pub const G1C: Spec = Spec { legal: WW | WR, wanted: WR, through: WR };
/// Write-write dependencies and real time.
pub const G0_REALTIME: Spec = Spec { legal: WW | REALTIME, wanted: REALTIME, through: REALTIME };
/// All three.
pub const G1C_REALTIME: Spec = Spec { legal: WW | WR | REALTIME, wanted: WR | REALTIME, through: REALTIME };

/// How many steps all searches of one analysis may take together.
pub const STEPS_MAX: usize = 2_000_000;

/// The search has taken more steps than it may.
#[derive(Debug)]
pub struct Exhausted;

/// Operations and their dependencies, each in the order of the search. Operations go by their place in the history.
pub struct Web {
    vertices: Vec<usize>,
    out: HashMap<usize, Vec<(usize, Rels)>>,
}

impl Web {
    /// The web of these edges.
    pub fn new(edges: impl IntoIterator<Item = (usize, usize, Rels)>, index_of: impl Fn(usize) -> i64) -> Self {
        let mut out: HashMap<usize, Vec<(usize, Rels)>> = HashMap::new();
        for (from, to, rels) in edges {
            out.entry(from).or_default().push((to, rels));
            out.entry(to).or_default();
        }
        for edges in out.values_mut() {
            *edges = in_bifurcan_order(edges, |(to, _)| index_of(to));
        }
        let vertices: Vec<usize> = out.keys().copied().collect();
        Self { vertices: in_bifurcan_order(&vertices, index_of), out }
    }

    /// Only these operations, and what lies between them.
    fn restricted(&self, to: &HashSet<usize>, index_of: impl Fn(usize) -> i64) -> Self {
        let mut inside = Vec::new();
        for from in to {
            let kept = self.out[from].iter().filter(|(next, _)| to.contains(next));
            inside.extend(kept.map(|(next, rels)| (*from, *next, *rels)));
        }
        Self::new(inside, index_of)
    }
}

/// A search, and how many steps it still may take.
pub struct Search<'a, F> {
    /// The `:index` of the operation at a place.
    pub index_of: &'a F,
    /// How many steps are left.
    pub steps_left: usize,
}

/// A path, as its last operation and the path before it.
#[derive(Clone, Copy)]
struct Path {
    vertex: usize,
    wanted: Rels,
    before: Option<usize>,
}

impl<F: Fn(usize) -> i64> Search<'_, F> {
    /// The first cycle of a kind, each operation once.
    pub fn first(&mut self, web: &Web, spec: Spec) -> Result<Option<Vec<usize>>, Exhausted> {
        for start in &web.vertices {
            let found = self.from(web, spec, *start)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn from(&mut self, web: &Web, spec: Spec, start: usize) -> Result<Option<Vec<usize>>, Exhausted> {
        if !web.out.contains_key(&start) {
            return Ok(None);
        }
        let mut paths = vec![Path { vertex: start, wanted: spec.wanted, before: None }];
        let mut shell = vec![0];
        while !shell.is_empty() {
            let mut open = Vec::new();
            for at in shell {
                if !self.is_loop(&paths, at)? {
                    open.push(at);
                } else if paths[at].wanted == 0 {
                    let found = self.close(web, spec, walked(&paths, at))?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
            shell = self.expand(web, spec, &mut paths, &open)?;
        }
        Ok(None)
    }

    /// A path that ends where it has been: the answer, or the loop at its end.
    fn close(&mut self, web: &Web, spec: Spec, mut path: Vec<usize>) -> Result<Option<Vec<usize>>, Exhausted> {
        let pin = path.pop().expect("a loop has operations");
        if path[0] == pin {
            return Ok(Some(path));
        }
        let tail = path.iter().position(|vertex| *vertex == pin).expect("a loop ends where it has been");
        let inside = &path[tail..];
        let web = web.restricted(&inside.iter().copied().collect(), self.index_of);
        for start in inside {
            let found = self.from(&web, spec, *start)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// All paths that are one step longer.
    fn expand(
        &mut self,
        web: &Web,
        spec: Spec,
        paths: &mut Vec<Path>,
        open: &[usize],
    ) -> Result<Vec<usize>, Exhausted> {
        let first = paths.len();
        for at in open {
            let Path { vertex, wanted, before } = paths[*at];
            for (next, rels) in &web.out[&vertex] {
                self.step()?;
                let mut add = |wanted| paths.push(Path { vertex: *next, wanted, before: Some(*at) });
                for rel in [WW, WR, REALTIME] {
                    if rel & rels & wanted != 0 {
                        add(wanted & !rel);
                    }
                }
                // A path that wants something begins with it.
                let may_begin = wanted == 0 || before.is_some();
                if may_begin && rels & spec.legal & !wanted != 0 {
                    add(wanted);
                }
            }
        }
        Ok((first..paths.len()).collect())
    }

    fn is_loop(&mut self, paths: &[Path], at: usize) -> Result<bool, Exhausted> {
        let vertex = paths[at].vertex;
        let mut before = paths[at].before;
        while let Some(earlier) = before {
            self.step()?;
            if paths[earlier].vertex == vertex {
                return Ok(true);
            }
            before = paths[earlier].before;
        }
        Ok(false)
    }

    fn step(&mut self) -> Result<(), Exhausted> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }
}

/// The operations of a path, from its beginning.
fn walked(paths: &[Path], at: usize) -> Vec<usize> {
    let mut walked: Vec<usize> =
        std::iter::successors(Some(at), |at| paths[*at].before).map(|at| paths[at].vertex).collect();
    walked.reverse();
    walked
}

/// A shortest cycle through the first edge that is `through` and nothing else, where every edge is on some cycle.
pub fn shortest(edges: &[(usize, usize, Rels)], spec: Spec) -> Vec<usize> {
    let fits = |edge: &&(usize, usize, Rels)| edge.2 & spec.legal == spec.through;
    let (source, target, _) = edges.iter().find(fits).or(edges.first()).expect("a cycle has edges");
    let mut out: HashMap<usize, Vec<usize>> = HashMap::new();
    for (from, to, _) in edges {
        out.entry(*from).or_default().push(*to);
    }
    let mut came_from = HashMap::from([(*target, *target)]);
    let mut queue = VecDeque::from([*target]);
    while let Some(at) = queue.pop_front().filter(|at| at != source) {
        for next in out.get(&at).into_iter().flatten() {
            if !came_from.contains_key(next) {
                came_from.insert(*next, at);
                queue.push_back(*next);
            }
        }
    }
    let mut cycle: Vec<usize> =
        std::iter::successors(Some(*source), |at| came_from.get(at).copied().filter(|_| at != target)).collect();
    cycle.reverse();
    cycle
}
