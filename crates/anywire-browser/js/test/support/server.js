// A small server of the protocol, in memory. It knows connections only as functions, and it is
// strict: whatever the client does against PROTOCOL.md ends up in `errors`.

import { decodeFrame, decodePayload, encodeFrame, encodePayload, veil } from './packets.js';
import { StreamLink } from './stream-link.js';

const closeContent = ({ code, reason }) => (reason ? `${code} ${reason}` : `${code}`);
const placeContent = ([offset, bytes]) => (bytes ? `${offset} ${bytes}` : `${offset}`);
const MAX_UNACKED_BYTES = 131072;
const hex = (number) => number.toString(16).padStart(32, '0');

const LIMITS = {
  maxMessageBytes: 1048576, maxPayloadBytes: 2097152, maxPartBytes: 65536, maxPingBytes: 32768, windowMessages: 1024,
  windowBytes: 1048576, heartbeatMs: 25000, heartbeatTimeoutMs: 8000, ackDelayMs: 1000,
  holdMs: 25000, paddingMs: 15000, streamMs: 55000, maxStreamBytes: 131072, resumeWindowMs: 120000, openWindowMs: 30000, closeTimeoutMs: 10000,
};

class Server {
  constructor(clock, options = {}) {
    this.clock = clock;
    // A server announces every one of them (PROTOCOL §7).
    this.limits = { ...LIMITS, ...options.limits };
    this.protocol = options.protocol;
    this.can = options.can || ['part', 'veil', 'leave', 'credential'];
    // What opens and credential packets said: { how, credential }.
    this.credentials = [];
    // A code that refuses a credential (undefined in an open without one), 'later' to say nothing yet, or nothing.
    this.judge = options.judge || (() => undefined);
    // How much of the messages an answer has at most, and a part down.
    this.answerBytes = options.answerBytes || Infinity;
    this.cut = options.cut || (() => Infinity);
    this.sessions = [];
    this.errors = [];
    this.heartbeats = options.heartbeats !== false;
    this.refuse = null;
  }

  get session() {
    return this.sessions[this.sessions.length - 1];
  }

  open({ version = 1, key, generation, holdMs = 0, protocols = [], can = [], credential }, how) {
    if (version !== 1 || !/^[0-9a-f]{32}$/.test(key) || !(generation >= 1) || !(holdMs >= 0) ||
        !Array.isArray(protocols)) {
      this.errors.push(`open: ${[version, key, generation, holdMs, protocols]}`);
    }
    let session = this.sessions.find((other) => other.key === key);
    if (credential !== undefined || !session) {
      this.credentials.push({ how, credential });
      const code = this.judge(credential);
      if (code) {
        return { code };
      }
    }
    if (!session) {
      const number = this.sessions.length + 1;
      session = new Session(this, key, hex(number), hex(number + 1000));
      session.protocol = protocols.includes(this.protocol) ? this.protocol : '';
      session.can = can.filter((name) => this.can.includes(name));
      session.credential = credential;
      this.sessions.push(session);
      this.onsession?.(session);
    }
    return { session, generation, received: 0 };
  }

  attach(content) {
    const match = /^([0-9a-f]{32}) ([0-9a-f]{32}) ([1-9]\d*) (\d+)(?: (\d+))?$/.exec(content);
    if (!match) {
      this.errors.push(`attach: ${content}`);
      return {};
    }
    const session = this.sessions.find(
      (other) => other.id === match[1] && other.secret === match[2]);
    return {
      session: session && !session.ended ? session : undefined,
      generation: +match[3],
      received: +match[4],
      holdMs: match[5] === undefined ? undefined : +match[5],
    };
  }

  /** A WebSocket has come. `connection` has `send(frame)` and `close(code)`. */
  websocket(protocols, connection) {
    if (protocols[0] !== 'anywire.v1') {
      this.errors.push(`sub-protocols: ${protocols}`);
    }
    const link = new WebSocketLink(this, connection);
    const offer = /^anywire\.open\.([0-9a-f]{32})\.([1-9]\d*)$/.exec(protocols[1] || '');
    if (offer) {
      const can = /^anywire\.can\.(.+)$/.exec(protocols[2] || '');
      const credential = /^anywire\.credential\.([\w-]+)$/.exec(protocols[3] || '');
      link.attach(this.open({
        key: offer[1], generation: +offer[2], can: can ? can[1].split('.') : [],
        protocols: protocols.slice(credential ? 4 : can ? 3 : 2),
        credential: credential ? Buffer.from(credential[1], 'base64url').toString() : undefined,
      }, 'websocket'));
    }
    return link;
  }

