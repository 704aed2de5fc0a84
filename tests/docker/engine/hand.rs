//! The hand in a side-car: a stand-in for how it lives and dies, and the program itself for what it does.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use wiber_chaos::cluster::engine::{Engine, NewSideCar};
use wiber_chaos::cluster::hand::{Hand, HandError, Undone};
use wiber_chaos::fault::network::{Flow, LinkResult, PartsPerMillion, Treatment, Verdict, Way};
use wiber_chaos::fault::{ProcessState, Signal};

use super::containers::{Made, docker, image, unique};

const LABEL: &str = "wiber-chaos.test";

/// Speaks the protocol as far as these tests go, complains on its stderr, and ends with its stdin.
const STAND_IN: &str = r#"
echo '{"hello":{"version":1,"netem":false,"queue":true}}'
echo 'never a day of rest' >&2
while read -r line; do
    id=${line#*\"id\":}; id=${id%%[,\}]*}
    case $line in
        *'"clear"'*) echo "{\"id\":$id,\"ok\":{\"removed\":[]}}" ;;
        *'"undo"'*) exit 9 ;;
        *) echo "{\"id\":$id,\"ok\":{}}" ;;
    esac
done
"#;

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([(LABEL.to_owned(), std::process::id().to_string())])
}

fn side_car(made: &mut Made, name: &str, beside: &str, script: &str) -> NewSideCar {
    let name = unique(name);
    made.adopt(&name);
    let command = Some(["bash", "-c", script].map(str::to_owned).to_vec());
    NewSideCar { name, image: image(), command, beside: beside.to_owned(), labels: labels() }
}

/// Waits until a container is gone.
async fn gone(engine: &Engine, container: &str) {
    let began = Instant::now();
    while engine.process_state(container).await.expect("a state") != ProcessState::Missing {
        assert!(began.elapsed() < Duration::from_secs(20), "{container} is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_side_car_lives_as_long_as_its_hand_and_belongs_to_one_life_of_its_container() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let container = made.container("life", &[]);
    let new = side_car(&mut made, "life-hand", &container, STAND_IN);
    let hand = Hand::start_as(&engine, &new).await.expect("a hand");
    let ProcessState::Running { started_at } = engine.process_state(&container).await.expect("a state") else {
        panic!("it runs")
    };
    assert_eq!(hand.life(), Some(started_at.as_str()));
    hand.ping().await.expect("an answer");
    let facts = engine.container(&new.name).await.expect("facts").expect("it is there");
    assert_eq!(facts.labels.get(LABEL), labels().get(LABEL));
    let namespace = |name: &str| docker(&["exec", name, "readlink", "/proc/self/ns/net"]);
    assert_eq!(namespace(&new.name), namespace(&container));
    drop(hand);
    gone(&engine, &new.name).await;

    let new = side_car(&mut made, "life-hand-2", &container, STAND_IN);
    let hand = Hand::start_as(&engine, &new).await.expect("a hand");
    let ending = hand.close().await.expect("it ends");
    assert_eq!((ending.exit_code, ending.stderr.trim()), (Some(0), "never a day of rest"));
    gone(&engine, &new.name).await;
}

#[tokio::test]
async fn a_side_car_that_died_is_told_with_its_exit_code_and_its_last_words() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let container = made.container("death", &[]);
    let new = side_car(&mut made, "death-hand", &container, STAND_IN);
    let hand = Hand::start_as(&engine, &new).await.expect("a hand");
    let reason = "it ended with exit code 9; its last words: never a day of rest".to_owned();
    let dead = HandError::Dead { hand: new.name.clone(), reason };
    assert_eq!(hand.undo("f1").await, Err(dead.clone()));
    assert_eq!(hand.ping().await, Err(dead));

    let new = side_car(&mut made, "death-hand-2", &container, STAND_IN);
    let hand = Hand::start_as(&engine, &new).await.expect("a hand");
    engine.kill(&new.name, Signal::Kill).await.expect("killed");
    let began = Instant::now();
    while hand.death().is_none() {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(hand.death().is_some_and(|death| death.contains("exit code 137")), "{:?}", hand.death());
}

#[tokio::test]
async fn a_side_car_that_cannot_start_or_never_greets_leaves_nothing() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let container = made.container("nothing", &[]);
    let mut new = side_car(&mut made, "nothing-hand", &container, "echo good morning; sleep 600");
    let error = Hand::start_as(&engine, &new).await.err().expect("no greeting").to_string();
    assert!(error.contains("answered good morning"), "{error}");
    gone(&engine, &new.name).await;

    new.command = Some(vec!["/no/such/program".to_owned()]);
    let error = Hand::start_as(&engine, &new).await.err().expect("no program").to_string();
    assert!(error.contains("/no/such/program"), "{error}");
    gone(&engine, &new.name).await;

    docker(&["kill", &container]);
    new.command = Some(["bash", "-c", STAND_IN].map(str::to_owned).to_vec());
    let error = Hand::start_as(&engine, &new).await.err().expect("no network to share").to_string();
    assert!(error.contains("running container") || error.contains("is not running"), "{error}");
    gone(&engine, &new.name).await;
    let swept = Hand::sweep(&engine, &container, &new.name, &labels()).await;
    assert_eq!(swept.expect("nothing to sweep"), Vec::<String>::new());
}

/// Two containers in a network, the second of which listens on port 7000.
async fn pair(engine: &Engine, made: &mut Made, name: &str) -> (String, SocketAddrV4) {
    let network = made.network(name, &[]);
    let container = made.container(&format!("{name}-a"), &["--network", &network]);
    let peer = made.container(&format!("{name}-b"), &["--network", &network]);
    let listen = "use IO::Socket::INET; my $l = IO::Socket::INET->new(LocalPort => 7000, Listen => 9, ReuseAddr => 1) or die; \
                  while (my $c = $l->accept) { close $c }";
    docker(&["exec", "-d", &peer, "perl", "-e", listen]);
    let address = engine.addresses(&peer).await.expect("addresses")[0].address;
    (container, SocketAddrV4::new(address, 7000))
}

/// What became of a connect, and after how many microseconds.
async fn probe(hand: &Hand, to: SocketAddrV4) -> (LinkResult, u64) {
    let probed = hand.probe(&[to], Duration::from_millis(700)).await.expect("a probe");
    assert_eq!((probed.len(), probed[0].to), (1, to));
    (probed[0].result, probed[0].elapsed_us)
}

async fn connected(hand: &Hand, to: SocketAddrV4) {
    let began = Instant::now();
    while probe(hand, to).await.0 != LinkResult::Connected {
        assert!(began.elapsed() < Duration::from_secs(10), "{to} does not listen");
    }
}

#[tokio::test]
async fn the_hand_cuts_counts_and_undoes() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let (container, peer) = pair(&engine, &mut made, "cut").await;
    let name = unique("cut-hand");
    made.adopt(&name);
    let hand = Hand::start(&engine, &container, &name, &labels()).await.expect("a hand");
    connected(&hand, peer).await;

    let flows = [Way::In, Way::Out].map(|way| Flow { peers: vec![*peer.ip()], ..Flow::all(way) });
    for (verdict, expected) in [(Verdict::Drop, LinkResult::Silent), (Verdict::Reset, LinkResult::Refused)] {
        hand.cut("f1", &flows, verdict).await.expect("a cut");
        assert_eq!(probe(&hand, peer).await.0, expected, "{verdict:?}");
        let look = hand.look().await.expect("a look");
        assert!(look.cuts.len() == 1 && look.cuts[0].packets > 0, "{look:?}");
        assert_eq!(hand.undo("f1").await, Ok(Undone::Now));
        assert_eq!(hand.undo("f1").await, Ok(Undone::Before));
        assert_eq!(probe(&hand, peer).await.0, LinkResult::Connected, "undone");
    }
    hand.close().await.expect("it ends");
}

