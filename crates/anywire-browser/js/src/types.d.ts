// The shapes that the sources share. Only the type checker reads this file; nothing of it is built.

interface Packet {
  letter: string;
  /** Text, or the bytes of a binary message. */
  content: string | Uint8Array;
}

/** A packet that came, with a number or a close in place of a content that has such a form. */
interface ReceivedPacket {
  letter: string;
  content: string | Uint8Array | number | Close;
}

/** What a packet does that came; each letter has its own form of content. */
type PacketHandlers = { [letter: string]: (content: any, letter: string) => void };

/** What `Session.send` keeps. */
interface Message {
  letter: string;
  /** None while its Blob is read. */
  content: string | Uint8Array | null;
  /** How many its content has; of a text, in UTF-8. */
  bytes: number;
}

/** An error that ends the session, or the exchange that it came in, with a code of PROTOCOL §8.3. */
interface Fault {
  code: number;
  /** As PROTOCOL §8.3 has it. */
  message: string;
}

interface Clock {
  /** Milliseconds that never go backwards. */
  now(): number;
  /** Milliseconds of the wall clock, which may jump. */
  date(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(id: unknown): void;
}

interface Timer {
  /** Fire once after `ms`, instead of any earlier arrangement. */
  set(ms: number): void;
  /** Fire once, at `time` or before it. */
  by(time: number): void;
  stop(): void;
}

interface Close {
  code: number;
  reason: string;
}

interface Outbox {
  /** The offset of the first message that is kept. */
  base: number;
  /** The offset of the next message that the application will send. */
  end: number;
  bytes: number;
  /** Bytes of all messages that were acknowledged. */
  gone: number;
  push(message: Message): void;
  /** Forget what the peer has received, up to this offset. Returns whether that was news. */
  ack(received: number, carried: number): boolean;
  /** The message at an offset, which counts as sent from now on. None while there is none, or its Blob is read. */
  take(offset: number): Message | undefined;
  /** The messages from the first on that can go and fit, which count as sent from now on. The first fits always. */
  batch(maxBytes: number, maxCount: number): Message[];
}

/** Those limits of PROTOCOL §7 that a client needs. */
interface Limits {
  maxMessageBytes: number;
  maxPayloadBytes: number;
  maxPingBytes: number;
  windowMessages: number;
  windowBytes: number;
  heartbeatMs: number;
  heartbeatTimeoutMs: number;
  ackDelayMs: number;
  holdMs: number;
  paddingMs: number;
  streamMs: number;
  resumeWindowMs: number;
  closeTimeoutMs: number;
  [name: string]: number;
}

/** The members of PROTOCOL §3.2. */
interface Opened {
  version: number;
  session: string;
  secret: string;
  received: number;
  first: number;
  protocol?: string;
  limits: Record<string, number>;
}

interface SessionHandlers {
  /** What the application gets for these bytes. May throw, where the browser does. */
  toData(bytes: Uint8Array): unknown;
  onmessage(data: unknown): void;
  /** The outbox lost or won something. */
  onbuffer(): void;
  /** There is something to send. */
  ontransmit(): void;
  /** The session has ended. Called once, last. */
  onend(code: number, reason: string, wasClean?: boolean, isToBeTold?: boolean): void;
}

interface Session {
  /** Empty until the server has opened the session. */
  id: string;
  protocol: string;
  limits: Limits;
  /** What the line is thought to carry at least, until it stalls with much on the way. */
  bytesPerMs: number;
  /** How many messages came from the server. */
  received: number;
  outbox: Outbox;
  /** The close that the application asked for and the server has not answered yet. */
  closing: Close | null;
  /** Whether the server may have it: only its answer may have been lost. */
  isCloseSent: boolean;
  ended: boolean;
  /** A message could not be taken: nothing may follow it, and the session is about to end. */
  hasDropped: boolean;
  /** What a ping holds that proves a leg. */
  padding(): string;
  /** What a WebSocket that opens offers beside the protocol's version (PROTOCOL §5.1). */
  offer(generation: number): string[];
  openContent(generation: number): string;
  attachContent(generation: number, holdMs?: number): string;
  handleOpened(content: string): Opened;
  handleMessage(offset: number, letter: string, content: string | Uint8Array): void;
  /** Of what is acknowledged, the server counts no more than was carried. */
  handleAck(received: number, carried: number): void;
  /** Anything came from the server. */
  handleHeard(): void;
  handleClose(close: Close): void;
  /** The server refuses the session with a code that is not for retrying. */
  handleRefusal(code: number, message: string): void;
  /** Anything that a WebSocket sends. */
  send(data: unknown): void;
  close(code: number, reason: string): void;
  /** End because nothing has carried the session for too long. */
  expire(): void;
  abort(code: number, reason: string): void;
  /** End once. The server is told if it does not know. */
  end(code: number, reason: string, wasClean?: boolean, isToBeTold?: boolean): void;
}

/** One encoding of payloads, and how XMLHttpRequest carries it. */
interface Encoding {
  contentType: string;
  pack(packets: Packet[]): any;
  unpack(body: any): ReceivedPacket[];
  /** The body of an answer that is no payload. */
  toText(body: any): string;
}

/** The transports that the negotiation knows. What carries down in place of polls is the business of polling. */
type TransportName = 'websocket' | 'poll';

/** What happens, with what it happens to. Their meaning is told in negotiation.rs. */
type Input =
  | ['start' | 'connected' | 'held' | 'heard' | 'stalled' | 'timeout']
  | ['proven' | 'attached', TransportName]
  | ['lost', TransportName, outcome: string, detail?: string | number, retryAfterMs?: number]
  | ['returned', '', hasNewNetwork: boolean]
  | ['allow', TransportName, isAllowed: boolean];

type Feed = (input: Input) => void;

interface Inputs {
  start(): void;
  connected(): void;
  proven(leg: LegState): void;
  attached(leg: LegState): void;
  stalled(): void;
  heard(): void;
  held(): void;
  lost(leg: LegState, outcome: string, detail?: string | number, retryAfterMs?: number): void;
  returned(_: LegState, hasNewNetwork: boolean): void;
  allow(leg: LegState, isAllowed: boolean): void;
  timeout(): void;
}

type InputHandler = (leg: LegState, a: unknown, b: unknown, c: unknown) => void;

/** What is to be done, with what it is done to. A start with generation 0 offers nothing. */
type Decision =
  | ['start' | 'attach', TransportName, generation: number]
  | ['prove' | 'check' | 'drop', TransportName]
  | ['carrier', TransportName | '']
  | ['remember', attachedAfterMs: number | 'fails']
  | ['forget' | 'give up'];

/** Does what was decided, to that object. */
type Deed = (object: never, generation: number) => void;

/**
 * A leg that was lost has dropped itself, and feeds nothing after that. What a decision asks of it, it takes as the
 * decision has it: with its own transport first.
 */
interface Leg {
  start(): void;
  /** Send what the session has, as far as the leg can. */
  transmit(): void;
  /** Send the ping that proves the leg, after what waits. */
  prove(): void;
  /** End without a word, but for the content of a close that the server is to be told. */
  drop(transport?: string, code?: number, farewell?: string | false): void;
}

interface WebSocketLeg extends Leg {
  attach(transport: string, generation: number): void;
  /** Ask whether the peer is there. */
  check(): void;
  report(trace: Trace): void;
}

interface LegMakers {
  websocket(generation: number, feed: Feed): WebSocketLeg;
  poll(generation: number, feed: Feed, trace: Trace): Leg;
}

/** How what comes down is carried while HTTP carries the session: by the best there is, or by a hold. */
type CarryDown = (isHold?: boolean) => void;

/** What may carry down uses this of its leg. */
interface PollLine {
  /** The content of an attach. */
  attachment(): string;
  take(packets: ReceivedPacket[]): void;
  /** Hold an exchange for what comes down. */
  hold(): void;
  /** Something else than a hold carries down, which this stops. */
  carry(stop: () => void): void;
  /** What carries down works: the next failure is a new one. */
  held(): void;
  isStopped(): boolean;
  /** Send as soon as may be, with an ack of what came, and ask for padding. */
  ask(asking: Asking): void;
}

/** Called when a question goes out; returns what to call when its exchange is answered. */
type Asking = () => () => void;

/** What a stream uses of its leg. */
interface StreamLine extends Pick<PollLine, 'attachment' | 'take' | 'held' | 'ask'> {
  /** The stream is over: a hold follows, or else whatever there is. */
  next(isHold: boolean): void;
}

/** Starts one exchange. Returns what aborts it, without a callback. */
type Exchange = (
  settings: Settings, endpoints: Endpoints, encoding: Encoding, body: any,
  /** How long nothing may move. */
  patienceMs: number,
  answered: (body: any) => void,
  failed: (outcome: string, detail: string, text?: string, retryAfterMs?: number) => void,
) => () => void;

/** How HTTP carries the session here, and what the path has been found to bear. Outlives the legs. */
interface Http {
  /** What is to be shown as the transport, where that is not its own name. */
  name?: string;
  encoding: Encoding;
  exchange: Exchange;
  /** What may carry down in place of holds. */
  streams?: Streams;
  /** An exchange bears no long question, nor first messages. */
  isShort?: boolean;
  /** The engine has one connection: a hold would keep a send waiting. */
  isNarrow?: boolean;
  holdMs: number;
  batchBytes: number;
}

interface Streams {
  /** None carries now. */
  left(): void;
  /** Begins to carry down by the best stream that has not failed here. Returns what stops it. */
  open(line: StreamLine, trace: Trace): (() => void) | undefined;
}

/** A transport that carries down and nothing else. */
interface DownTransport {
  name: string;
  open: OpenStream;
  memory: OriginMemory;
  /** How long padding that was asked for may be late. */
  lateMs: number;
  /** The leg in which it failed last: if something else carries in the same, the failure was its own. */
  suspect: StreamLine | null;
  /** Whether it was proven when it failed last, and when that was known to be its own failure. */
  wasProven: boolean;
  failedAt: number;
}

type OpenStream = (
  settings: Settings, url: string, attachment: string,
  /** Something came; the packets in it are yet to be read, which may throw. */
  heard: (read: () => ReceivedPacket[]) => void,
  ended: () => void,
) => () => void;

/** What an application may choose of a negotiation. */
interface NegotiationSettings {
  httpDelayMs: number;
  connectTimeoutMs: number;
  backoff: { minMs: number; maxMs: number };
  random(): number;
}

/** What is to come when. */
interface Due {
  giveUp?: number;
  grace?: number;
  deadline?: number;
  steady?: number;
  /** The next start of a leg. */
  [leg: string]: number | undefined;
}

/** One leg as the negotiation sees it. */
interface LegState {
  transport: TransportName;
  isAllowed: boolean;
  /** '' while it is idle; then 'connect', 'probe', 'attach', 'proof', 'carry'. */
  phase: string;
  /** What it attaches with, if that is known from the start; else 0. */
  generation: number;
  hasStarted: boolean;
  startedAt: number;
  attachedAfter: number;
  isProven: boolean;
  isStalled: boolean;
  /** In a row. */
  failures: number;
}

interface Negotiation {
  /** What carries the session, or ''. */
  carrier: TransportName | '';
  /** To be done in this order. */
  decisions: Decision[];
  trace: Trace;
  feed(now: number, input: Input): void;
  /** When to feed 'timeout'; may be `Infinity`. */
  timeout(): number;
}

interface Trace {
  /** The newest last. */
  attempts: Array<{ leg: string; phase: string; ms: number; result: string }>;
  note(transport: string, phase: string, ms: number, outcome: string, detail?: string | number): void;
  /** What the server is to be told, if something did not go well. */
  reports(): Packet[];
  /** The server was told of the attempts that are reported among these, and of those before them. */
  handleReported(packets: Packet[]): void;
}

interface OriginMemory {
  /** How many ms a WebSocket took to attach, 'fails', or ''. */
  recall(): string;
  remember(memory: string | number): void;
  forget(): void;
}

/** The options, with the defaults of those that were not given. */
interface Settings extends Clock, NegotiationSettings {
  transports: string[];
  first: unknown[];
  WebSocket: any;
  XMLHttpRequest: any;
  EventSource: any;
  document: any;
  localStorage?: any;
  encoding: 'auto' | 'text' | 'binary';
  withCredentials: boolean;
}

interface Negotiator {
  trace: Trace['attempts'];
  feed: Feed;
  /** The session has something to send. */
  transmit(): void;
  /** Stop for good, with what the legs' `drop` takes. */
  stop(code: number, farewell?: string | false): void;
}

interface Endpoints {
  /** What the application asked for, absolute, with a WebSocket's scheme. */
  url: string;
  origin: string;
  websocket: string;
  poll: string;
  [name: string]: string;
}

interface Client {
  send(data: unknown): void;
  close(code: number, reason: string): void;
  /** Allow or forbid a transport, which is dropped then. */
  allow(transport: string, isAllowed: boolean): void;
}

/** What some engines have beside what they all have. */
declare var global: unknown;
declare var module: { exports?: unknown };
declare var define: { (names: string[], make: () => unknown): void; amd?: unknown };

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
