//! A reader against librdkafka's mock cluster, which has groups and keeps their commits.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::{Beginning, End, Followed, Following, follow};
use crate::client::print::Shape;
use crate::client::send::{Sender, Sending};
use crate::kafka::{Access, Endpoint};

type Mock = MockCluster<'static, DefaultProducerContext>;

/// What was printed, for the test to see.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic here").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no panic here");
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

/// A pipe whose reader has gone.
struct ClosedPipe;

impl Write for ClosedPipe {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn cluster() -> (Mock, Access) {
    let mock = Mock::new(3).expect("a mock cluster");
    mock.create_topic("chat", 1, 3).expect("a topic");
    let access = Access::plaintext(Endpoint::parse_list(&mock.bootstrap_servers()).expect("addresses"));
    (mock, access)
}

async fn send(access: &Access, messages: &[&str]) {
    let sending = Sending {
        topic: "chat".to_owned(),
        partition: Some(0),
        key: None,
        headers: Vec::new(),
        acks: "all".to_owned(),
        timeout: Duration::from_secs(20),
    };
    let mut sender = Sender::new(access, sending).expect("a producer");
    for message in messages {
        sender.send(message.as_bytes());
    }
    for _ in messages {
        sender.receipt().await;
    }
}

fn following(group: Option<&str>, max: Option<u64>) -> Following {
    Following {
        topics: vec!["chat".to_owned()],
        partitions: vec![1],
        group: group.map(str::to_owned),
        beginning: Beginning::Earliest,
        shape: Shape::Raw,
        max,
        quiet: Some(Duration::from_secs(2)),
    }
}

/// Reads, and gives how it went, what was printed, and what was noted.
async fn read(access: &Access, following: Following) -> (Followed, Vec<String>, String) {
    let (out, notes) = (Paper::default(), Paper::default());
    let (paper, pad, access) = (out.clone(), notes.clone(), access.clone());
    let followed = tokio::task::spawn_blocking(move || {
        follow(&access, &following, Box::new(paper), Box::new(pad), &AtomicBool::new(false))
    });
    let followed = followed.await.expect("no panic").expect("it can be read");
    (followed, out.lines(), notes.lines().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_records_are_printed_as_were_asked_for_and_the_next_reader_goes_on_behind_them() {
    let (_mock, access) = cluster();
    send(&access, &["one", "two", "three", "four", "five"]).await;
    let (followed, printed, _) = read(&access, following(Some("g"), Some(1))).await;
    assert_eq!((followed, printed), (Followed { printed: 1, end: End::Enough }, vec!["one".to_owned()]));
    let (followed, printed, _) = read(&access, following(Some("g"), Some(2))).await;
    assert_eq!((followed.end, printed), (End::Enough, vec!["two".to_owned(), "three".to_owned()]));
    let (followed, printed, notes) = read(&access, following(Some("g"), None)).await;
    assert_eq!((followed.end, printed), (End::Quiet, vec!["four".to_owned(), "five".to_owned()]));
    assert!(notes.contains("assigned: chat-0"), "{notes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_without_a_group_reads_everything_each_time() {
    let (_mock, access) = cluster();
    send(&access, &["one", "two"]).await;
    for _ in 0..2 {
        let (followed, printed, _) = read(&access, following(None, None)).await;
        assert_eq!((followed.end, printed), (End::Quiet, vec!["one".to_owned(), "two".to_owned()]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_begins_at_the_end_misses_nothing_between_its_readers() {
    let (_mock, access) = cluster();
    send(&access, &["before"]).await;
    let latest = || Following { beginning: Beginning::Latest, ..following(Some("g"), None) };
    let (followed, printed, _) = read(&access, latest()).await;
    assert_eq!((followed.printed, printed), (0, Vec::new()), "it begins at the end");
    // Nothing was read, and still the group knows where it stood when it first came.
    send(&access, &["between"]).await;
    let (_, printed, _) = read(&access, latest()).await;
    assert_eq!(printed, ["between"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_nobody_reads_any_more_ends_the_reading_and_commits_nothing() {
    let (_mock, access) = cluster();
    send(&access, &["one"]).await;
    let (closed, broken) = (access.clone(), following(Some("g"), None));
    let followed = tokio::task::spawn_blocking(move || {
        follow(&closed, &broken, Box::new(ClosedPipe), Box::new(Paper::default()), &AtomicBool::new(false))
    });
    assert_eq!(followed.await.expect("no panic").expect("no failure").end, End::Unread);
    let (_, printed, _) = read(&access, following(Some("g"), None)).await;
    assert_eq!(printed, ["one"], "it comes again");
}