#[tokio::test]
async fn the_hand_delays_by_what_was_asked_and_counts_it() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let (container, peer) = pair(&engine, &mut made, "shape").await;
    let name = unique("shape-hand");
    made.adopt(&name);
    let hand = Hand::start(&engine, &container, &name, &labels()).await.expect("a hand");
    assert!(hand.hello().queue || hand.hello().netem, "this kernel cannot shape");
    connected(&hand, peer).await;

    let flows = [Flow { peers: vec![*peer.ip()], ..Flow::all(Way::Out) }];
    let delay = Treatment { delay_us: 80_000, ..Treatment::default() };
    hand.shape("f2", &flows, &delay, 42).await.expect("a shape");
    let (result, elapsed_us) = probe(&hand, peer).await;
    assert_eq!(result, LinkResult::Connected);
    assert!((80_000..400_000).contains(&elapsed_us), "{elapsed_us} µs");
    let look = hand.look().await.expect("a look");
    assert!(look.shapes.len() == 1 && look.shapes[0].delayed > 0, "{look:?}");

    let loss = Treatment { loss: PartsPerMillion::ALL, ..Treatment::default() };
    hand.shape("f2", &flows, &loss, 42).await.expect("another treatment");
    assert_eq!(probe(&hand, peer).await.0, LinkResult::Silent);
    assert_eq!(hand.clear().await, Ok(vec!["f2".to_owned()]));
    let (result, elapsed_us) = probe(&hand, peer).await;
    assert!(result == LinkResult::Connected && elapsed_us < 80_000, "{result:?} after {elapsed_us} µs");
    hand.close().await.expect("it ends");
}

#[tokio::test]
async fn a_sweep_removes_what_a_killed_hand_left() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let (container, peer) = pair(&engine, &mut made, "sweep").await;
    let name = unique("sweep-hand");
    made.adopt(&name);
    let hand = Hand::start(&engine, &container, &name, &labels()).await.expect("a hand");
    connected(&hand, peer).await;
    hand.cut("f1", &[Flow::all(Way::In)], Verdict::Drop).await.expect("a cut");
    engine.kill(&name, Signal::Kill).await.expect("killed");
    gone(&engine, &name).await;

    let second = unique("sweep-hand-2");
    made.adopt(&second);
    let removed = Hand::sweep(&engine, &container, &second, &labels()).await.expect("swept");
    assert_eq!(removed, ["f1"]);
    gone(&engine, &second).await;
    let third = unique("sweep-hand-3");
    made.adopt(&third);
    let hand = Hand::start(&engine, &container, &third, &labels()).await.expect("a hand");
    assert_eq!(probe(&hand, peer).await.0, LinkResult::Connected);
    assert_eq!(hand.clear().await, Ok(Vec::new()));
}
