// The shapes that the sources share. Only the type checker reads this file; nothing of it is built.

interface Packet {
  letter: string;
  /** Text, or the bytes of a binary message. */
  content: any;
}

/** An error that ends the session, or the exchange that it came in, with a code of PROTOCOL §8.3. */
interface Fault extends Error {
  code: number;
}

interface Clock {
  /** Milliseconds that never go backwards. */
  now(): number;
  setTimeout(callback: () => void, ms: number): any;
  clearTimeout(id: any): void;
}

interface Timer {
  /** Fire once after `ms`, instead of any earlier arrangement. */
  set(ms: number): void;
  /** Fire once, at `time` or before it. */
  by(time: number): void;
  stop(): void;
  isRunning(): boolean;
}

interface Close {
  code: number;
  reason: string;
  wasClean?: boolean;
  /** The peer does not know of it yet: a leg that can must tell it. */
  tell?: boolean;
}

interface Message {
  letter: string;
  content: any;
  /** Bytes of its content; UTF-8 bytes of a text. */
  size: number;
}

interface Outbox {
  /** The offset of the first message that is kept. */
  first: number;
  /** The offset of the next message that the application will send. */
  end: number;
  bytes: number;
  /** Bytes of all messages that were acknowledged. */
  gone: number;
  push(message: Message): void;
  /** Forget what the peer has received, up to this offset. Returns whether that was news. */
  ack(received: number): boolean;
  /** The message at an offset, which counts as sent from now on. */
  take(offset: number): Message;
  /** The messages from the first on that fit, which count as sent from now on. At least one. */
  batch(maxBytes: number, maxCount: number): Message[];
}

/** Those limits of PROTOCOL §7 that a client needs. */
interface Limits {
  maxMessageBytes: number;
  maxPayloadBytes: number;
  windowMessages: number;
  windowBytes: number;
  heartbeatMs: number;
  heartbeatTimeoutMs: number;
  ackDelayMs: number;
  holdMs: number;
  resumeWindowMs: number;
  closeTimeoutMs: number;
  [name: string]: number;
}

interface SessionHandlers {
  /** What the application gets for these bytes. May throw, where the browser does. */
  toData(bytes: any): any;
  onmessage(data: any): void;
  /** The outbox lost or won something. */
  onbuffer(): void;
  /** There is something to send. */
  ontransmit(): void;
  /** The session has ended. Called once, last. */
  onend(close: Close): void;
}

interface Session {
  /** The opening key, PROTOCOL §2.2. */
  readonly key: string;
  /** The application's sub-protocols. */
  readonly protocols: string[];
  /** Empty until the server has opened the session. */
  id: string;
  protocol: string;
  limits: Limits;
  /** How many messages came from the server. */
  received: number;
  outbox: Outbox;
  /** The close that the application asked for and the server has not answered yet. */
  closing: Close | null;
  ended: boolean;
  /** A message could not be taken: nothing may follow it, and the session is about to end. */
  hasDropped: boolean;
  nextGeneration(): number;
  openContent(generation: number): string;
  attachContent(generation: number, holdMs?: number): string;
  handleOpened(content: string): { received: number; first: number };
  handleMessage(offset: number, letter: string, content: any): void;
  handleAck(received: number): void;
  handleClose(close: Close): void;
  /** The server refuses the session with a code that is not for retrying. */
  handleRefusal(code: number, message: string): void;
  send(message: Message): void;
  close(code: number, reason: string): void;
  /** End because nothing has carried the session for too long. */
  expire(): void;
  abort(code: number, reason: string): void;
  /** End without a word to the server. */
  end(close: Close): void;
}

/** The callbacks are set before it is opened. */
interface Transport {
  onopen: () => void;
  onpayload: (payload: any) => void;
  /** Why, for people; for an HTTP answer also its body as text and its Retry-After. */
  onclose: (why: string, body?: string, retryAfterMs?: number) => void;
  /** HTTP: bytes are on the move, up or down. */
  onprogress: () => void;
  open(protocols?: string[]): void;
  send(payload: any): void;
  /** WebSocket: how many bytes the browser has not sent yet. */
  buffered(): number;
  close(code?: number): void;
}

interface Leg {
  readonly name: 'websocket' | 'poll';
  /** What the leg is busy with, for the trace. */
  phase: string;
  /** The leg carries the session from now on. The callbacks are set before it is started. */
  onattach: () => void;
  /** The leg carries nothing any more, or never did. It has stopped by itself. */
  onlost: (why: string, code?: number, retryAfterMs?: number) => void;
  start(): void;
  /** Send what the session has, as far as the leg can. */
  transmit(): void;
  /** End without a callback. With a close that is to be told, tell it first. */
  stop(close?: Close): void;
}

/** The options, with the defaults of those that were not given. */
interface Settings extends Clock {
  transports: string[];
  WebSocket: any;
  XMLHttpRequest: any;
  encoding: 'auto' | 'text' | 'binary';
  withCredentials: boolean;
  httpDelayMs: number;
  connectTimeoutMs: number;
  backoff: { minMs: number; maxMs: number };
  random(): number;
}

interface WebSocketLeg extends Leg {
  /** Prove that the connection lives, at once. */
  check(): void;
}

interface PollLeg extends Leg {
  /** A held exchange was answered. */
  onheld: () => void;
}

/** What a path has been found to bear. Outlives the legs. */
interface Pace {
  holdMs: number;
  batchBytes: number;
}

interface LegFactories {
  websocket?: () => WebSocketLeg;
  poll?: (generation: number) => PollLeg;
  [transport: string]: unknown;
}

interface Negotiator {
  /** What was tried and how far it came, the newest last. */
  trace: Array<{ leg: string; phase: string; ms: number; result: string }>;
  start(): void;
  /** The session has something to send. */
  transmit(): void;
  /** Something has changed for the better: try now what would be tried later. */
  retry(): void;
  /** What polls may wait in vain for an answer: begin them anew, and try what would be tried later. */
  restart(): void;
  /** Drop a transport, and leave it alone. */
  block(transport: string): void;
  unblock(transport: string): void;
  /** Stop for good. With a close that is to be told, tell it first. */
  stop(close: Close): void;
}

interface Endpoints {
  /** What the application asked for, absolute, with a WebSocket's scheme. */
  url: string;
  origin: string;
  websocket: string;
  poll: string;
}

interface Client {
  send(data: any): void;
  close(code: number, reason: string): void;
  negotiator: Negotiator;
}

/** The global object. */
declare var root: any;

type Listener = ((event: any) => void) | { handleEvent(event: any): void };

/** The public object, with what it keeps to itself. */
interface AnywireObject {
  url: string;
  protocol: string;
  extensions: string;
  transport: string;
  readyState: number;
  bufferedAmount: number;
  binaryType: string;
  trace: Negotiator['trace'];
  dispatchEvent(event: any): boolean;
  _listeners: { [name: string]: Array<{ listener: Listener | null; once?: boolean }> };
  _client: Client;
  [name: string]: any;
}
