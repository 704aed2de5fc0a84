//! One container at a time, with the broker's user and no broker in it.

use wiber_chaos::cluster::disk::{self, BALLAST, DiskError};
use wiber_chaos::cluster::images;
use wiber_chaos::cluster::maker::Maker;
use wiber_chaos::fault::disk::{Cut, HowDamaged, LockedPlace, Segment, Throttling, WhichFile, Within};
use wiber_chaos::kafka::TopicPartition;

use super::bench::{Single, docker};

fn chat() -> TopicPartition {
    TopicPartition::new("chat", 0)
}

#[tokio::test]
async fn a_bounded_disk_is_filled_to_the_last_block_and_freed_again() {
    let single = Single::new(Some(64)).await;
    let before = single.disk.room().await.expect("room");
    assert_eq!(before.total_bytes, 64 << 20);
    let (written, said) = single.sh("echo x > before");
    assert!(written, "{said}");

    let filled = single.disk.fill().await.expect("full");
    assert_eq!((filled.before.total_bytes, filled.after.free_bytes), (64 << 20, 0));
    assert!(filled.ballast_bytes > 60 << 20 && filled.path.ends_with(BALLAST), "{filled:?}");
    let (written, said) = single.sh("head -c 5000 /dev/zero > during");
    assert!(!written && said.contains("No space left on device"), "{said}");

    let again = single.disk.fill().await.expect("full already");
    assert_eq!((again.before.free_bytes, again.ballast_bytes), (0, filled.ballast_bytes));

    // Somebody else undoes it: nothing that the injection returned is needed.
    let sweep = Maker::sweep(&single.bench.label);
    let other = disk::Disk::of(&single.bench.engine, &single.name, &sweep).await.expect("a disk");
    for _ in 0..2 {
        let freed = other.free().await.expect("free, also when it is");
        assert!(freed.free_bytes > 60 << 20, "{freed:?}");
    }
    let (written, said) = single.sh("echo x > after && cat before && ls -A");
    assert!(written && !said.contains(BALLAST), "{said}");
    single.assert_tools_are_gone(3);
}

#[tokio::test]
async fn a_disk_that_the_host_needs_is_not_filled() {
    let single = Single::new(None).await;
    let refused = single.disk.fill().await.expect_err("the engine's own disk");
    assert!(matches!(refused, DiskError::TooLarge { .. } | DiskError::HostsOwn), "{refused}");
    assert!(refused.to_string().contains("disk = \"512MiB\""), "{refused}");
    let (_, files) = single.sh("ls -A");
    assert!(!files.contains(BALLAST), "{files}");
}

#[tokio::test]
async fn a_locked_place_refuses_the_broker_and_gets_its_old_modes_back() {
    const MODES: &str = "find . ! -name '.wiber-chaos-*' -exec stat -c '%a %n' {} + | sort";
    let single = Single::new(None).await;
    let (_, before) = single.sh(MODES);
    assert!(before.contains("640 ./chat-0/00000000000000000000.log"), "{before}");

    let partition = LockedPlace::Partition(chat());
    let locked = single.disk.lock(&partition).await.expect("locked");
    assert_eq!((locked.path.as_str(), locked.entries, locked.user), ("/var/lib/kafka/data/chat-0", 4, 1000));
    assert!(locked.refused.to_lowercase().contains("permission denied"), "{}", locked.refused);
    assert!(!single.sh("echo x >> chat-0/00000000000000000900.log").0, "a file in it");
    assert!(single.sh("echo x > beside").0, "the rest is writable");
    let refused = single.disk.lock(&LockedPlace::DataDirectory).await.expect_err("they overlap");
    assert!(matches!(refused, DiskError::LockedElsewhere { .. }), "{refused}");
    assert_eq!(single.disk.lock(&partition).await.expect("locked already"), locked);

    let open = |place: LockedPlace| {
        let disk = &single.disk;
        async move {
            for _ in 0..2 {
                disk.unlock(&place).await.expect("open, also when it is");
            }
        }
    };
    open(partition).await;
    assert!(single.sh("rm beside").0);
    assert_eq!(single.sh(MODES).1, before);

    let locked = single.disk.lock(&LockedPlace::DataDirectory).await.expect("locked");
    assert_eq!(locked.entries, 6);
    assert!(!single.sh("echo x > beside").0 && !single.sh("mv chat-0 chat-1").0);
    open(LockedPlace::DataDirectory).await;
    assert_eq!(single.sh(MODES).1, before);
    single.assert_tools_are_gone(6);
}