  /** A request for a stream has come. `line` has `write(text)`, `end()` and `refuse(status)`. */
  stream(body, line) {
    const packets = decodePayload(body);
    const request = this.attach(packets[0].content);
    if (!/^xa?r*k?$/.test(packets.map(({ letter }) => letter).join('')) || request.holdMs !== undefined) {
      this.errors.push(`stream: ${packets.map(({ letter }) => letter).join('')}`);
    }
    const { session } = request;
    if (!session || session.ended || session.isBehind(request.generation, true)) {
      line.refuse(session ? 409 : 404);
      return null;
    }
    session.ackWhole(request.received);
    session.take(packets.slice(1), request.generation);
    return new StreamLink(this, session, request, line);
  }

  /** A request has come. `reply(status, body, headers)` answers it. */
  poll(contentType, body, reply) {
    const binary = contentType === 'application/octet-stream';
    if (this.refuse) {
      const { status, code, headers } = this.refuse;
      const body = JSON.stringify({ code, error: 'refused', message: 'for a test' });
      return reply(status, body, headers);
    }
    const fail = (status, code) =>
      reply(status, JSON.stringify({ code, error: 'error', message: `code ${code}` }));
    const packets = decodePayload(body);
    const letters = packets.map((packet) => packet.letter).join('');
    if (packets.some(({ letter, content }) =>
      letter === 'p' && content.length > this.limits.maxPingBytes)) {
      return fail(413, 4964);
    }
    if (!/^[ox]a?r*k?-?p?(n[tbTB]+)?c?l?$/.test(letters) || /^o.*k/.test(letters) || packets.length > 1024) {
      this.errors.push(`request: ${letters}`);
      return fail(400, 4960);
    }
    const isOpen = letters[0] === 'o';
    const ping = packets.find(({ letter }) => letter === 'p');
    const open = isOpen && JSON.parse(packets[0].content);
    const request = isOpen ?
      { ...this.open(open, 'exchange'), holdMs: open.holdMs } : this.attach(packets[0].content);
    const session = request.session;
    if (request.code) {
      return fail(request.code === 4969 ? 403 : 401, request.code);
    }
    if (!session || session.ended) {
      return fail(404, 4930);
    }
    if (session.isBehind(request.generation, request.holdMs !== undefined)) {
      return fail(409, 4900);
    }
    session.ackWhole(request.received);
    if (letters.includes('-')) {
      session.connection?.pad?.();
    }
    const holds = request.holdMs !== undefined;
    const exchange = {
      name: 'poll',
      transmit: () => {
        if (session.hasNews(request.received)) {
          exchange.answer(true);
        }
      },
      supersede: () => {
        clear();
        fail(409, 4900);
      },
      answer: (withMessages) => {
        clear();
        const answer = isOpen ? [{ letter: 'O', content: session.opened(request) }] : [];
        if (ping) {
          answer.push({ letter: 'q', content: ping.content });
        }
        answer.push({ letter: 'a', content: session.progress });
        if (session.renewal) {
          answer.push({ letter: 'k', content: session.takeRenewal() });
        }
        const place = session.placeFor(request.received);
        if (withMessages && place[0] < session.end) {
          answer.push({ letter: 'n', content: placeContent(place) });
          let left = this.answerBytes;
          for (let piece; left > 0 && (piece = session.piece(place, left)); left -= piece.bytes) {
            answer.push(piece);
          }
        }
        const close = session.closing;
        if (close && (withMessages ? place[0] === session.end : !session.rest(request.received).length)) {
          answer.push({ letter: 'c', content: closeContent(close) });
        }
        const isVeiled = /^v=/.test(body);
        if (isVeiled && !session.can.includes('veil')) {
          this.errors.push('a veil');
        }
        const payload = isVeiled ? veil(answer) : encodePayload(answer, binary);
        reply(200, /^b=/.test(body) ? payload.replace(/[%\0\r\n]/g, encodeURIComponent) : payload);
      },
    };
    let timer = null;
    const clear = () => {
      this.clock.clearTimeout(timer);
      session.detach(exchange);
    };
    if (holds) {
      session.attach(exchange, request.generation);
    }
    if (session.take(packets.slice(1), request.generation) === 'closed') {
      exchange.answer(holds);
      session.ended = true;
    } else if (!holds || (isOpen && !letters.includes('n')) || session.hasNews(request.received)) {
      exchange.answer(holds);
    } else {
      const holdMs = Math.min(request.holdMs, this.limits.holdMs);
      if (holdMs) {
        timer = this.clock.setTimeout(() => exchange.answer(true), holdMs);
      } else {
        exchange.answer(true);
      }
    }
  }
}

