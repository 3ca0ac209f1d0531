use super::*;
use crate::metrics::Metrics;
use crate::parcel::{Encoded, Trace};
use crate::sinks::queue;
use std::sync::Mutex;
use tamis_config::WhenFull;
use tamis_delivery::Flight;

type Answer = Box<dyn Fn(&[String]) -> Result<(), DeliveryError> + Send + Sync>;

struct Receiver {
    taken: Mutex<Vec<Vec<String>>>,
    answer: Answer,
}

impl Delivery for Receiver {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let lines: Vec<String> = batch.iter().map(|(line, _)| String::from_utf8(line.to_vec()).unwrap()).collect();
        let answer = (self.answer)(&lines);
        self.taken.lock().unwrap().push(lines);
        answer
    }
}

/// What the receiver is shown when lines come in parcels, a string each.
fn run(parcels: &[&str], batch: SinkBatch, answer: Answer) -> (Vec<Vec<String>>, Arc<SinkCounts>, Arc<Flight>) {
    let flight = Flight::new(100);
    let (inlet, intake) = queue(1 << 20, WhenFull::Block);
    for text in parcels {
        let records = text.lines().count() as u64;
        let boarding = flight.board(records, 0, 0, Duration::ZERO).unwrap();
        let trace = Trace { pipeline: "p".into(), source: "s".into(), stream: "f".into(), offsets: (0..records).collect() };
        let data = Arc::new(Encoded { bytes: text.as_bytes().to_vec(), records, trace });
        inlet.push(Parcel { data, ticket: boarding.ticket, seat: Some(boarding.seat), waiting: None }, Duration::ZERO);
    }
    drop(inlet);
    let receiver = Arc::new(Receiver { taken: Mutex::default(), answer });
    let counts = SinkCounts::new("to", &Metrics::new());
    let sink = BatchSink {
        name: "to".into(),
        sink: Arc::clone(&receiver) as Arc<dyn Delivery>,
        batch,
        counts: Arc::clone(&counts),
        stop: Stop::default(),
        pool: Arc::new(Pool::new(1)),
        backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(1), None),
        letters: Letters::default(),
        spooled: false,
        turn: None,
    };
    sink.spawn(&intake, 1).unwrap().into_iter().for_each(|thread| thread.join().unwrap());
    let taken = std::mem::take(&mut *receiver.taken.lock().unwrap());
    (taken, counts, flight)
}

#[test]
fn parcels_travel_together_up_to_the_size_of_a_batch() {
    let batch = SinkBatch { records: 3, ..SinkBatch::default() };
    let (taken, counts, flight) = run(&["a\n", "b\nc\n", "d\ne\n", "f\ng\nh\ni\n"], batch, Box::new(|_| Ok(())));
    assert_eq!(taken, [vec!["a", "b", "c"], vec!["d", "e"], vec!["f", "g", "h"], vec!["i"]]);
    assert_eq!((counts.delivered.get(), counts.bytes.get(), flight.settled()), (9, 18, 9));
}

#[test]
fn one_that_waits_long_gives_sources_their_seats_back() {
    let flight = Flight::new(1);
    let (inlet, intake) = queue(1 << 20, WhenFull::Block);
    let receiver = Arc::new(Receiver { taken: Mutex::default(), answer: Box::new(|_| Ok(())) });
    let counts = SinkCounts::new("to", &Metrics::new());
    let sink = BatchSink {
        name: "to".into(),
        sink: Arc::clone(&receiver) as Arc<dyn Delivery>,
        batch: SinkBatch { records: 3, age: Duration::from_secs(3_600), ..SinkBatch::default() },
        counts,
        stop: Stop::default(),
        pool: Arc::new(Pool::new(1)),
        backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(1), None),
        letters: Letters::default(),
        spooled: false,
        turn: None,
    };
    let stop = sink.stop.clone();
    let threads = sink.spawn(&intake, 2).unwrap();
    let bring = |text: &str| {
        let boarding = flight.board(1, 0, 0, Duration::from_secs(30)).unwrap();
        let trace = Trace { pipeline: "p".into(), source: "s".into(), stream: "f".into(), offsets: vec![0] };
        let data = Arc::new(Encoded { bytes: text.as_bytes().to_vec(), records: 1, trace });
        inlet.push(Parcel { data, ticket: boarding.ticket, seat: Some(boarding.seat), waiting: None }, Duration::ZERO);
    };
    for text in ["a\n", "b\n", "c\n", "d\n", "e\n"] {
        bring(text);
    }
    // What is taken and not complete does not wait for its age when the host stops.
    stop.drain();
    while flight.under_way() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(inlet);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*receiver.taken.lock().unwrap(), [vec!["a", "b", "c"], vec!["d", "e"]], "one puts a batch together at a time");
}

#[test]
fn what_is_refused_is_found_across_parcels() {
    let refuses = |lines: &[String]| match lines.iter().any(|line| line == "c") {
        true => Err(DeliveryError::Permanent { reason: "c".into(), divisible: true }),
        false => Ok(()),
    };
    let (taken, counts, flight) = run(&["a\nb\n", "c\nd\ne\n"], SinkBatch::default(), Box::new(refuses));
    assert_eq!(taken, [vec!["a", "b", "c", "d", "e"], vec!["a", "b"], vec!["c", "d", "e"], vec!["c"], vec!["d", "e"]]);
    assert_eq!((counts.delivered.get(), counts.rejected.get()), (4, 1));
    assert_eq!((flight.settled(), flight.undelivered()), (2, 3), "there is no way for dead letters here");
}

#[test]
fn what_a_receiver_rejects_without_a_name_is_counted_and_not_sent_again() {
    let answer = |_: &[String]| Err(DeliveryError::Unnamed { count: 2 });
    let (taken, counts, flight) = run(&["a\nb\n", "c\n"], SinkBatch::default(), Box::new(answer));
    assert_eq!(taken, [vec!["a", "b", "c"]]);
    assert_eq!((counts.delivered.get(), counts.unnamed.get(), counts.rejected.get(), counts.retries.get()), (1, 2, 0, 0));
    assert_eq!((flight.settled(), flight.undelivered()), (3, 0), "the source goes on");
}

#[test]
fn records_have_fates_of_their_own() {
    let calls = Mutex::new(0);
    let answer = move |lines: &[String]| {
        *calls.lock().unwrap() += 1;
        match *calls.lock().unwrap() {
            1 => Err(DeliveryError::Partly { refused: vec![(1, "b".into())], again: vec![2, 3, 5], reason: "busy".into(), after: None }),
            _ if lines.len() == 3 => Err(DeliveryError::Transient { reason: "busy".into(), after: None }).or(Ok(())),
            _ => Ok(()),
        }
    };
    let (taken, counts, _) = run(&["a\nb\nc\n", "d\ne\nf\n"], SinkBatch::default(), Box::new(answer));
    assert_eq!(taken, [vec!["a", "b", "c", "d", "e", "f"], vec!["c", "d", "f"]]);
    assert_eq!((counts.delivered.get(), counts.rejected.get(), counts.retries.get(), counts.bytes.get()), (5, 1, 1, 12));
}