#[tokio::test]
async fn a_stopped_brokers_file_is_damaged_where_it_says_so_and_nowhere_else() {
    let single = Single::new(None).await;
    let oldest = WhichFile::Log(chat(), Segment::Oldest);
    let corrupt = HowDamaged::Corrupt { bits: 5, within: Within::LastBytes(1000) };
    let refused = single.disk.damage(&oldest, corrupt, 7).await.expect_err("it runs");
    assert!(matches!(refused, DiskError::Runs { .. }), "{refused}");
    single.stop();

    let damage = single.disk.damage(&oldest, corrupt, 7).await.expect("damaged");
    assert!(damage.path.ends_with("/chat-0/00000000000000000000.log"), "{damage:?}");
    assert_eq!((damage.size_before_bytes, damage.size_after_bytes, damage.flips.len()), (100_000, 100_000, 5));
    assert!(damage.flips.iter().all(|flip| (99_000..100_000).contains(&flip.offset)), "{damage:?}");
    assert_ne!(damage.crc32_before, damage.crc32_after);
    // The same bits once more are the file as it was: nothing else was changed.
    let back = single.disk.damage(&oldest, corrupt, 7).await.expect("and back");
    assert_eq!((back.crc32_before, back.crc32_after), (damage.crc32_after, damage.crc32_before));
    assert_eq!(back.flips, damage.flips);

    // An index is allocated ahead; what is damaged is what is in use.
    let index = WhichFile::Index(chat(), Segment::Newest);
    let anywhere = HowDamaged::Corrupt { bits: 1, within: Within::Anywhere };
    let damage = single.disk.damage(&index, anywhere, 1).await.expect("damaged");
    assert!(damage.size_before_bytes == 10_485_760 && damage.flips[0].offset < 3, "{damage:?}");

    let newest = WhichFile::Log(chat(), Segment::Newest);
    let half = single.disk.damage(&newest, HowDamaged::Truncate(Cut::ToPercent(50)), 1).await.expect("cut");
    assert!(half.path.ends_with("00000000000000000900.log"), "{half:?}");
    assert_eq!((half.size_before_bytes, half.size_after_bytes), (50_000, 25_000));
    let end = single.disk.damage(&newest, HowDamaged::Truncate(Cut::LastBytes(10)), 1).await.expect("cut");
    assert_eq!((end.size_before_bytes, end.size_after_bytes), (25_000, 24_990));

    let nothing = single.disk.damage(&WhichFile::TimeIndex(chat(), Segment::Newest), anywhere, 1).await;
    assert!(matches!(nothing, Err(DiskError::NothingThere { .. })), "{nothing:?}");

    let wiped = single.disk.wipe().await.expect("wiped");
    assert_eq!(wiped.entries, 5);
    assert_eq!(single.disk.wipe().await.expect("wiped already").entries, 0);
    single.assert_tools_are_gone(8);
}

#[tokio::test]
async fn what_is_no_brokers_data_is_not_wiped() {
    let single = Single::new(None).await;
    assert!(single.sh("rm meta.properties").0);
    single.stop();
    let refused = single.disk.wipe().await.expect_err("no broker's");
    assert!(refused.to_string().contains("no broker's data"), "{refused}");
    docker(&["start", &single.name]);
    assert!(single.sh("test -s chat-0/00000000000000000000.log").0, "everything is there");
}

#[tokio::test]
async fn a_disk_is_slow_where_the_engine_can_make_it_so_and_else_that_is_said() {
    let single = Single::new(None).await;
    let image = images::find(&single.bench.engine, None).await.expect("an image");
    let image = format!("{}:{}", image.name, image.tag);
    let engine_can = disk::can_throttle(&single.bench.engine, &image, &single.bench.maker()).await.expect("an answer");
    match single.disk.can_throttle().await.expect("an answer") {
        Throttling::Unavailable { reason } => {
            let refused = single.disk.throttle(1 << 20).await.expect_err("it cannot");
            assert!(refused.to_string().contains(&reason), "{refused}");
        }
        possible => {
            assert_eq!(possible, engine_can);
            let slow = single.disk.throttle(1 << 20).await.expect("slow");
            println!("{slow:?}");
            assert!(slow.after.bytes_per_second() <= 2 << 20, "{slow:?}");
            assert_eq!(single.disk.limits().await.expect("limits"), slow.limits());
            let refused = single.disk.may_throttle().await.expect_err("lifting ours would lift the other");
            assert!(refused.to_string().contains("slow already"), "{refused}");
            // Somebody lifts it who knows nothing of the harness, in the kernel itself, and is seen.
            single.lift(&slow.device);
            let lifted = single.disk.limits().await.expect("limits");
            assert!(lifted.are_none() && lifted.device == slow.device, "{lifted:?}");
            for _ in 0..2 {
                single.disk.unthrottle().await.expect("fast, also when it is");
            }
            single.disk.may_throttle().await.expect("nothing limits it any more");
            let after = single.disk.pace(2 << 20).await.expect("a pace");
            assert!(after.elapsed_ms * 2 < slow.after.elapsed_ms, "{after:?} after {slow:?}");
            single.stop();
            let hidden = single.disk.limits().await.expect_err("its control group ended with it");
            assert!(matches!(hidden, DiskError::LimitsHidden { .. }), "{hidden}");
            single.disk.unthrottle().await.expect("what ended is slow no more");
        }
    }
    single.assert_tools_are_gone(3);

    let bounded = Single::new(Some(64)).await;
    let answer = bounded.disk.can_throttle().await.expect("an answer");
    assert!(matches!(answer, Throttling::Unavailable { .. }), "memory is no block device: {answer:?}");
}
