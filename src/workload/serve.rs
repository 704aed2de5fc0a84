//! How a producer's thread hears of its deliveries, and how it waits.
//!
//! rdkafka's `BaseProducer::poll` counts what is left of its timeout in whole milliseconds, so that it asks librdkafka to wait
//! for 0 ms, over and over, until the last millisecond is gone. A producer that rests a millisecond at a time would keep a
//! processor busy with nothing, and that processor is what the brokers beside it need.

use std::thread;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer as _};

use super::in_flight::SendContext;

/// Hears every delivery report that waits, and says how many records they told of. Does not block.
pub fn serve(client: &BaseProducer<SendContext>) -> usize {
    let in_flight = || client.context().ledger().in_flight();
    let before = in_flight();
    let mut left = before;
    loop {
        // One event at most, which may hold the reports of many records.
        client.context().hear(|| client.poll(Duration::ZERO));
        let now = in_flight();
        if now == left {
            return before - left;
        }
        left = now;
    }
}

/// Hears what waits, and rests if that was nothing: who is held back for want of room has room again otherwise.
pub fn rest(client: &BaseProducer<SendContext>, time: Duration) {
    if serve(client) == 0 {
        thread::sleep(time);
    }
}
