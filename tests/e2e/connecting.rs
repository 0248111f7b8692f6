//! How many round trips the browser client needs from its start to the first echo. The proxy delays what is said, not
//! how TCP connects, so one round trip is to be added for that.

use std::time::Duration;

use anywire::Config;
use serde_json::json;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn connecting_takes_no_round_trip_more_than_it_must() {
    println!("round trip, transport: milliseconds to the first echo");
    for round_trip in [0, 20, 100, 400].map(Duration::from_millis) {
        for (transport, round_trips) in [("websocket", 2), ("poll", 1)] {
            let faults = format!("delay={}ms", round_trip.as_millis() / 2);
            let stage = Stage::start(Config::new(), "none", None).await;
            stage.proxy.set(anywire_fault_proxy::Faults::of(&faults));
            stage.proxy.kill_connections();
            let took = to_first_echo(&stage, transport).await;
            println!("{round_trip:?}, {transport}: {took:?}");
            assert_eq!(stage.server.seen.opened(), 1, "one session");
            // On a long way a round trip more would show, however busy the machine is.
            if round_trip >= Duration::from_millis(400) {
                let one_more = round_trip * (round_trips + 1);
                assert!(took < one_more, "{transport}: {took:?}");
            }
        }
    }
}

/// Over HTTP, open, first message and its echo share one exchange. A WebSocket in a browser sends once it is open.
async fn to_first_echo(stage: &Stage, transport: &str) -> Duration {
    let options = json!({ "transports": [transport] });
    let script = format!(
        "new Promise((resolve, reject) => {{
            const options = {options};
            if ('{transport}' !== 'websocket') options.first = ['hello'];
            const began = performance.now();
            const socket = new Anywire('/anywire', [], options);
            socket.onopen = () => {{ if (!options.first) socket.send('hello'); }};
            socket.onmessage = () => resolve(performance.now() - began);
            socket.onclose = ({{ code, reason }}) => reject(Error(code + ' ' + reason));
        }})"
    );
    let ms = stage.evaluate(&script).await.as_f64();
    Duration::from_secs_f64(ms.expect("a number of milliseconds") / 1_000.0)
}