class WebSocketLink {
  constructor(server, connection) {
    Object.assign(this, { name: 'websocket', server, connection, session: null, down: [0, 0], unackedBytes: 0 });
  }

  send(letter, content) {
    this.connection.send(encodeFrame({ letter, content }));
  }

  attach(request) {
    const session = request.session;
    if (!session || session.ended || session.isBehind(request.generation, true)) {
      const code = request.code || (session && !session.ended ? 4900 : 4930);
      this.send('c', `${code} refused`);
      this.connection.close(code);
      return;
    }
    session.ack(request.received);
    this.session = session;
    this.down = [Math.max(request.received, session.first), 0];
    session.attach(this, request.generation);
    this.send('O', session.opened(request));
    this.up = [session.received, 0];
    this.heardAt = this.server.clock.now();
    this.heartbeat();
    this.sayRenewal();
    this.transmit();
  }

  heartbeat() {
    if (!this.server.heartbeats) {
      return;
    }
    this.timer = this.server.clock.setTimeout(() => {
      this.send('p', 'ping');
      this.heartbeat();
    }, this.server.limits.heartbeatMs);
  }

  transmit() {
    const session = this.session;
    for (let piece; (piece = session.piece(this.down, Infinity));) {
      if (piece.letter === 'B') {
        this.send('B', '');
      }
      this.send(piece.letter.replace('B', 'b'), piece.content);
    }
    if (session.closing && !this.isCloseSent) {
      this.isCloseSent = true;
      this.send('c', closeContent(session.closing));
    }
  }

  supersede() {
    this.send('s', '');
    this.end(4900);
  }

  onframe(frame) {
    let { letter, content } = decodeFrame(frame);
    const session = this.session;
    if (this.isPart && /[tTB]/.test(letter)) {
      this.server.errors.push(`frame ${letter} in place of a part`);
    }
    if (letter === 'B') {
      this.isPart = true;
      return;
    }
    if (this.isPart && letter === 'b') {
      this.isPart = false;
      letter = 'B';
    }
    if (this.isEnded) {
      // What was on the way when another connection took over. The client sends it there again.
    } else if (letter === 'p') {
      this.send('q', content);
    } else if (!session && letter === 'x') {
      this.attach(this.server.attach(content));
    } else if (!session || session.connection !== this) {
      this.server.errors.push(`frame ${letter} on a WebSocket that is not attached`);
    } else if (/[tb]/i.test(letter)) {
      session.takePiece(this.up, letter, content);
      this.unackedBytes += Buffer.from(content).length;
      if (this.unackedBytes >= MAX_UNACKED_BYTES) {
        this.unackedBytes = 0;
        this.send('a', session.progress);
      }
      this.acks = this.acks || this.server.clock.setTimeout(() => {
        this.acks = null;
        if (session.connection === this) {
          this.send('a', session.progress);
        }
      }, this.server.limits.ackDelayMs);
    } else if (letter === 'a') {
      session.ack(...content);
    } else if (letter === 'c') {
      if (!session.closing) {
        session.closedByClient(content);
        this.send('c', closeContent(content));
      }
      session.ended = true;
      this.end(session.closing.code);
    } else if (letter === 'r') {
      session.takeReport(content);
    } else if (letter === 'k') {
      session.takeCredential(content, 'websocket');
    } else if (letter === 'l') {
      session.leave(content);
      this.end(4901);
    } else if (letter !== 'q') {
      this.server.errors.push(`frame ${letter}`);
    }
  }

  sayRenewal() {
    if (this.session.renewal) {
      this.send('k', this.session.takeRenewal());
    }
  }

  end(code) {
    this.onclose();
    this.connection.close(code);
  }

  onclose() {
    this.isEnded = true;
    this.server.clock.clearTimeout(this.timer);
    this.session?.detach(this);
  }
}

