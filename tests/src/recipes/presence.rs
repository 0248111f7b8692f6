//! Is it here, by callbacks.

use anywire::{Attachment, CloseReason, Handler, Message, Principal, Sender};

/// Tells who comes and goes.
pub struct Room;

impl Handler for Room {
    /// The name that the others see.
    type State = String;

    fn on_open(&self, sender: &Sender) -> String {
        let name = sender.principal().map_or("somebody", Principal::name);
        sender.subscribe("room");
        sender.publish("room", format!("{name} is here"));
        name.to_owned()
    }

    fn on_message(&self, name: &mut String, sender: &Sender, message: Message) {
        let text = message.as_text().unwrap_or("bytes");
        sender.publish("room", format!("{name}: {text}"));
    }

    fn on_attachment(&self, name: &mut String, sender: &Sender, now: &Attachment) {
        let what = if now.is_attached() {
            "is back"
        } else {
            "is away"
        };
        sender.publish("room", format!("{name} {what}"));
    }

    fn on_close(&self, name: String, sender: &Sender, _: &CloseReason) {
        sender.publish("room", format!("{name} has left"));
    }
}
