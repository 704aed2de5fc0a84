//! `G0`, `G1c`, their `-realtime` forms, and the `PL-` forms: cycles among dependencies, by Elle's names (`elle.txn`).
//!
//! Each strongly connected component of the graph is looked at by itself. First which kinds of cycle exist in it, the worst
//! first, because one makes the milder ones redundant:
//!
//! | dependencies with a cycle | says |
//! |---|---|
//! | ww | `PL-1-cycle-exists`, and nothing else |
//! | ww, wr | `PL-2-cycle-exists` |
//! | ww, realtime | `strong-PL-1-cycle-exists` |
//! | ww, wr, realtime | `strong-PL-2-cycle-exists`, if it was none of the others |
//!
//! Then one cycle of each kind is searched: `G0` for the first, `G1c` for the second, `G0-realtime` for the third and
//! `G1c-realtime` for the last. It is reported by what its steps turn out to be, so that the search for a `G0-realtime` may
//! end in a `G1c-realtime`, or in another `G1c`. `G0-process` and `G1c-process` cannot come up, because no process edges are
//! drawn; nothing with rw dependencies either.
//!
//! `G0`, `G0-realtime` and their `PL-1` forms are never bad. `G1c`, `G1c-realtime` and their `PL-2` forms are bad unless ww
//! dependencies are inferred, in which case a record that was read before its send began is valid, too.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::finding::{ErrorType, Findings, Witness};
use super::graph::{Dependencies, Edge, REALTIME, Rels, WR, WW};
use super::search::{self, STEPS_MAX, Search, Spec, Web};

/// How many operations of a component a witness names.
const SHOWN_MAX: usize = 32;

/// Finds cycles.
pub fn find(dependencies: &Dependencies<'_>, findings: &mut Findings) {
    if dependencies.edges.is_empty() {
        findings.add(ErrorType::EmptyTransactionGraph, || Witness::Nothing {});
        return;
    }
    let history = dependencies.explainer.history;
    let index_of = |place: usize| history.ops[place].index;
    let mut look = Look { dependencies, search: Search { index_of: &index_of, steps_left: STEPS_MAX }, findings };
    for component in components(&dependencies.edges) {
        look.at(&component);
    }
}

/// The strongly connected components of more than one operation, each as its edges.
fn components(edges: &[Edge]) -> Vec<Vec<Edge>> {
    let mut places: Vec<usize> = edges.iter().flat_map(|edge| [edge.from, edge.to]).collect();
    places.sort_unstable();
    places.dedup();
    let node = |place: usize| places.binary_search(&place).expect("every end of an edge is a place");
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(places.len(), edges.len());
    for _ in &places {
        graph.add_node(());
    }
    for edge in edges {
        graph.add_edge(NodeIndex::new(node(edge.from)), NodeIndex::new(node(edge.to)), ());
    }
    let mut found: Vec<Vec<NodeIndex>> = kosaraju_scc(&graph).into_iter().filter(|group| group.len() > 1).collect();
    found.sort_unstable_by_key(|group| group.iter().min().copied());
    let mut component_of = vec![None; places.len()];
    for (component, group) in found.iter().enumerate() {
        for node in group {
            component_of[node.index()] = Some(component);
        }
    }
    let mut components = vec![Vec::new(); found.len()];
    for edge in edges {
        if let Some(component) = component_of[node(edge.from)]
            && component_of[node(edge.to)] == Some(component)
        {
            components[component].push(*edge);
        }
    }
    components
}

/// The edges of the smallest component that is left of these when only some dependencies count.
fn smallest(edges: &[Edge], mask: Rels) -> Option<Vec<Edge>> {
    let left: Vec<Edge> = edges.iter().filter(|edge| edge.rels & mask != 0).copied().collect();
    components(&left).into_iter().min_by_key(|component| operations(component).len())
}

/// The places of the operations of a component.
fn operations(edges: &[Edge]) -> Vec<usize> {
    let mut places: Vec<usize> = edges.iter().map(|edge| edge.from).collect();
    places.sort_unstable();
    places.dedup();
    places
}

struct Look<'a, 'h, F> {
    dependencies: &'a Dependencies<'h>,
    search: Search<'a, F>,
    findings: &'a mut Findings,
}

impl<F: Fn(usize) -> i64> Look<'_, '_, F> {
    /// Looks at one component of the whole graph.
    fn at(&mut self, edges: &[Edge]) {
        if let Some(cycle) = smallest(edges, WW) {
            self.exists(ErrorType::Pl1CycleExists, "read-uncommitted", &cycle);
            self.one(edges, &cycle, search::G0);
            return;
        }
        let committed = smallest(edges, WW | WR);
        let uncommitted = smallest(edges, WW | REALTIME);
        if let Some(cycle) = &committed {
            self.exists(ErrorType::Pl2CycleExists, "read-committed", cycle);
            self.one(edges, cycle, search::G1C);
        }
        if let Some(cycle) = &uncommitted {
            self.exists(ErrorType::StrongPl1CycleExists, "strong-read-uncommitted", cycle);
            self.one(edges, cycle, search::G0_REALTIME);
        }
        if committed.is_none() && uncommitted.is_none() {
            self.exists(ErrorType::StrongPl2CycleExists, "strong-read-committed", edges);
            self.one(edges, edges, search::G1C_REALTIME);
        }
    }

    fn exists(&mut self, error: ErrorType, not: &'static str, component: &[Edge]) {
        let ops = &self.dependencies.explainer.history.ops;
        let places = operations(component);
        self.findings.add(error, || Witness::CycleExists {
            not,
            scc_size: places.len(),
            scc: places.iter().take(SHOWN_MAX).map(|place| ops[*place].index).collect(),
        });
    }

    /// One cycle of a kind that is there.
    fn one(&mut self, edges: &[Edge], cycle: &[Edge], spec: Spec) {
        let masked = |edges: &[Edge]| -> Vec<(usize, usize, Rels)> {
            let kept = edges.iter().map(|edge| (edge.from, edge.to, edge.rels & spec.legal));
            kept.filter(|(_, _, rels)| *rels != 0).collect()
        };
        let web = Web::new(masked(edges), self.search.index_of);
        let found = match self.search.first(&web, spec) {
            Ok(Some(found)) => found,
            Ok(None) | Err(search::Exhausted) => search::shortest(&masked(cycle), spec),
        };
        let (error, witness) = self.dependencies.explainer.cycle(&found);
        self.findings.add(error, || witness);
    }
}