class Session {
  constructor(server, key, id, secret) {
    Object.assign(this, {
      server, key, id, secret, generation: 0, connection: null, inbox: [], outbox: [], first: 0,
      partial: null, ackedBytes: 0, pieces: 0, room: Infinity, closing: null, ended: false, log: [], reports: [],
    });
  }

  /** Takes each number once (PROTOCOL §7.6). */
  takeReport(content) {
    const [number, ...words] = content.split(' ');
    if (!/^[1-9]\d* [a-z]+ [a-z]+ \d+ [a-z]+$/.test(content)) {
      this.server.errors.push(`report: ${content}`);
    } else if (+number > (this.lastReport || 0)) {
      this.lastReport = +number;
      this.reports.push(words.join(' '));
    }
  }

  get received() {
    return this.inbox.length;
  }

  /** The content of an ack of all that came. */
  get progress() {
    return placeContent([this.received, this.partial?.bytes.length]);
  }

  get canPart() {
    return this.can.includes('part');
  }

  get end() {
    return this.first + this.outbox.length;
  }

  opened({ generation, received }) {
    return JSON.stringify({
      version: 1, session: this.id, secret: this.secret, generation, received: this.received,
      first: Math.max(received, this.first), protocol: this.protocol, can: this.can, limits: this.server.limits,
      unknown: true,
    });
  }

  send(data) {
    this.outbox.push(typeof data === 'string' ?
      { letter: 't', content: data } : { letter: 'b', content: data });
    this.connection?.transmit();
  }

  close(code, reason = '') {
    this.closing = { code, reason };
    this.connection?.transmit();
  }

  closedByClient({ code, reason }) {
    this.closing = { code, reason };
    this.closedByPeer = true;
    // What the client has not received is dropped (PROTOCOL §8.1).
    this.first = this.end;
    this.outbox = [];
  }

  attach(connection, generation) {
    const previous = this.connection;
    this.generation = generation;
    this.left = null;
    this.connection = connection;
    this.log.push(connection.name);
    if (previous && previous !== connection) {
      previous.supersede();
    }
  }

  /** The page goes (PROTOCOL §8.8). */
  leave(content, generation = this.generation) {
    this.generation = this.leftGeneration = generation;
    if (!this.can.includes('leave') || !/^\d*$/.test(content)) {
      this.server.errors.push(`leave ${content}`);
    }
    this.left = content;
    this.leaves = [...(this.leaves || []), content];
    this.connection = null;
  }

  /** The grant runs out: says `k ask`, and again on each connection and in each answer until a credential packet comes. */
  ask(ms) {
    this.grantEnds = this.server.clock.now() + ms;
    this.sayRenewal(() => `ask ${this.grantEnds - this.server.clock.now()}`);
  }

  sayRenewal(renewal) {
    this.renewal = renewal;
    (this.connection?.sayRenewal || this.connection?.transmit)?.call(this.connection);
  }

  takeRenewal() {
    const content = this.renewal();
    this.renewal = content === 'ok' ? undefined : this.renewal;
    return content;
  }

  /** A credential packet (PROTOCOL §10.11). */
  takeCredential(credential, how) {
    this.server.credentials.push({ how, credential });
    this.renewal = undefined;
    if (!this.can.includes('credential') || !credential && how === 'websocket') {
      this.server.errors.push(`credential ${credential} by ${how}`);
    }
    const code = this.server.judge(credential);
    if (typeof code === 'number') {
      this.close(code, 'renewed by nobody');
    } else if (!code) {
      this.sayRenewal(() => 'ok');
    }
  }

  /** Whether a newer connection carries it, or the page has left since. */
  isBehind(generation, attaches) {
    return generation < this.generation ||
      attaches && typeof this.left === 'string' && generation === this.generation;
  }

  detach(connection) {
    if (this.connection === connection) {
      this.connection = null;
    }
  }

  ack(received, bytes = 0) {
    const next = this.outbox[received - this.first];
    if (received > this.end || received >= this.first && bytes > (next ? toBytes(next.content).length : 0)) {
      this.server.errors.push(`ack ${received} ${bytes} of ${this.end}`);
    }
    this.outbox.splice(0, received - this.first);
    this.first = Math.max(this.first, received);
    if (received >= this.first) {
      this.ackedBytes = bytes;
    }
  }

  /** What an attach says is nothing of bytes: those that were acknowledged last hold (PROTOCOL §4.11). */
  ackWhole(received) {
    this.ack(received, received === this.first ? this.ackedBytes : 0);
  }

