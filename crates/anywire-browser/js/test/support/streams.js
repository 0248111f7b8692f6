// What streams use of a browser, on a network that does what a test says: requests whose
// answers grow, event sources, script tags and forms.

import { decodePayload, encodePayload } from './packets.js';

/** Packets as a payload in the text encoding. */
const payload = (...packets) => encodePayload(packets.map(([letter, content]) => ({ letter, content })));
const PRELUDE = payload(['-', '.'.repeat(2040)]);
const PADDING = payload(['-', '']);

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
      if (how === 'without progress') {
        delete this.onprogress;
      }
    }

    send(body) {
      if (!/\/stream/.test(this.url)) {
        super.send(body);
        answerQuestion(decodePayload(body));
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

    /** A test may replace it. */
    answer() {
      this.grow(PADDING);
    }

    finishStream(text = '', status = 200) {
      Object.assign(this, { readyState: 4, status, text: this.text + text });
      this.onreadystatechange?.();
    }
  }
  // Padding in an exchange asks for padding on the stream (PROTOCOL §13.9).
  function answerQuestion(packets) {
    const stream = streams.findLast(({ readyState, isAborted }) => readyState === 3 && !isAborted);
    if (packets.some(({ letter }) => letter === '-')) {
      stream?.answer();
    }
  }
  return { streams, Request };
}

/** A scene's EventSource, over what its server says on a stream: each packet is an event, with the offset before it. */
function withEvents({ plan }, clock, server) {
  return class {
    constructor(url) {
      const offer = decodeURIComponent(/anywire\.offer=([^&]*)/.exec(url)[1]).split(',')[1];
      const attach = offer.replace(/^anywire\.attach\./, '').replaceAll('.', ' ');
      let last = 0;
      let offset = '';
      const later = (callback) => {
        last = Math.max(last, clock.now() + plan.latency());
        clock.setTimeout(() => !this.isClosed && callback(), last - clock.now());
      };
      const line = {
        isEvents: true,
        write: (text) => {
          if (/^\d+:n/.test(text)) {
            offset = text;
            return;
          }
          const data = (offset + text).replace(/[%\0\r\n]/g, encodeURIComponent);
          offset = '';
          later(() => this.onmessage({ data }));
        },
        end: () => later(() => this.onerror()),
        refuse: () => later(() => this.onerror()),
      };
      later(() => {
        this.link = server.stream(payload(['x', attach]), line);
      });
      const fate = `${plan.stream()}`.split(' ');
      if (fate[0] === 'dies') {
        clock.setTimeout(() => !this.isClosed && this.onerror(), +fate[1]);
      }
    }

    close() {
      this.isClosed = true;
      this.link?.onclose();
    }
  };
}

export { payload, PRELUDE, PADDING, withEvents, withStreams };
