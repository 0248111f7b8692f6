//! What a client makes of what comes on its legs.

use anywire_protocol::{
    AttachError, CloseCode, CloseReason, ConnectionMode, Disposition, Fence, Generation, Opened,
    Packet,
};

use super::{Client, now};
use crate::simulation::door::Down;
use crate::simulation::leg::{Heard, LegId};

impl Client {
    pub(super) fn hear(&mut self, leg: LegId, heard: Heard) {
        if self.duplex.contains_key(&leg) {
            match heard {
                Heard::Said(Down::Packets(packets)) => {
                    for packet in packets {
                        self.hear_duplex(leg, packet);
                    }
                }
                Heard::Said(Down::Refused(reason)) => {
                    self.drop_duplex(leg);
                    self.hear_refusal(&reason);
                }
                Heard::Gone => {
                    self.drop_duplex(leg);
                    self.retry_later();
                }
            }
        } else if let Some(generation) = self.requests.remove(&leg) {
            self.hear_answer(leg, generation, heard);
        }
    }

    fn hear_duplex(&mut self, leg: LegId, packet: Packet) {
        let attached = match self.duplex.get(&leg) {
            Some(duplex) => duplex.attached,
            None => return,
        };
        match (packet, attached) {
            (Packet::Opened(opened), None) => {
                self.opened(&opened);
                let Opened {
                    generation,
                    received,
                    first,
                    ..
                } = *opened;
                let mode = ConnectionMode::Duplex;
                match self
                    .session
                    .handle_attach(generation, received, mode, now())
                {
                    Ok(at) => {
                        self.session.seek(first, now());
                        self.polling = None;
                        if let Some(duplex) = self.duplex.get_mut(&leg) {
                            duplex.attached = Some(at.id);
                        }
                    }
                    Err(_) => self.drop_duplex(leg),
                }
            }
            (packet, Some(id)) => self.take(Fence::Connection(id), packet),
            (packet, None) => {
                let text = format!("client {}: {packet:?} before opened", self.number);
                self.ledger.wrong(text);
            }
        }
    }

    fn hear_answer(&mut self, leg: LegId, generation: Generation, heard: Heard) {
        let is_current = self.polling == Some(generation);
        let is_poll = self.poll == Some(leg);
        if is_poll {
            self.poll = None;
        }
        let was_sending = self.sending == Some(leg);
        if was_sending {
            self.sending = None;
        }
        match heard {
            Heard::Said(Down::Packets(packets)) => {
                for packet in packets {
                    match packet {
                        Packet::Opened(opened) => self.opened(&opened),
                        packet => self.take(Fence::Generation(generation), packet),
                    }
                }
                return;
            }
            Heard::Said(Down::Refused(reason)) if reason.code == CloseCode::SUPERSEDED => {
                if is_current && is_poll {
                    self.start_polling();
                }
            }
            Heard::Said(Down::Refused(reason)) => self.hear_refusal(&reason),
            Heard::Gone => self.retry_later(),
        }
        if was_sending {
            self.session.handle_close_lost();
        }
    }

    fn hear_refusal(&mut self, reason: &CloseReason) {
        match reason.code.disposition() {
            Disposition::Retry => self.retry_later(),
            _ => self.told(reason),
        }
    }

    fn opened(&mut self, opened: &Opened) {
        self.identity = Some((opened.session, opened.secret));
        self.ledger
            .client(self.number, |client| client.has_opened = true);
    }

    fn take(&mut self, fence: Fence, packet: Packet) {
        match self.session.handle_packet(fence, packet, now()) {
            Ok(()) | Err(AttachError::Superseded) => {}
            Err(error) => {
                let text = format!("client {}: a node breaks a rule: {error}", self.number);
                self.ledger.wrong(text);
            }
        }
    }
}