  /** Where an exchange or a stream goes on for a client that says so much. */
  placeFor(received) {
    return received < this.first ? [this.first, 0] : [received, received === this.first ? this.ackedBytes : 0];
  }

  /** What goes down next at a place, which moves behind it. */
  piece(place, most) {
    const message = this.outbox[place[0] - this.first];
    if (!message) {
      return undefined;
    }
    const whole = toBytes(message.content);
    const limit = this.canPart ? Math.max(4, Math.min(most, this.server.limits.maxPartBytes, this.server.cut())) : Infinity;
    let end = Math.min(whole.length, place[1] + limit);
    const isPart = end < whole.length;
    if (isPart && message.letter === 'b') {
      end -= (end - place[1]) % 3;
    }
    while (isPart && message.letter === 't' && (whole[end] & 0xc0) === 0x80) {
      end--;
    }
    const bytes = whole.subarray(place[1], end);
    const isAll = bytes.length === whole.length;
    if (isPart) {
      place[1] = end;
    } else {
      place[0]++;
      place[1] = 0;
    }
    return {
      letter: isPart ? message.letter.toUpperCase() : message.letter, bytes: bytes.length,
      content: isAll ? message.content : message.letter === 't' ? bytes.toString() : new Uint8Array(bytes),
    };
  }

  rest(received) {
    return this.outbox.slice(Math.max(0, received - this.first));
  }

  hasNews(received) {
    return this.closing || this.renewal || this.rest(received).length > 0;
  }

  /** Takes the packets of a request that follow the first, as far as there is room. */
  take(packets, generation) {
    let outcome = 'open';
    let place = [0, 0];
    for (const { letter, content } of packets) {
      if (letter === 'n') {
        place = [...content];
      } else if (letter === 'a') {
        this.ack(...content);
      } else if (letter === 'r') {
        this.takeReport(content);
      } else if (letter === 'p' || letter === '-') {
        // Answered by the exchange, and by a stream if there is one.
      } else if (letter === 'k') {
        this.takeCredential(content, 'exchange');
      } else if (letter === 'l') {
        this.leave(content, generation);
      } else if (letter === 'c') {
        if (!this.closing) {
          this.closedByClient(content);
        }
        outcome = 'closed';
      } else if (place[0] === this.received && place[0] >= this.room) {
        return 'open';
      } else {
        this.takePiece(place, letter, content);
      }
    }
    return outcome;
  }

  /** A message, or a part of one, at a place, which moves behind it. */
  takePiece(place, letter, content) {
    const [offset, at] = place;
    const isPart = /[TB]/.test(letter);
    const kind = letter.toLowerCase();
    const bytes = toBytes(content);
    this.pieces++;
    place[1] += bytes.length;
    if (!isPart) {
      place[0]++;
      place[1] = 0;
    }
    if ((isPart || at || this.partial) && !this.canPart || isPart && bytes.length > this.server.limits.maxPartBytes ||
        isPart && kind === 'b' && bytes.length % 3) {
      this.server.errors.push(`part ${letter} of ${bytes.length} at ${offset} ${at}`);
    }
    if (offset !== this.received || !isPart && !this.partial && !at) {
      this.takeMessage(offset, letter, content);
      return;
    }
    const before = this.partial || { kind, bytes: Buffer.alloc(0) };
    const skip = before.bytes.length - at;
    if (skip < 0) {
      this.leftOut = (this.leftOut || 0) + 1;
      place[0] = -Infinity;
      return;
    }
    if (before.kind !== kind ||
        !before.bytes.subarray(at).subarray(0, bytes.length).equals(bytes.subarray(0, skip))) {
      this.server.errors.push(`part ${letter} at ${offset} ${at} that does not fit`);
    }
    this.partial = { kind, bytes: Buffer.concat([before.bytes, bytes.subarray(skip)]) };
    if (!isPart) {
      const whole = this.partial.bytes;
      this.partial = null;
      this.takeMessage(offset, kind, kind === 't' ? whole.toString() : new Uint8Array(whole));
    }
  }

  takeMessage(offset, letter, content) {
    if (offset > this.received) {
      this.server.errors.push(`gap: ${offset} after ${this.received}`);
    } else if (offset === this.received) {
      this.partial = null;
      this.inbox.push(content);
      this.onmessage?.(content);
    }
  }
}

function toBytes(content) {
  return Buffer.from(content);
}

export { Server };
