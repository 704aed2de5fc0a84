//! Every number that two runs may be compared by, with what it may differ by.

use super::noise::{self, Allowance, Factor, judge};
use super::{Measure, Of, Side, Trend};
use crate::anomaly::{CheckName, Validity};
use crate::history::Phase;
use crate::report::{Latency, Window};
use crate::verdict::{CheckLine, Counts, FaultLine, RateLine};

/// All of them: the runs' own, then what each fault did that both have, in the order of the first.
pub(super) fn all(before: &Side, after: &Side, factor: Factor) -> Vec<Measure> {
    let mut table = Table { factor, measures: Vec::new() };
    availability(before, after, &mut table);
    rates(before, after, &mut table);
    table.latencies(&Of::Run, before.latency(&Window::Run), after.latency(&Window::Run));
    let warmup = Window::Phase(Phase::Warmup);
    table.latencies(&Of::Warmup, before.latency(&warmup), after.latency(&warmup));
    counts(before, after, &mut table);
    found(before, after, &mut table);
    for line in &before.verdict.faults {
        let Some(other) = after.verdict.faults.iter().find(|other| other.id == line.id) else { continue };
        fault(line, other, &mut table);
        let window = Window::Fault(line.id.clone());
        table.latencies(&Of::Fault(line.id.clone()), before.latency(&window), after.latency(&window));
    }
    table.measures
}

struct Table {
    factor: Factor,
    measures: Vec<Measure>,
}

impl Table {
    /// A measure, unless neither run has it. What never happened, and would be known if it had, counts as 0.
    fn row(&mut self, of: &Of, name: &'static str, [before, after]: [Option<u64>; 2], allowance: Allowance) {
        if before.is_none() && after.is_none() {
            return;
        }
        let trend = judge(before.unwrap_or(0), after.unwrap_or(0), allowance, self.factor);
        self.measures.push(Measure { of: of.clone(), name, unit: allowance.unit, before, after, trend });
    }

    /// As [`Self::row`], of what is unknown where it is missing: it is told, and is no difference.
    fn known(&mut self, of: &Of, name: &'static str, both: [Option<u64>; 2], allowance: Allowance) {
        self.row(of, name, both, allowance);
        if let ([None, Some(_)] | [Some(_), None], Some(last)) = (both, self.measures.last_mut()) {
            last.trend = Trend::Same;
        }
    }

    fn latencies(&mut self, of: &Of, before: Option<Latency>, after: Option<Latency>) {
        let both = |quantile: fn(&Latency) -> u32| [&before, &after].map(|it| it.as_ref().map(quantile).map(u64::from));
        self.known(of, "latency p50", both(|latency| latency.p50_us), noise::LATENCY_P50);
        if *of == Of::Run {
            self.known(of, "latency p90", both(|latency| latency.p90_us), noise::LATENCY_P90);
        }
        self.known(of, "latency p99", both(|latency| latency.p99_us), noise::LATENCY_P99);
        if *of == Of::Run {
            self.known(of, "latency p99.9", both(|latency| latency.p999_us), noise::LATENCY_TAIL);
            self.known(of, "latency max", both(|latency| latency.max_us), noise::LATENCY_TAIL);
        }
    }
}

fn availability(before: &Side, after: &Side, table: &mut Table) {
    let (before, after) = (&before.verdict.availability, &after.verdict.availability);
    let both = [before.max_unavailability_ms, after.max_unavailability_ms];
    table.known(&Of::Run, "unavailability", both, noise::OUTAGE);
    let both = [before.max_consume_stall_ms, after.max_consume_stall_ms];
    table.known(&Of::Run, "consumers stalled", both, noise::STALL);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nobody sends 2^64 records a second")]
fn rates(before: &Side, after: &Side, table: &mut Table) {
    for line in &before.verdict.rates {
        let other = after.verdict.rates.iter().find(|other| other.producers == line.producers);
        let Some(other) = other else { continue };
        let rate = |line: &RateLine, side| lived(side).then(|| line.sent_per_second.round() as u64);
        table.known(
            &Of::Producers(line.producers.clone()),
            "rate",
            [rate(line, before), rate(other, after)],
            noise::RATE,
        );
    }
}

/// Whether a run had a load at all. One that never began is no better for having failed nothing.
fn lived(side: &Side) -> bool {
    side.verdict.counts.sent > 0
}

fn counts(before: &Side, after: &Side, table: &mut Table) {
    let mut row = |name, of: fn(&Counts) -> u64, allowance| {
        let both = [before, after].map(|side| lived(side).then(|| of(&side.verdict.counts)));
        table.known(&Of::Run, name, both, allowance);
    };
    row("sent", |counts| counts.sent, noise::RECORDS);
    row("acked", |counts| counts.acked, noise::RECORDS);
    row("failed", |counts| counts.failed, noise::TROUBLE);
    row("indeterminate", |counts| counts.indeterminate, noise::TROUBLE);
    row("read", |counts| counts.read, noise::RECORDS);
}

/// What checks found, where either found anything.
fn found(before: &Side, after: &Side, table: &mut Table) {
    for line in &before.verdict.checks {
        let other = after.verdict.checks.iter().find(|other| other.check == line.check);
        let both = [Some(line), other].map(|line| line.and_then(count_of));
        if both.iter().flatten().any(|found| *found > 0) {
            let allowance = match line.check {
                CheckName::Redelivery => noise::redelivered(read_in_a_stall(before).max(read_in_a_stall(after))),
                _ => noise::TROUBLE,
            };
            table.known(&Of::Check(line.check), "found", both, allowance);
        }
    }
}

/// What a check found; `None` where it could not look, so that finding nothing means nothing.
fn count_of(line: &CheckLine) -> Option<u64> {
    let looked = matches!(line.verdict, Validity::Valid | Validity::Invalid) || line.found > 0;
    looked.then_some(line.found)
}

/// How many records a group would have read in the time of its longest stall: so many may be read and not yet committed when whoever
/// takes its commits dies.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nobody sends 2^64 records a second")]
fn read_in_a_stall(side: &Side) -> u64 {
    let per_second: f64 = side.verdict.rates.iter().map(|line| line.sent_per_second).sum();
    (per_second * side.verdict.availability.max_consume_stall_ms.unwrap_or(0) as f64 / 1_000.0) as u64
}

fn fault(before: &FaultLine, after: &FaultLine, table: &mut Table) {
    let of = Of::Fault(before.id.clone());
    let both = |value: fn(&FaultLine) -> Option<u64>| [value(before), value(after)];
    table.known(&of, "unavailability", both(|line| line.unavailability_ms), noise::OUTAGE);
    let again = both(acked_again);
    if again != [Some(0); 2] {
        table.known(&of, "acked again", again, noise::OUTAGE);
    }
    // A recovery that was seen in one run only is a finding of its own.
    table.known(&of, "recovery", both(|line| line.recovery_ms), noise::RECOVERY);
    table.known(&of, "consumers stalled", both(|line| line.consume_stall_ms), noise::STALL);
    table.row(&of, "groups settled", both(|line| line.settled_ms), noise::SETTLED);
    table.known(&of, "caught up", both(|line| line.caught_up_ms), noise::RECOVERY);
    table.row(&of, "first failure", both(|line| line.first_failure_ms), noise::FIRST_FAILURE);
}

/// Where nothing was unavailable nothing had to be acknowledged again, which is at once.
fn acked_again(line: &FaultLine) -> Option<u64> {
    line.acked_again_ms.or_else(|| line.unavailability_ms.filter(|ms| *ms == 0))
}
