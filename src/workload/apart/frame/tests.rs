//! Every row comes out of its frame as it went in, however the line cuts the bytes.

use proptest::prelude::*;

use super::*;
use crate::history::EventKind;

prop_compose! {
    fn pending()(
        partition in any::<i32>(), sequence in any::<u64>(), bytes in any::<u32>(), scheduled in any::<u64>(),
        invoke in any::<u64>()
    ) -> Pending {
        Pending {
            partition: Partition(partition),
            sequence: Sequence(sequence),
            bytes,
            scheduled_ns: TimeNs(scheduled),
            invoke_ns: TimeNs(invoke),
        }
    }
}

prop_compose! {
    fn send()(
        pending in pending(), process in any::<u32>(), topic in any::<u16>(), complete in any::<u64>(),
        outcome in 0_u8..3, error in any::<i16>(), offset in proptest::option::of(0_i64..), broker in proptest::option::of(0..i32::MAX)
    ) -> SendRow {
        let Pending { partition, sequence, bytes, scheduled_ns, invoke_ns } = pending;
        SendRow {
            process: ProcessId(process),
            topic: TopicIndex(topic),
            partition,
            sequence,
            bytes,
            scheduled_ns,
            invoke_ns,
            complete_ns: TimeNs(complete),
            outcome: Outcome::from_u8(outcome).expect("one of three"),
            error,
            offset: offset.map(Offset),
            broker: broker.map(BrokerId),
        }
    }
}

prop_compose! {
    fn read()(
        reader in any::<u32>(), topic in any::<u16>(), partition in any::<i32>(), offset in any::<i64>(),
        epoch in proptest::option::of(0..i32::MAX), read in any::<u64>(), status in 0_u8..4, process in any::<u32>(), sequence in any::<u64>(),
        bytes in any::<u32>()
    ) -> ReadRow {
        ReadRow {
            reader: ProcessId(reader),
            topic: TopicIndex(topic),
            partition: Partition(partition),
            offset: Offset(offset),
            leader_epoch: epoch.map(LeaderEpoch),
            read_ns: TimeNs(read),
            status: ReadStatus::from_u8(status).expect("one of four"),
            record: RecordId { process: ProcessId(process), sequence: Sequence(sequence) },
            bytes,
        }
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_whole_and_in_order(
        sends in proptest::collection::vec(send(), 0..5),
        reads in proptest::collection::vec(read(), 0..5),
        pendings in proptest::collection::vec(pending(), 0..5),
        cut in 1_usize..40,
    ) {
        let event = Event { time_ns: TimeNs(3), kind: EventKind::ProcessEnded { process: ProcessId(1), reason: "done".to_owned() } };
        let reports = [
            Report::Invoking { process: ProcessId(7), topic: TopicIndex(2), sends: pendings },
            Report::Sends(sends),
            Report::Event(event),
            Report::Reads(reads),
            Report::Stands((TopicIndex(1), Partition(2)), 9),
            Report::Ended(Ended::Fatal { first: 12 }),
        ];
        let line: Vec<u8> = reports.iter().flat_map(Report::encode).collect();
        let (mut buffer, mut out) = (Vec::new(), Vec::new());
        for piece in line.chunks(cut) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = take(&mut buffer).expect("whole frames") {
                out.push(Report::decode(frame).expect("what was written"));
            }
        }
        prop_assert!(buffer.is_empty());
        prop_assert_eq!(&out[..], &reports[..]);
    }
}

#[test]
fn bytes_that_mean_nothing_are_refused() {
    assert!(take(&mut vec![0xff; 9]).is_err());
    assert!(Report::decode((99, vec![])).is_err());
    assert!(Report::decode((2, vec![1, 2, 3])).is_err());
    assert!(Instruction::decode((1, vec![])).is_err());
}
