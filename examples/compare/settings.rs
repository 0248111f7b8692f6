//! What can be chosen while the lanes run, and how far. Who acts on it is left to the rooms that watch it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One setting for all lanes: they are compared under the same load and the same network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// How many events are made in a second, 1 to 100.
    pub events_per_second: u32,
    /// How long an event is, 64 to 4,096.
    pub size_bytes: usize,
    /// How many questions the client asks in a second, 1 to 20.
    pub questions_per_second: u32,
    /// How long an answer is, 64 to 65,536.
    pub answer_bytes: usize,
    /// How long the server thinks before it answers, 0 to 3,000.
    pub answer_ms: u64,
    /// How often short polling asks, 50 to 60,000.
    pub interval_ms: u64,
    /// What the relays add to each round trip, 0 to 1,000.
    pub added_rtt_ms: u64,
    /// How often the relays cut every connection, 0 to 60 times in a minute, at random moments.
    pub cuts_per_minute: u32,
    /// How many more clients each lane's server has, 0 to 50.
    pub extra_clients: usize,
    /// Whether the relays let no WebSocket through.
    pub websocket_broken: bool,
}

impl Settings {
    /// The same within the bounds: a page may ask for anything.
    pub fn bounded(self) -> Self {
        Self {
            events_per_second: self.events_per_second.clamp(1, 100),
            size_bytes: self.size_bytes.clamp(64, 4_096),
            questions_per_second: self.questions_per_second.clamp(1, 20),
            answer_bytes: self.answer_bytes.clamp(64, 65_536),
            answer_ms: self.answer_ms.min(3_000),
            interval_ms: self.interval_ms.clamp(50, 60_000),
            added_rtt_ms: self.added_rtt_ms.min(1_000),
            cuts_per_minute: self.cuts_per_minute.min(60),
            extra_clients: self.extra_clients.min(50),
            websocket_broken: self.websocket_broken,
        }
    }

    /// The same with what a page names; what it names wrongly is left as it is.
    pub fn with(self, named: Map<String, Value>) -> Self {
        let with = |settings: Self, (name, value)| {
            let Ok(Value::Object(mut all)) = serde_json::to_value(settings) else {
                return settings;
            };
            all.insert(name, value);
            serde_json::from_value(all.into()).unwrap_or(settings)
        };
        named.into_iter().fold(self, with)
    }

    /// The pause between two events.
    pub fn event_period(&self) -> Duration {
        Duration::from_secs(1) / self.events_per_second.max(1)
    }

    /// The pause between two short polls.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// What a byte is delayed on its way through a relay, either way.
    pub fn one_way_delay(&self) -> Duration {
        Duration::from_millis(self.added_rtt_ms) / 2
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            events_per_second: 4,
            size_bytes: 128,
            questions_per_second: 2,
            answer_bytes: 128,
            answer_ms: 0,
            interval_ms: 1_000,
            added_rtt_ms: 40,
            cuts_per_minute: 0,
            extra_clients: 0,
            websocket_broken: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_asks_for_is_bounded() {
        let text = r#"{"eventsPerSecond":4000000000,"sizeBytes":0,"extraClients":9999}"#;
        let asked: Settings = serde_json::from_str(text).expect("it is well formed");
        let bounded = asked.bounded();
        assert_eq!(bounded.events_per_second, 100);
        assert_eq!(bounded.size_bytes, 64);
        assert_eq!(bounded.extra_clients, 50);
        assert_eq!(bounded.interval_ms, Settings::default().interval_ms);
    }

    #[test]
    fn an_address_names_what_is_not_as_it_begins() {
        let text = r#"{"answerMs":40,"sizeBytes":"many","nothing":1,"websocketBroken":true}"#;
        let named =
            Settings::default().with(serde_json::from_str(text).expect("it is well formed"));
        let expected = Settings {
            answer_ms: 40,
            websocket_broken: true,
            ..Settings::default()
        };
        assert_eq!(named, expected);
    }
}
