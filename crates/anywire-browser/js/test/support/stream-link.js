// What the server of the tests says on one stream (PROTOCOL §13): padding, messages as they come,
// and its end.

import { encodePayload } from './packets.js';

const PRELUDE = '.'.repeat(2040);

class StreamLink {
  /** `line` has `write(text)` and `end()`. */
  constructor(server, session, { generation, received }, line) {
    Object.assign(this, { name: 'stream', server, session, line, next: session.placeFor(received), written: 0 });
    this.say('-', PRELUDE);
    this.say('a', session.progress);
    this.age = server.clock.setTimeout(() => this.end(), server.limits.streamMs);
    session.attach(this, generation);
    this.sayRenewal();
    this.transmit();
  }

  say(letter, content) {
    const { clock, limits } = this.server;
    const text = encodePayload([{ letter, content }]);
    this.written += text.length;
    this.line.write(text);
    clock.clearTimeout(this.quiet);
    this.quiet = clock.setTimeout(() => this.pad(), limits.paddingMs);
  }

  sayRenewal() {
    if (this.session.renewal) {
      this.say('k', this.session.takeRenewal());
    }
  }

  pad() {
    this.say('-', '');
  }

  transmit() {
    const { session } = this;
    const skips = this.next[0] < session.first;
    this.next = skips ? session.placeFor(0) : this.next;
    while (this.next[0] < session.end && !this.isEnded) {
      if (skips || !this.hasOffset || this.line.isEvents) {
        this.hasOffset = true;
        this.say('n', `${this.next[0]}${this.next[1] ? ` ${this.next[1]}` : ''}`);
      }
      const { letter, content } = session.piece(this.next, Infinity);
      this.say(letter, content);
      // It does not end inside a message.
      if (!this.next[1] && this.written > this.server.limits.maxStreamBytes) {
        this.end();
      }
    }
    if (session.closing && !this.isEnded) {
      const { code, reason } = session.closing;
      this.say('c', reason ? `${code} ${reason}` : `${code}`);
      this.end();
    }
  }

  supersede() {
    this.say('s', '');
    this.end();
  }

  /** Nothing more comes; what was written goes on its way. */
  end() {
    this.onclose();
    this.line.end();
  }

  /** The connection has ended. */
  onclose() {
    this.isEnded = true;
    this.server.clock.clearTimeout(this.quiet);
    this.server.clock.clearTimeout(this.age);
    this.session.detach(this);
  }
}

export { StreamLink };
