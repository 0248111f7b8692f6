'use strict';
// What the ladder's rungs use of a browser, on a network that does what a test says: requests whose
// answers grow, event sources, script tags and forms.

const { decodePayload, encodeText } = require('./internals.js');

/** Packets as a payload in the text encoding. */
const payload = (...packets) => encodeText(packets.map(([letter, content]) => ({ letter, content })));
const PRELUDE = payload(['-', '.'.repeat(2040)]);

/**
 * A scene's XMLHttpRequest with streams: requests to `/stream` are kept in `streams`, and a test
 * lets their answers grow. `how` may say 'throws' (as IE: no text until the end) or 'without
 * progress' (as KHTML).
 */
function withStreams(network, how = '') {
  const streams = [];
  class Request extends network.XMLHttpRequest {
    constructor() {
      super();
      this.text = '';
      if (how !== 'without progress') {
        this.onprogress = null;
      }
    }

    send(body) {
      if (!/\/stream/.test(this.url)) {
        super.send(body);
        return;
      }
      this.body = body;
      this.packets = decodePayload(body);
      streams.push(this);
    }

    get responseText() {
      if (how === 'throws' && this.readyState < 4) {
        throw new Error('not yet');
      }
      return this.text;
    }

    set responseText(text) {
      this.text = text;
    }

    grow(text) {
      Object.assign(this, { readyState: 3, status: 200, text: this.text + text });
      this.onreadystatechange?.();
    }

    finishStream(text = '', status = 200) {
      Object.assign(this, { readyState: 4, status, text: this.text + text });
      this.onreadystatechange?.();
    }
  }
  return { streams, Request };
}

module.exports = { payload, PRELUDE, withStreams };
