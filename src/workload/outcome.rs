//! The one table that says how a send ended: ok, fail or info. Pure.
//!
//! The rule, after Jepsen: *ok* only if an acknowledgement was received, *fail* only if no broker can have appended the
//! record, now or later; everything else is *info*, which a reader may or may not see. A wrong *fail* would make a correct
//! cluster look like one with phantoms; a wrong *info* only weakens a check.
//!
//! # Why `NOT_PERSISTED` alone is not *fail*
//!
//! librdkafka keeps a status for each message and promises not to lower it once it was `POSSIBLY_PERSISTED`. But it does
//! not raise it for every attempt that may have been appended. When a broker answers a produce request with an error that
//! calls for new metadata (`NOT_LEADER_OR_FOLLOWER`, `UNKNOWN_TOPIC_OR_PARTITION`, `KAFKA_STORAGE_ERROR`, ...), the message
//! is queued again as `NOT_PERSISTED`, on the grounds that it was refused (`rdkafka_request.c`,
//! `rd_kafka_handle_Produce_error`). With acks=all, a leader that has already appended the record answers just so when it
//! loses its leadership while it waits for the followers, and the record may live on in the new leader's log
//! (KAFKA-13574). The same status is given to any error that librdkafka has no opinion on, `UNKNOWN_SERVER_ERROR` among
//! them. And a message that was queued again in this way and then runs out of `message.timeout.ms`, or is purged, reports
//! `NOT_PERSISTED` with `_MSG_TIMED_OUT` or `_PURGE_QUEUE`: exactly what one that never left the process reports. Leaders
//! that die in mid-request are what this tool is for, so those are *info*.
//!
//! *Fail* is therefore kept for refusals that come before the append and that every broker gives to every attempt alike,
//! so that no earlier attempt can have been appended either; and for records that librdkafka refused to take at all
//! ([`refused`]). Refusals of a whole batch (`MSG_SIZE_TOO_LARGE`, `RECORD_LIST_TOO_LARGE`, `INVALID_RECORD`,
//! `INVALID_TIMESTAMP`) are not among them: an earlier attempt may have carried the record in another batch. Nor is
//! `NOT_ENOUGH_REPLICAS`: it comes before the append, but speaks for the last attempt only.

use serde::{Deserialize, Serialize};

use super::native::Persistence;
use crate::kafka::Outcome;

/// What a scenario's `acks` means for the meaning of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acks {
    /// acks=0: brokers answer nothing, so nothing is ever acknowledged.
    None,
    /// acks=1, all, or a number of replicas: brokers answer after the append.
    Some,
}

/// How a send ended, and why that is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How it ended.
    pub outcome: Outcome,
    /// The table's reason.
    pub reason: &'static str,
}

/// Codes (`rd_kafka_resp_err_t`) of refusals that come before the append, whichever broker and attempt.
const REFUSALS: [(i16, &str); 5] = [
    (17, "TOPIC_EXCEPTION: the topic's name is not allowed"),
    (21, "INVALID_REQUIRED_ACKS: refused before the log is looked at"),
    (29, "TOPIC_AUTHORIZATION_FAILED: refused before the log is looked at"),
    (31, "CLUSTER_AUTHORIZATION_FAILED: refused before the log is looked at"),
    (76, "UNSUPPORTED_COMPRESSION_TYPE: refused before the append, and every attempt has the same"),
];

/// How a send ended that librdkafka took and then reported on, with the error code of its delivery report (0 for none).
pub fn judge(persistence: Persistence, error: i16, acks: Acks) -> Judgement {
    let judged = |outcome, reason| Judgement { outcome, reason };
    match (persistence, error, acks) {
        (_, 0, Acks::None) => judged(Outcome::Info, "acks=0: sent, and no broker was asked whether it arrived"),
        (Persistence::Persisted, 0, Acks::Some) => {
            judged(Outcome::Ok, "acknowledged (also as DUPLICATE_SEQUENCE_NUMBER, which names no offset)")
        }
        (_, 0, Acks::Some) => judged(Outcome::Info, "no error, but no acknowledgement either"),
        (Persistence::Persisted, ..) => judged(Outcome::Info, "acknowledged and failed at once: believe neither"),
        (Persistence::PossiblyPersisted, ..) => {
            judged(Outcome::Info, "transmitted; nobody knows whether it was appended")
        }
        (Persistence::NotPersisted, error, _) => match REFUSALS.iter().find(|(code, _)| *code == error) {
            Some((_, reason)) => judged(Outcome::Fail, reason),
            None => judged(Outcome::Info, "librdkafka says not persisted, but an attempt may have been (KAFKA-13574)"),
        },
    }
}

/// How a send ended that librdkafka did not take: no byte of it ever left this process.
pub fn refused() -> Judgement {
    Judgement { outcome: Outcome::Fail, reason: "refused by the client library: never queued, never transmitted" }
}

/// How a send ended whose delivery report never came, although its queue was purged.
pub fn abandoned() -> Judgement {
    Judgement { outcome: Outcome::Info, reason: "the client was closed before it reported" }
}

/// How a send ended whose client's process was killed before it reported: what was queued never left, what was on the way
/// may have been appended, and nobody knows which was which.
pub fn killed() -> Judgement {
    Judgement { outcome: Outcome::Info, reason: "the client's process was killed before it reported" }
}

