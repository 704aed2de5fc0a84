//! `transactions` of a `[[producer]]` or a `[[transformer]]`: what can be put into one, and what a transactional producer cannot
//! be told besides.

use std::time::Duration;

use super::{client, count, require};
use crate::scenario::leaf::{Properties, Property, Ratio};
use crate::scenario::problem::{Problems, Span};
use crate::scenario::raw::RawTransactions;
use crate::scenario::read::{At, Field};
use crate::scenario::{ClusterKind, TransactionSpec, units};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// librdkafka takes no less, and a broker no more unless `transaction.max.timeout.ms` says so.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);
const MOST_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// All of them, in millionths.
const WHOLE: u32 = 1_000_000;

/// Reads them; `config` is their producer's, and `in_flight` is how many records that may have in flight.
pub(super) fn read(
    At { value: raw, span }: &At<RawTransactions>,
    config: &Field<Properties>,
    in_flight: u32,
    kind: Option<ClusterKind>,
    problems: &mut Problems,
) -> TransactionSpec {
    if kind == Some(ClusterKind::Mock) {
        problems
            .error(span, "a mock keeps nobody from reading what was aborted", "needs real brokers")
            .help("write kind = \"docker\" in [cluster], or remove `transactions`");
    }
    let timeout = raw.timeout.or(DEFAULT_TIMEOUT);
    let spec = TransactionSpec {
        records: records(raw, in_flight, problems),
        // One that is still open when its time-out comes would be aborted by its coordinator.
        every: raw.every.or(timeout / 2),
        abort_millionths: raw.abort.or(Ratio(0)).0,
        timeout,
    };
    if let Some(abort) = raw.abort.get().filter(|abort| abort.value.0 >= WHOLE) {
        problems
            .error(&abort.span, "a producer that aborts every transaction writes nothing", "all of them")
            .help("write a smaller share, such as abort = \"5%\"");
    }
    check_times(raw, spec, problems);
    if let Some(config) = config.value() {
        check_config(config, spec.timeout, span, problems);
    }
    spec
}

fn records(raw: &RawTransactions, in_flight: u32, problems: &mut Problems) -> u32 {
    require(&raw.records, "`transactions`", &raw.span, "records", "records = 100", problems);
    let records = count(&raw.records, "records", 1, u32::MAX, problems);
    if let Some(at) = raw.records.get().filter(|at| at.value > in_flight) {
        problems.error(&at.span, format!("a transaction of {records} records would never be full"), "too many").help(
            format!(
                "write at most {in_flight}, which is how many the producer may have in flight, or raise `in-flight`"
            ),
        );
    }
    records
}

fn check_times(raw: &RawTransactions, spec: TransactionSpec, problems: &mut Problems) {
    if let Some(at) = raw.timeout.get().filter(|at| !(LEAST_TIMEOUT..=MOST_TIMEOUT).contains(&at.value)) {
        let (least, most) = (units::show(LEAST_TIMEOUT), units::show(MOST_TIMEOUT));
        problems
            .error(&at.span, "no broker takes such a time-out of a transaction", "out of range")
            .help(format!("write at least \"{least}\" and at most \"{most}\""));
    }
    let Some(at) = raw.every.get() else { return };
    if at.value.is_zero() {
        problems.error(&at.span, "a transaction takes some time", "zero").help("write such as every = \"100ms\"");
    } else if at.value >= spec.timeout {
        problems
            .error(&at.span, "the coordinator would abort a transaction before it is as old as this", "too long")
            .help(format!("write less than its time-out, which is \"{}\"", units::show(spec.timeout)));
    }
}

/// Properties that contradict transactions.
fn check_config(config: &Properties, timeout: Duration, transactions: &Span, problems: &mut Problems) {
    let mut conflict = |property: &Property, what: String, help: String| {
        problems
            .error(&property.span, format!("a transactional producer {what}"), "conflicts")
            .and_at(transactions.clone(), "transactions are asked for here")
            .help(help);
    };
    if let Some(acks) = client::acks(config).filter(|acks| !client::waits_for_all(acks)) {
        conflict(acks, "waits for every in-sync replica".to_owned(), "remove it, or `transactions`".to_owned());
    }
    if let Some(property) = client::idempotence(config).filter(|property| !client::is_true(property)) {
        conflict(property, "is idempotent".to_owned(), "remove it, or `transactions`".to_owned());
    }
    let limit_ms = timeout.as_millis();
    for name in ["message.timeout.ms", "delivery.timeout.ms", "socket.timeout.ms"] {
        let too_long =
            |property: &&Property| property.value.trim().parse::<u128>().is_ok_and(|millis| millis > limit_ms);
        if let Some(property) = config.any_of(&[name]).filter(too_long) {
            let what = "gives a record up before its transaction is given up".to_owned();
            conflict(property, what, format!("write at most {limit_ms}, or raise `timeout` in `transactions`"));
        }
    }
}
