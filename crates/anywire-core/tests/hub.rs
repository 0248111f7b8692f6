//! The hub in paused time: sockets, rooms, deadlines, without any transport's bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use anywire_core::{
    Answering, App, Budgets, Caller, Connection, Deed, End, Entry, Flow, Handler, Hub, Nodes,
    Outgoing, Place, Placing, Reached, Reaching, Sender, Socket, SocketEvent, Whom,
};
use anywire_protocol::*;
use tokio::sync::mpsc;
use tokio_stream::Stream;

fn open_packet(key: u8, generation: u64) -> Open {
    Open {
        key: OpeningKey::from_bytes([key; 16]),
        generation: Generation::new(generation),
        received: Offset::new(0),
        hold: None,
        protocols: Vec::new(),
        can: Can::NONE,
        credential: None,
    }
}

/// A hub whose sockets come out of the channel.
fn hub(limits: Limits) -> (Hub, mpsc::UnboundedReceiver<Socket>) {
    let (sockets, opened) = mpsc::unbounded_channel();
    let app = App::task(move |socket| {
        let _ = sockets.send(socket);
        async {}
    });
    (
        Hub::new(limits, Budgets::default(), Vec::new(), app),
        opened,
    )
}

fn connect(hub: &Hub, key: u8) -> Connection {
    let visit = hub
        .open(&open_packet(key, 1), &[], &Caller::default())
        .unwrap();
    visit
        .attach(
            Offset::new(0),
            Vec::new(),
            Transport::WebSocket,
            ConnectionMode::Duplex,
        )
        .unwrap()
        .0
}

/// What the connection sends until it has nothing more, or its end.
async fn transmit(connection: &Connection) -> (Vec<Packet>, Option<End>) {
    let mut packets = Vec::new();
    let end = poll_fn(|cx| {
        Poll::Ready(
            match connection.poll_transmit(cx, |outgoing| {
                packets.push(match outgoing {
                    Outgoing::Packet(packet) => packet,
                    Outgoing::Message(message) => Packet::Message(message.clone()),
                });
                Flow::Continue
            }) {
                Poll::Ready(end) => Some(end),
                Poll::Pending => None,
            },
        )
    })
    .await;
    (packets, end)
}

