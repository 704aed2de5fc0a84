//! The thread that owns librdkafka's mock cluster, whose handle may not be shared between threads, and takes orders for it.

use std::sync::mpsc;
use std::thread;

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use tokio::sync::oneshot;

use crate::cluster::ClusterError;
use crate::kafka::BrokerId;
use crate::scenario::TopicSpec;

/// What the mock can be told.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Make a topic.
    Topic(TopicSpec),
    /// Take a broker's listener away.
    Down(BrokerId),
    /// Give it back.
    Up(BrokerId),
    /// Make a broker the leader of a partition.
    Lead { topic: String, partition: u32, leader: BrokerId },
}

type Reply = oneshot::Sender<Result<(), String>>;

/// A handle to the thread; when it is dropped, the mock and the thread end.
pub(super) struct Keeper {
    orders: mpsc::Sender<(Order, Reply)>,
}

impl Keeper {
    /// Starts a mock with this many brokers; also returns its bootstrap servers.
    pub(super) fn start(brokers: i32) -> Result<(Self, String), String> {
        let (orders, inbox) = mpsc::channel::<(Order, Reply)>();
        let (born, birth) = mpsc::channel();
        thread::Builder::new()
            .name("mock-cluster".to_owned())
            .spawn(move || match MockCluster::new(brokers) {
                Ok(mock) => {
                    // A start that nobody waits for any more needs no cluster either.
                    if born.send(Ok(mock.bootstrap_servers())).is_ok() {
                        keep(&mock, &inbox);
                    }
                }
                Err(error) => drop(born.send(Err(error.to_string()))),
            })
            .map_err(|error| error.to_string())?;
        let bootstrap = birth.recv().map_err(|_| "the mock's thread ended".to_owned())??;
        Ok((Self { orders }, bootstrap))
    }

    /// Gives an order and waits until it is carried out.
    pub(super) async fn order(&self, order: Order) -> Result<(), ClusterError> {
        let failed = |reason: String| ClusterError::Engine { action: format!("tell the mock: {order:?}"), reason };
        let gone = || "the mock's thread ended".to_owned();
        let (reply, answer) = oneshot::channel();
        self.orders.send((order.clone(), reply)).map_err(|_| failed(gone()))?;
        answer.await.map_err(|_| failed(gone()))?.map_err(failed)
    }
}

fn keep(mock: &MockCluster<'static, DefaultProducerContext>, inbox: &mpsc::Receiver<(Order, Reply)>) {
    while let Ok((order, reply)) = inbox.recv() {
        let done = carry_out(mock, order).map_err(|error| error.to_string());
        // Whoever gave the order may have stopped waiting; the order stands all the same.
        drop(reply.send(done));
    }
}

fn carry_out(mock: &MockCluster<'static, DefaultProducerContext>, order: Order) -> Result<(), KafkaError> {
    let number = |count: u32| i32::try_from(count).expect("validated scenarios have few partitions");
    match order {
        Order::Topic(topic) => {
            mock.create_topic(&topic.name, number(topic.partitions), number(topic.replication_factor))
        }
        Order::Down(broker) => mock.broker_down(broker.0),
        Order::Up(broker) => mock.broker_up(broker.0),
        Order::Lead { topic, partition, leader } => mock.partition_leader(&topic, number(partition), Some(leader.0)),
    }
}
