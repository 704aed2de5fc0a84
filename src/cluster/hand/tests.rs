//! A hand on pipes in memory: what is said, what is believed, and what is told of one that died.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, split};

use super::line::Pace;
use super::{Ending, Hand, HandError, Hello, Transport, Undone};
use crate::fault::network::{CutCount, Flow, LinkResult, Verdict, Way};

const HELLO: &str = r#"{"hello":{"version":1,"netem":false,"queue":true}}"#;

/// The far end of the pipes, played by the test.
struct Far {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
}

impl Far {
    async fn write(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.expect("the near end reads");
    }

    /// The next request that is no ping; pings are answered.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            let request: Value = serde_json::from_str(&self.lines.next_line().await.expect("readable")?).expect("json");
            if request["do"] != "ping" {
                return Some(request);
            }
            self.write(&json!({"id": request["id"], "ok": {}}).to_string()).await;
        }
    }

    async fn answer(&mut self, request: &Value, ok: Value) {
        self.write(&json!({"id": request["id"], "ok": ok}).to_string()).await;
    }
}

fn pipes(ending: Ending) -> (Transport, Far) {
    let (near, far) = tokio::io::duplex(4096);
    let ((reader, writer), (far_reader, far_writer)) = (split(near), split(far));
    let ending = Box::pin(async move { ending });
    let transport = Transport { reader: Box::pin(reader), writer: Box::pin(writer), ending };
    (transport, Far { lines: BufReader::new(far_reader).lines(), writer: far_writer })
}

fn died(exit_code: i64, stderr: &str) -> Ending {
    Ending { exit_code: Some(exit_code), stderr: stderr.to_owned() }
}

async fn greeted() -> (Hand, Far) {
    let (transport, mut far) = pipes(died(3, "out of luck\n"));
    far.write(HELLO).await;
    (Hand::over("h", transport).await.expect("it greets"), far)
}

#[tokio::test]
async fn answers_find_whoever_asked_whatever_their_order() {
    let (hand, mut far) = greeted().await;
    assert_eq!(hand.hello(), Hello { version: 1, netem: false, queue: true });
    let play = async {
        let (first, second) = (far.hear().await.expect("one"), far.hear().await.expect("two"));
        let (undo, look) = if first["do"] == "undo" { (first, second) } else { (second, first) };
        assert_eq!(undo["name"], "f1");
        far.answer(&look, json!({"cuts": [{"name": "f1", "packets": 12, "bytes": 700}], "shapes": []})).await;
        far.answer(&undo, json!({"was": false})).await;
        let probe = far.hear().await.expect("three");
        let result = json!({"to": "172.18.0.3:29092", "result": "silent", "elapsed_us": 1_000_000});
        far.answer(&probe, json!({"results": [result]})).await;
    };
    let ask = async {
        let (undone, look) = tokio::join!(hand.undo("f1"), hand.look());
        assert_eq!(undone, Ok(Undone::Before));
        let cuts = look.expect("a look").cuts;
        assert_eq!(cuts, [CutCount { name: "f1".to_owned(), packets: 12, bytes: 700 }]);
        let to = "172.18.0.3:29092".parse().expect("an address");
        let probed = hand.probe(&[to], Duration::from_secs(1)).await.expect("a probe");
        assert_eq!((probed[0].to, probed[0].result), (to, LinkResult::Silent));
    };
    tokio::join!(play, ask);
}

#[tokio::test]
async fn what_the_hand_refuses_is_told_in_its_words_and_does_not_end_the_conversation() {
    let (hand, mut far) = greeted().await;
    let play = async {
        let cut = far.hear().await.expect("a cut");
        far.write(&json!({"id": cut["id"], "error": "no such chain"}).to_string()).await;
        let clear = far.hear().await.expect("a clear");
        far.answer(&clear, json!({"removed": ["f1"]})).await;
    };
    let ask = async {
        let error = hand.cut("f1", &[Flow::all(Way::In)], Verdict::Drop).await.expect_err("it refuses");
        assert_eq!(error.to_string(), "the hand h could not cut f1: no such chain");
        assert_eq!(hand.clear().await, Ok(vec!["f1".to_owned()]));
    };
    tokio::join!(play, ask);
}