/// How a transaction ended, for the records in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEnd {
    /// The coordinator acknowledged its commit.
    Committed,
    /// The coordinator acknowledged its abort.
    Aborted,
    /// Its producer was told that it is fenced, and had not asked for the commit.
    Fenced,
    /// Nobody knows whether it is aborted yet; its commit was never asked for, and never will be.
    Abandoned,
    /// Its commit was asked for, and nobody knows what came of it.
    Unknown,
}

/// How a send ended that was part of a transaction: by the transaction's end, whatever was said of the record alone. Only
/// who opened a transaction can ask for its commit, so that one whose producer never did and is fenced can only be aborted.
pub fn judge_in_transaction(delivered: Outcome, end: TransactionEnd) -> Judgement {
    let judged = |outcome, reason| Judgement { outcome, reason };
    match (end, delivered) {
        (TransactionEnd::Committed, Outcome::Ok) => judged(Outcome::Ok, "its transaction's commit was acknowledged"),
        (TransactionEnd::Committed, _) => {
            judged(Outcome::Info, "its transaction was committed, but the record was not acknowledged: believe neither")
        }
        (TransactionEnd::Aborted, _) => judged(Outcome::Fail, "its transaction's abort was acknowledged"),
        (TransactionEnd::Fenced, _) => judged(Outcome::Fail, "its producer was fenced before it asked for the commit"),
        (TransactionEnd::Abandoned, _) => judged(Outcome::Fail, "its producer never asked for the commit"),
        (TransactionEnd::Unknown, _) => judged(Outcome::Info, "nobody knows how its transaction ended"),
    }
}

/// Codes of refusals of a commit that every coordinator gives to every attempt alike.
const COMMIT_REFUSALS: [i32; 5] = [12, 24, 28, 29, 30];

/// How a commit ended. librdkafka retries commits by itself: an error of the last attempt, even `ILLEGAL_GENERATION`, says
/// nothing about an earlier one whose answer was lost, so that only refusals which all attempts share are *fail*.
pub fn judge_commit(error: i32) -> Outcome {
    match error {
        0 => Outcome::Ok,
        code if COMMIT_REFUSALS.contains(&code) => Outcome::Fail,
        _ => Outcome::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Persistence; 3] = [Persistence::NotPersisted, Persistence::PossiblyPersisted, Persistence::Persisted];

    fn outcome(persistence: Persistence, error: i16) -> Outcome {
        judge(persistence, error, Acks::Some).outcome
    }

    #[test]
    fn only_an_acknowledgement_is_ok() {
        for persistence in ALL {
            for error in -200..=130 {
                for acks in [Acks::None, Acks::Some] {
                    let acknowledged = persistence == Persistence::Persisted && error == 0 && acks == Acks::Some;
                    assert_eq!(judge(persistence, error, acks).outcome == Outcome::Ok, acknowledged);
                }
            }
        }
    }

    #[test]
    fn only_refusals_that_every_attempt_gets_are_fail() {
        for persistence in ALL {
            for error in -200..=130 {
                let refusal = persistence == Persistence::NotPersisted && [17, 21, 29, 31, 76].contains(&error);
                assert_eq!(outcome(persistence, error) == Outcome::Fail, refusal, "{persistence:?} {error}");
            }
        }
    }

    #[test]
    fn a_timeout_is_info_even_where_librdkafka_says_not_persisted() {
        assert_eq!(outcome(Persistence::NotPersisted, -192), Outcome::Info);
        assert_eq!(outcome(Persistence::PossiblyPersisted, -192), Outcome::Info);
    }

    #[test]
    fn a_lost_leadership_is_info() {
        assert_eq!(outcome(Persistence::NotPersisted, 6), Outcome::Info);
    }

    #[test]
    fn purged_records_are_info() {
        assert_eq!(outcome(Persistence::NotPersisted, -152), Outcome::Info);
        assert_eq!(outcome(Persistence::PossiblyPersisted, -151), Outcome::Info);
    }

    #[test]
    fn an_unknown_server_error_is_info() {
        assert_eq!(outcome(Persistence::NotPersisted, -1), Outcome::Info);
    }

    #[test]
    fn nothing_is_acknowledged_without_acks() {
        for persistence in ALL {
            assert_eq!(judge(persistence, 0, Acks::None).outcome, Outcome::Info);
        }
    }

    #[test]
    fn a_record_in_a_transaction_is_ok_only_with_its_commit_and_fails_only_where_no_commit_can_come() {
        for delivered in [Outcome::Ok, Outcome::Fail, Outcome::Info] {
            let end = |end| judge_in_transaction(delivered, end).outcome;
            assert_eq!(end(TransactionEnd::Committed) == Outcome::Ok, delivered == Outcome::Ok);
            assert_ne!(end(TransactionEnd::Committed), Outcome::Fail);
            let never_asked = [TransactionEnd::Aborted, TransactionEnd::Fenced, TransactionEnd::Abandoned];
            assert_eq!(never_asked.map(end), [Outcome::Fail; 3]);
            assert_eq!(end(TransactionEnd::Unknown), Outcome::Info);
        }
    }

    #[test]
    fn a_commit_refused_for_its_generation_is_info_because_an_earlier_attempt_may_stand() {
        assert_eq!(judge_commit(0), Outcome::Ok);
        assert_eq!(judge_commit(22), Outcome::Info);
        assert_eq!(judge_commit(16), Outcome::Info);
        assert_eq!(judge_commit(12), Outcome::Fail);
    }
}