#[tokio::test(start_paused = true)]
async fn send_waits_for_room_and_goes_on_when_there_is_some() {
    let (hub, mut opened) = hub(Limits::default().max_outbox_messages(2));
    let connection = connect(&hub, 1);
    let socket = opened.recv().await.unwrap();
    socket.send("a").await.unwrap();
    socket.send("b").await.unwrap();
    assert!(matches!(socket.try_send("c"), Err(TrySendError::Full(_))));
    let sender = socket.sender();
    let waiting = tokio::spawn(async move { sender.send("c").await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!(transmit(&connection).await.0.len(), 2);
    connection
        .receive([Packet::Ack(Offset::new(1).into())].into_iter(), 1)
        .unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(transmit(&connection).await.0, [Packet::Message("c".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_send_is_told_that_the_session_closed() {
    let (hub, mut opened) = hub(Limits::default().max_outbox_messages(1));
    let connection = connect(&hub, 1);
    let socket = opened.recv().await.unwrap();
    socket.send("a").await.unwrap();
    let sender = socket.sender();
    let waiting = tokio::spawn(async move { sender.send("b").await });
    tokio::task::yield_now().await;
    connection
        .receive([Packet::Close(CloseCode::NORMAL.into())].into_iter(), 1)
        .unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(SendError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_is_dropped_loses_nothing() {
    let (hub, mut opened) = hub(Limits::default());
    let connection = connect(&hub, 1);
    let mut socket = opened.recv().await.unwrap();
    for _ in 0..3 {
        let wait = tokio::time::timeout(Duration::from_millis(5), socket.recv());
        assert!(wait.await.is_err());
    }
    connection
        .receive(
            ["a", "b"]
                .map(|text| Packet::Message(text.into()))
                .into_iter(),
            2,
        )
        .unwrap();
    assert_eq!(socket.recv().await, Some("a".into()));
    assert_eq!(socket.recv().await, Some("b".into()));
}

#[tokio::test(start_paused = true)]
async fn reading_pauses_when_a_client_floods_an_app_that_takes_nothing() {
    let limits = Limits::default().max_inbox_messages(2);
    let (hub, mut opened) = hub(limits);
    let connection = connect(&hub, 1);
    let mut socket = opened.recv().await.unwrap();
    let flood = ["a", "b", "c", "d"].map(|text| Packet::Message(text.into()));
    connection.receive(flood.into_iter(), 1).unwrap();
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(transmit(&connection).await.0, [], "the ack is withheld");
    let room = poll_fn(|cx| Poll::Ready(connection.poll_inbox_room(cx).is_ready()));
    assert!(!room.await);
    let resumed = poll_fn(|cx| connection.poll_inbox_room(cx));
    let (taken, ()) = tokio::join!(socket.recv(), resumed);
    assert_eq!(taken, Some("a".into()));
    for _ in 0..2 {
        socket.recv().await;
    }
    assert_eq!(
        transmit(&connection).await.0,
        [Packet::Ack(Offset::new(4).into())]
    );
}

#[tokio::test(start_paused = true)]
async fn deadlines_pass_without_a_timer_per_session() {
    let (hub, mut opened) = hub(Limits::default());
    let mut sockets = Vec::new();
    for key in 0..50 {
        drop(connect(&hub, key));
        sockets.push(opened.recv().await.unwrap());
    }
    let begin = tokio::time::Instant::now();
    for socket in &mut sockets {
        assert_eq!(socket.recv().await, None);
        assert_eq!(socket.close_reason().unwrap().code, CloseCode::EXPIRED);
    }
    let took = begin.elapsed();
    assert!(
        took >= Duration::from_secs(119) && took <= Duration::from_secs(121),
        "{took:?}"
    );
    assert_eq!(hub.metrics().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn an_opening_key_means_its_session_while_that_lives_and_none_for_a_while_after() {
    let (hub, mut opened) = hub(Limits::default());
    let first = connect(&hub, 1);
    let one = opened.recv().await.unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    drop(first);
    let again = connect(&hub, 1);
    assert_eq!(hub.metrics().opened, 1, "long after the open window");

    again
        .receive([Packet::Close(CloseCode::NORMAL.into())].into_iter(), 1)
        .unwrap();
    transmit(&again).await;
    assert_eq!(hub.metrics().sessions, 0);
    for seconds in [0, 29] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let refused = hub
            .open(&open_packet(1, 3), &[], &Caller::default())
            .map(drop);
        let refused = refused.unwrap_err();
        assert_eq!(refused.reason().code, CloseCode::UNKNOWN_SESSION);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let _other = connect(&hub, 1);
    let other = opened.recv().await.unwrap();
    assert_eq!(one.id(), other.id(), "an id follows from its key");
    assert_eq!(hub.metrics().opened, 2);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_returns_closes_and_one_that_panics_says_so() {
    for (name, code) in [
        ("returns", CloseCode::NORMAL),
        ("panics", CloseCode::INTERNAL),
    ] {
        let app = App::task(move |mut socket| async move {
            socket.recv().await;
            assert_eq!(name, "returns", "as the test asks");
        });
        let hub = Hub::new(Limits::default(), Budgets::default(), Vec::new(), app);
        let connection = connect(&hub, 1);
        connection
            .receive([Packet::Message("go".into())].into_iter(), 1)
            .unwrap();
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        let (packets, _) = transmit(&connection).await;
        assert!(
            matches!(&packets[..], [Packet::Close(reason)] if reason.code == code),
            "{name} {packets:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_shares_its_bytes_and_forgets_who_left() {
    let (hub, mut opened) = hub(Limits::default());
    let (one, two) = (connect(&hub, 1), connect(&hub, 2));
    let sockets = [opened.recv().await.unwrap(), opened.recv().await.unwrap()];
    sockets.iter().for_each(|socket| socket.subscribe("news"));
    assert_eq!(hub.publish("news", "extra"), 2);
    let mut addresses = Vec::new();
    for connection in [&one, &two] {
        let (packets, _) = transmit(connection).await;
        let [Packet::Message(message)] = &packets[..] else {
            panic!("{packets:?}")
        };
        addresses.push(message.as_bytes().as_ptr());
    }
    assert_eq!(addresses[0], addresses[1]);
    sockets[0].unsubscribe("news");
    assert_eq!(hub.followers("news"), 1);
    two.receive([Packet::Close(CloseCode::NORMAL.into())].into_iter(), 1)
        .unwrap();
    transmit(&two).await;
    assert_eq!(hub.followers("news"), 0);
}

#[tokio::test]
async fn callbacks_of_one_session_come_one_at_a_time_and_in_order() {
    struct Log(Arc<Mutex<Vec<String>>>);
    impl anywire_core::Handler for Log {
        type State = ();
        fn on_open(&self, _: &anywire_core::Sender) {
            self.0.lock().unwrap().push("open".into());
        }
        fn on_message(&self, _: &mut (), sender: &anywire_core::Sender, message: Message) {
            self.0
                .lock()
                .unwrap()
                .push(message.as_text().unwrap().into());
            // A callback may do anything with its session, even end it.
            if message.as_text() == Some("199") {
                sender.close(CloseCode::NORMAL);
            }
        }
        fn on_close(&self, _: (), _: &anywire_core::Sender, reason: &CloseReason) {
            self.0.lock().unwrap().push(format!("close {reason}"));
        }
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let hub = Hub::new(
        Limits::default(),
        Budgets::default(),
        Vec::new(),
        App::callbacks(Log(log.clone())),
    );
    let connection = connect(&hub, 1);
    for chunk in (0..200).collect::<Vec<_>>().chunks(7) {
        let packets = chunk
            .iter()
            .map(|index| Packet::Message(index.to_string().into()));
        connection.receive(packets, 1).unwrap();
    }
    connection
        .receive([Packet::Close(CloseCode::NORMAL.into())].into_iter(), 1)
        .unwrap();
    let mut expected = vec!["open".to_owned()];
    expected.extend((0..200).map(|index| index.to_string()));
    expected.push("close 1000".into());
    assert_eq!(*log.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_late_repeat_of_an_open_makes_no_second_session() {
    let (hub, mut opened) = hub(Limits::default());
    let connection = connect(&hub, 1);
    let _socket = opened.recv().await.unwrap();
    connection
        .receive([Packet::Close(CloseCode::NORMAL.into())].into_iter(), 1)
        .unwrap();
    transmit(&connection).await;
    let refused = hub
        .open(&open_packet(1, 1), &[], &Caller::default())
        .map(drop)
        .unwrap_err();
    assert_eq!(refused.reason().code, CloseCode::UNKNOWN_SESSION);
    assert_eq!(hub.metrics().opened, 1);
}

#[tokio::test(start_paused = true)]
async fn there_are_no_more_sessions_than_allowed() {
    let (hub, mut opened) = hub(Limits::default().max_sessions(1));
    let connection = connect(&hub, 1);
    let _socket = opened.recv().await.unwrap();
    let refused = hub
        .open(&open_packet(2, 1), &[], &Caller::default())
        .map(drop)
        .unwrap_err();
    assert_eq!(refused.reason().code, CloseCode::OVERLOADED);
    assert!(
        hub.open(&open_packet(1, 2), &[], &Caller::default())
            .is_ok(),
        "the one that is there may come again"
    );
    drop(connection);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_panics_on_a_deadline_stops_no_other_deadline() {
    struct Panics(Arc<Mutex<usize>>);
    impl anywire_core::Handler for Panics {
        type State = ();
        fn on_open(&self, _: &anywire_core::Sender) {}
        fn on_message(&self, _: &mut (), _: &anywire_core::Sender, _: Message) {}
        fn on_close(&self, _: (), _: &anywire_core::Sender, _: &CloseReason) {
            *self.0.lock().unwrap() += 1;
            panic!("as the test asks");
        }
    }
    let closed = Arc::new(Mutex::new(0));
    let hub = Hub::new(
        Limits::default(),
        Budgets::default(),
        Vec::new(),
        App::callbacks(Panics(closed.clone())),
    );
    for key in 0..3 {
        drop(connect(&hub, key));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert_eq!(*closed.lock().unwrap(), 3);
    assert_eq!(hub.metrics().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn what_comes_for_an_app_that_has_returned_is_dropped_and_the_close_gets_through() {
    let hub = Hub::new(
        Limits::default().max_inbox_messages(2),
        Budgets::default(),
        Vec::new(),
        App::task(|_| async {}),
    );
    let connection = connect(&hub, 1);
    tokio::task::yield_now().await;
    for _ in 0..10 {
        connection
            .receive([Packet::Message("late".into())].into_iter(), 1)
            .unwrap();
        assert!(poll_fn(|cx| Poll::Ready(connection.poll_inbox_room(cx).is_ready())).await);
    }
    assert!(matches!(
        transmit(&connection).await.0[..],
        [Packet::Close(_)]
    ));
    connection
        .receive([Packet::Close(CloseCode::NORMAL.into())].into_iter(), 1)
        .unwrap();
    assert_eq!(hub.metrics().sessions, 0);
}

#[tokio::test]
async fn an_end_is_told_even_after_a_callback_panicked_in_the_same_batch() {
    struct Log(Arc<Mutex<Vec<String>>>);
    impl anywire_core::Handler for Log {
        type State = ();
        fn on_open(&self, _: &anywire_core::Sender) {}
        fn on_message(&self, _: &mut (), _: &anywire_core::Sender, _: Message) {
            panic!("as the test asks");
        }
        fn on_close(&self, _: (), _: &anywire_core::Sender, reason: &CloseReason) {
            self.0.lock().unwrap().push(reason.to_string());
        }
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let hub = Hub::new(
        Limits::default(),
        Budgets::default(),
        Vec::new(),
        App::callbacks(Log(log.clone())),
    );
    let connection = connect(&hub, 1);
    let poison = [
        Packet::Message("x".into()),
        Packet::Close(CloseCode::NORMAL.into()),
    ];
    connection.receive(poison.into_iter(), 1).unwrap();
    assert_eq!(*log.lock().unwrap(), ["1000"]);
}

/// Keeps nothing, and panics over the first message, while the second comes.
#[derive(Clone, Default)]
struct Fragile {
    log: Arc<Mutex<Vec<String>>>,
    connection: Arc<OnceLock<Connection>>,
}

impl Handler for Fragile {
    type State = ();

    fn on_open(&self, _: &Sender) {}

    fn on_message(&self, _: &mut (), _: &Sender, message: Message) {
        self.log
            .lock()
            .unwrap()
            .push(message.as_text().unwrap().to_owned());
        let second = [Packet::Message("second".into())].into_iter();
        self.connection.get().unwrap().receive(second, 1).unwrap();
        panic!("as the test asks");
    }

    fn on_close(&self, _: (), _: &Sender, reason: &CloseReason) {
        self.log.lock().unwrap().push(reason.code.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_but_the_end_follows_a_callback_that_panicked() {
    let fragile = Fragile::default();
    let app = App::callbacks(fragile.clone());
    let hub = Hub::new(Limits::default(), Budgets::default(), Vec::new(), app);
    let connection = fragile.connection.get_or_init(|| connect(&hub, 1));
    let first = [Packet::Message("first".into())].into_iter();
    connection.receive(first, 1).unwrap();
    assert_eq!(*fragile.log.lock().unwrap(), ["first", "1011"]);
}

#[tokio::test(start_paused = true)]
async fn changes_of_state_come_also_between_messages_without_end() {
    let (hub, mut opened) = hub(Limits::default());
    let connection = connect(&hub, 1);
    let mut socket = opened.recv().await.unwrap();
    let more = || [Packet::Message("more".into())].into_iter();
    connection.receive(more(), 1).unwrap();
    assert!(matches!(socket.next().await, Some(SocketEvent::Message(_))));
    connection.receive(more(), 1).unwrap();
    // A client of another transport.
    let visit = hub
        .open(&open_packet(1, 2), &[], &Caller::default())
        .unwrap();
    let hold = ConnectionMode::Exchange {
        hold: Duration::from_secs(20),
    };
    let (_poll, _) = visit
        .attach(Offset::new(0), Vec::new(), Transport::Poll, hold)
        .unwrap();
    let Some(SocketEvent::Attachment(now)) = socket.next().await else {
        panic!("messages first")
    };
    assert_eq!(now.transport(), Some(Transport::Poll));
    assert!(matches!(socket.next().await, Some(SocketEvent::Message(_))));
}

/// Counts by its references who may wake it.
struct Idle;

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_no_more_for_changes_is_not_kept() {
    let (hub, mut opened) = hub(Limits::default());
    let _connection = connect(&hub, 1);
    let socket = opened.recv().await.unwrap();
    let task = Arc::new(Idle);
    let waker = task.clone().into();
    let cx = &mut Context::from_waker(&waker);
    let kept = Arc::strong_count(&task);
    let mut two = [socket.attachment_changes(), socket.attachment_changes()];
    for changes in &mut two {
        let mut changes = Pin::new(changes);
        assert!(changes.as_mut().poll_next(cx).is_ready(), "what it is now");
        for _ in 0..3 {
            assert!(changes.as_mut().poll_next(cx).is_pending());
        }
    }
    assert_eq!(Arc::strong_count(&task), kept + 2);
    let [one, other] = two;
    drop(one);
    assert_eq!(Arc::strong_count(&task), kept + 1, "the other still waits");
    drop(other);
    assert_eq!(Arc::strong_count(&task), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_hear_in_one_order_what_is_published_at_once() {
    const EACH: usize = 300;
    let (hub, mut opened) = hub(Limits::default());
    let (mut connections, mut sockets) = (Vec::new(), Vec::new());
    for key in 0..6 {
        connections.push(connect(&hub, key));
        let socket = opened.recv().await.unwrap();
        socket.subscribe("one");
        socket.subscribe("two");
        sockets.push(socket);
    }
    let mut publishers = tokio::task::JoinSet::new();
    for name in ["a", "b", "c"] {
        let hub = hub.clone();
        publishers.spawn(async move {
            for number in 0..EACH {
                let message = format!("{name}{number}");
                match name {
                    "a" => drop(hub.publish("one", message)),
                    "b" => {
                        let audience = hub.audience().topic("two").topic("one");
                        assert_eq!(audience.publish(message).await.sessions, 6);
                    }
                    _ => {
                        let audience = hub.audience().topic("one");
                        assert_eq!(audience.publish(message).await.sessions, 6);
                    }
                }
            }
        });
    }
    publishers.join_all().await;
    let mut first = None;
    for connection in &connections {
        let (heard, _) = transmit(connection).await;
        assert_eq!(heard.len(), 3 * EACH);
        assert_eq!(*first.get_or_insert_with(|| heard.clone()), heard);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_hub_is_gone_its_apps_are_told() {
    let (hub, mut opened) = hub(Limits::default());
    let connection = connect(&hub, 1);
    let mut socket = opened.recv().await.unwrap();
    drop(connection);
    let waiting = tokio::spawn(async move {
        assert_eq!(socket.recv().await, None);
        socket.close_reason().cloned()
    });
    tokio::task::yield_now().await;
    drop(hub);
    assert_eq!(waiting.await.unwrap().unwrap().code, CloseCode::GOING_AWAY);
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_is_woken_by_the_wheel_to_pad_and_to_end() {
    let (hub, _opened) = hub(Limits::default());
    let visit = hub
        .open(&open_packet(1, 1), &[], &Caller::default())
        .unwrap();
    let (stream, _) = visit
        .attach(
            Offset::new(0),
            Vec::new(),
            Transport::Stream,
            ConnectionMode::Stream,
        )
        .unwrap();
    let begin = tokio::time::Instant::now();
    let mut said = Vec::new();
    let end = poll_fn(|cx| {
        stream.poll_transmit(cx, |outgoing| {
            said.push((begin.elapsed().as_secs(), format!("{outgoing:?}")));
            Flow::Continue
        })
    })
    .await;
    assert_eq!((end, begin.elapsed().as_secs()), (End::Finished, 55));
    let padding = |at: u64| (at, "Packet(Padding(0))".to_owned());
    assert_eq!(said[1..], [padding(15), padding(30), padding(45)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_an_ended_session_does_not_touch_its_successors_topics() {
    let (hub, mut opened) = hub(Limits::default());
    let first = connect(&hub, 1);
    let ended = opened.recv().await.unwrap().sender();
    first
        .receive([Packet::Close(CloseCode::NORMAL.into())].into_iter(), 1)
        .unwrap();
    transmit(&first).await;
    // The key is forgotten, and means another session now, of the same id.
    tokio::time::sleep(Duration::from_secs(32)).await;
    let second = connect(&hub, 1);
    let socket = opened.recv().await.unwrap();
    assert_eq!(ended.id(), socket.sender().id());
    socket.subscribe("news");
    ended.subscribe("news");
    ended.unsubscribe("news");
    ended.subscribe("other");
    assert_eq!((hub.followers("news"), hub.followers("other")), (1, 0));
    assert_eq!(hub.publish("news", "to the one that lives"), 1);
    let message = Packet::Message("to the one that lives".into());
    assert_eq!(transmit(&second).await.0, [message]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_neither_waits_for_nor_counts_what_ended_before() {
    let (hub, mut opened) = hub(Limits::default());
    let aborted = connect(&hub, 1);
    let socket = opened.recv().await.unwrap();
    aborted.violate(ProtocolError::new(CloseCode::PROTOCOL_ERROR, ""));
    // Its client is not there to be told.
    drop((aborted, socket));
    let begin = tokio::time::Instant::now();
    assert_eq!(hub.drain(Duration::from_secs(5)).await, 0);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(hub.metrics().sessions, 1, "the client is told if it comes");
}

#[tokio::test(start_paused = true)]
async fn a_drain_counts_what_it_aborts_and_keeps_the_apps_own_reason() {
    let (hub, mut opened) = hub(Limits::default());
    let silent: Vec<_> = (1..=3).map(|key| connect(&hub, key)).collect();
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(opened.recv().await.unwrap());
    }
    let own = CloseReason::new(CloseCode::from_u16(4_001), "the app's own");
    sockets[0].sender().close(own.clone());
    // This one answers in time.
    let drain = tokio::spawn({
        let hub = hub.clone();
        async move { hub.drain(Duration::from_secs(5)).await }
    });
    tokio::task::yield_now().await;
    silent[2]
        .receive([Packet::Close(CloseCode::RESTART.into())].into_iter(), 1)
        .unwrap();
    assert_eq!(drain.await.unwrap(), 2);
    for (index, expected) in [(0, own.clone()), (1, CloseCode::RESTART.into())] {
        let told = transmit(&silent[index]).await.0;
        let Some(Packet::Close(reason)) = told.last() else {
            panic!("{told:?}")
        };
        assert_eq!(reason.code, expected.code);
        assert_eq!(sockets[index].recv().await, None);
        assert_eq!(
            sockets[index].close_reason().map(|reason| reason.code),
            Some(expected.code)
        );
    }
}

/// A cluster without other nodes.
#[derive(Debug)]
struct Alone;

impl Nodes for Alone {
    fn enter<'a>(self: Arc<Self>, _: SessionId, entry: Entry, _: &'a Caller) -> Placing<'a> {
        Box::pin(async { Ok(Place::Here(entry)) })
    }

    fn is_by_grant(&self, _: SessionId) -> Answering<'_> {
        Box::pin(async { false })
    }

    fn ended(&self, _: SessionId) {}

    fn not_begun(&self, _: SessionId) {}

    fn publish(&self, _: &str, _: Message) {}

    fn reach(self: Arc<Self>, _: Whom, _: Deed) -> Reaching {
        Box::pin(async { Reached::default() })
    }

    fn follow(&self, _: &str) {}

    fn unfollow(&self, _: &str) {}
}

/// When each of so many clients hears of a drain that may take 10 s, in milliseconds. They answer at once.
async fn hear_of_a_drain(hub: &Hub, count: u32) -> Vec<u64> {
    let mut heard = tokio::task::JoinSet::new();
    let begin = tokio::time::Instant::now();
    for number in 0..count {
        let mut open = open_packet(0, 1);
        open.key = OpeningKey::from_bytes(u128::from(number).to_be_bytes());
        let visit = hub.open(&open, &[], &Caller::default()).unwrap();
        let (transport, mode) = (Transport::WebSocket, ConnectionMode::Duplex);
        let (connection, _) = visit
            .attach(Offset::new(0), Vec::new(), transport, mode)
            .unwrap();
        heard.spawn(async move {
            let mut told = None;
            poll_fn(|cx| {
                let end = connection.poll_transmit(cx, |outgoing| {
                    if let Outgoing::Packet(Packet::Close(_)) = outgoing {
                        told = Some(begin.elapsed());
                    }
                    Flow::Continue
                });
                match (end, told) {
                    (Poll::Pending, None) => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
            .await;
            let close = Packet::Close(CloseCode::RESTART.into());
            connection.receive([close].into_iter(), 1).unwrap();
            told.unwrap().as_millis() as u64
        });
    }
    assert_eq!(hub.drain(Duration::from_secs(10)).await, 0);
    heard.join_all().await
}

#[tokio::test(start_paused = true)]
async fn in_a_cluster_a_drain_is_spread_over_what_its_sessions_need() {
    let (alone, _sockets) = hub(Limits::default());
    assert_eq!(hear_of_a_drain(&alone, 400).await, [0; 400]);
    for (count, last) in [(0, 0), (1, 0), (400, 1_995), (4_000, 7_998)] {
        let (hub, _sockets) = hub(Limits::default());
        hub.join(Arc::new(Alone), &[[7; 32]]);
        let begin = tokio::time::Instant::now();
        let mut heard = hear_of_a_drain(&hub, count).await;
        let took = begin.elapsed().as_millis() as u64;
        assert!(took <= last + 5, "{took} ms for {count}");
        heard.sort_unstable();
        assert_eq!(heard.last().copied().unwrap_or_default(), last);
        let each = last.checked_div(u64::from(count)).unwrap_or_default();
        for (turn, heard) in (0..).zip(heard) {
            assert!(
                heard.abs_diff(turn * last / u64::from(count)) <= each + 2,
                "{heard} ms"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn raw_sessions_do_not_make_a_hub_forget_the_keys_that_have_ended() {
    let (hub, mut opened) = hub(Limits::default().max_sessions(1));
    let first = connect(&hub, 1);
    opened.recv().await.unwrap();
    first
        .receive([Packet::Close(CloseCode::NORMAL.into())].into_iter(), 1)
        .unwrap();
    transmit(&first).await;
    for _ in 0..2_000 {
        drop(hub.open_raw("", &Caller::default()).unwrap());
        opened.recv().await.unwrap();
    }
    let again = hub
        .open(&open_packet(1, 2), &[], &Caller::default())
        .err()
        .unwrap();
    assert_eq!(again.reason().code, CloseCode::UNKNOWN_SESSION);
}

/// What is dropped last may be the hub or a socket, on whatever thread: a session's own step must not end the hub.
#[test]
fn a_hub_and_its_sockets_are_dropped_in_any_order() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.unwrap();
        for round in 0..20_000_u32 {
            let (hub, socket) = runtime.block_on(async {
                let (hub, mut opened) = hub(Limits::default());
                drop(connect(&hub, 1));
                (hub, opened.recv().await.unwrap())
            });
            let other = std::thread::spawn(move || {
                (0..round % 64).for_each(|_| std::hint::spin_loop());
                drop(hub);
            });
            drop(socket);
            other.join().unwrap();
        }
        done.send(()).unwrap();
    });
    let deadline = Duration::from_secs(60);
    is_done
        .recv_timeout(deadline)
        .expect("nothing waits for itself");
}