#[tokio::test]
async fn a_dead_hand_says_so_to_whoever_waits_and_to_whoever_asks_later() {
    let (hand, mut far) = greeted().await;
    let play = async {
        far.hear().await.expect("a look");
        drop(far);
    };
    let (waiting, ()) = tokio::join!(hand.look(), play);
    let reason = "it ended with exit code 3; its last words: out of luck".to_owned();
    let dead = Err(HandError::Dead { hand: "h".to_owned(), reason: reason.clone() });
    assert_eq!(waiting, dead);
    assert_eq!(hand.look().await, dead);
    assert_eq!(hand.death(), Some(reason.as_str()));
}

#[tokio::test]
async fn a_hand_that_dies_before_its_first_word_says_why() {
    let (transport, far) = pipes(died(127, "not found"));
    drop(far);
    let error = Hand::over("h", transport).await.err().expect("it is dead");
    assert_eq!(error.to_string(), "the hand h is dead: it ended with exit code 127; its last words: not found");
}

#[tokio::test]
async fn another_version_and_another_greeting_are_refused() {
    let refused = async |line: &str| {
        let (transport, mut far) = pipes(Ending::default());
        far.write(line).await;
        Hand::over("h", transport).await.err().expect("it is refused")
    };
    let newer = refused(r#"{"hello":{"version":2,"netem":false,"queue":true}}"#).await;
    assert_eq!(newer, HandError::Version { hand: "h".to_owned(), version: 2 });
    assert!(matches!(refused("good morning").await, HandError::Garbled { answer, .. } if answer == "good morning"));
}

#[tokio::test]
async fn a_line_that_is_no_answer_or_that_nobody_asked_for_ends_the_trust() {
    for (line, told) in [("oops", "what is no answer: oops"), (r#"{"id":999,"ok":{}}"#, "what nobody asked: ")] {
        let (hand, mut far) = greeted().await;
        far.write(line).await;
        let error = hand.look().await.expect_err("no trust").to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn an_answer_of_another_shape_is_no_answer() {
    let (hand, mut far) = greeted().await;
    let play = async {
        let undo = far.hear().await.expect("an undo");
        far.answer(&undo, json!({"removed": []})).await;
    };
    let (undone, ()) = tokio::join!(hand.undo("f1"), play);
    assert!(matches!(undone, Err(HandError::Garbled { .. })), "{undone:?}");
}

#[tokio::test]
async fn a_hand_that_owes_a_ping_for_too_long_is_dead() {
    let (transport, mut far) = pipes(Ending::default());
    far.write(HELLO).await;
    let pace = Pace { ping_every: Duration::from_millis(10), silence_max: Duration::from_millis(50) };
    let hand = Hand::paced("h", transport, pace).await.expect("it greets");
    let began = Instant::now();
    while hand.death().is_none() {
        assert!(began.elapsed() < Duration::from_secs(10), "a silent hand is still trusted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(50));
    let error = hand.look().await.expect_err("it is dead").to_string();
    assert!(error.ends_with("it did not answer a ping within 50ms"), "{error}");
}

#[tokio::test]
async fn a_hand_that_answers_its_pings_lives_on() {
    let (transport, mut far) = pipes(Ending::default());
    far.write(HELLO).await;
    let pace = Pace { ping_every: Duration::from_millis(5), silence_max: Duration::from_millis(200) };
    let hand = Hand::paced("h", transport, pace).await.expect("it greets");
    let heard = tokio::time::timeout(Duration::from_millis(500), far.hear()).await;
    assert!(heard.is_err(), "nothing but pings: {heard:?}");
    assert_eq!(hand.death(), None);
}

#[tokio::test]
async fn dropping_a_hand_closes_its_stdin() {
    let (hand, mut far) = greeted().await;
    drop(hand);
    let closed = tokio::time::timeout(Duration::from_secs(10), far.hear()).await;
    assert_eq!(closed, Ok(None));
}

#[tokio::test]
async fn closing_waits_for_the_end() {
    let (hand, mut far) = greeted().await;
    let play = async {
        assert_eq!(far.hear().await, None);
        drop(far);
    };
    let (ending, ()) = tokio::join!(hand.close(), play);
    assert_eq!(ending, Ok(died(3, "out of luck\n")));
}
