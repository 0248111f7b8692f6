// The shapes that the sources share. Only the type checker reads this file; nothing of it is built.

interface Packet {
  letter_: string;
  /** Text, or the bytes of a binary message. */
  content_: string | Uint8Array;
}

/** So many whole messages, and bytes of the next one; where it counts that, bytes that went by since it was made. */
type Place = number[];

/** A packet that came, with a place or a close in place of a content that has such a form. */
interface ReceivedPacket {
  letter_: string;
  content_: string | Uint8Array | Place | Close;
}

/** What a packet does that came; each letter has its own form of content. */
type PacketHandlers = { [letter: string]: (content: any, letter: string) => void };

/** What `Session.send` keeps. */
interface Message {
  letter_: string;
  /** None while its Blob is read. */
  content_: string | Uint8Array | null;
  /** How many its content has; of a text, in UTF-8. */
  bytes_: number;
  /** Where its text was cut last, and how many bytes are before that. */
  cutAt_?: number;
  cutBytes_?: number;
  /** What the application gets back of it: text, the buffer of a copy, or a Blob as it was. */
  data_: unknown;
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
  set_(ms: number): void;
  /** Fire once, at `time` or before it. */
  by_(time: number): void;
  stop_(): void;
}

interface Close {
  code: number;
  reason: string;
}

interface Outbox {
  /** Those that are kept. */
  messages_: Message[];
  /** The offset of the first message that is kept. */
  base_: number;
  /** How many bytes of it the server has. */
  acked_: number;
  /** The offset of the next message that the application will send. */
  end_: number;
  bytes_: number;
  /** Bytes of all messages that were acknowledged. */
  gone_: number;
  push_(message: Message): void;
  /** The longest part of a message, or 0 where messages must be whole. */
  partBytes_: number;
  /** Forget what the peer has received. Returns whether that was news. */
  ack_(place: Place, carried: number): boolean;
  /** Whether the first message can go. */
  isReady_(): boolean;
  /**
   * What goes next at a place: a message, the end of one, or a part that fits. It counts as sent from now on, and the
   * place moves behind it. None where nothing fits, there is no message, or its Blob is read.
   */
  next_(place: Place, maxBytes: number): Packet | undefined;
}

/** The message from the server that has not come whole. */
interface Inbox {
  /** How many have come. */
  bytes_: number;
  /**
   * Takes what is new of a message or a part that begins at the place, or before what has come; the place moves behind
   * it, but not to the next message. Returns the message if it is whole, and forgets it.
   */
  take_(place: Place, letter: string, content: string | Uint8Array, maxBytes: number): string | Uint8Array | undefined;
}

/** Those limits of PROTOCOL §7 that a client needs. */
interface Limits {
  maxMessageBytes: number;
  maxPayloadBytes: number;
  maxPartBytes: number;
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
  can?: string[];
  limits: Record<string, number>;
}

interface SessionHandlers {
  /** What the application gets for these bytes. May throw, where the browser does. */
  toData_(bytes: Uint8Array): unknown;
  onmessage_(data: unknown): void;
  /** The outbox lost or won something. */
  onbuffer_(): void;
  /** There is something to send. */
  ontransmit_(): void;
  /** What carries the session has not brought the rest of a message for too long. */
  onstall_(): void;
  /** The session has ended. Called once, last. */
  onend_(code: number, reason: string, wasClean?: boolean, isToBeTold?: boolean): void;
}

interface Session {
  /** Empty until the server has opened the session. */
  id_: string;
  protocol_: string;
  limits_: Limits;
  /** What the line is thought to carry at least, until it stalls with much on the way. */
  bytesPerMs_: number;
  /** How many messages came from the server. */
  received_: number;
  outbox_: Outbox;
  /** The close that the application asked for and the server has not answered yet. */
  closing_: Close | null;
  /** Whether the server may have it: only its answer may have been lost. */
  isCloseSent_: boolean;
  ended_: boolean;
  /** A message could not be taken: nothing may follow it, and the session is about to end. */
  hasDropped_: boolean;
  /** What both sides can (PROTOCOL §2.5), beside parts, which the outbox knows. */
  canVeil_: boolean;
  canLeave_: boolean;
  /** Says who the client is, if it is not empty. Nothing until it is known, null if the application has given up. */
  credential_?: string | null;
  /** What each exchange brings until the server has renewed the grant, and each WebSocket once, unless it is empty. */
  renewal_?: string;
  /** The server asks for it, or has renewed the grant. */
  handleCredential_(content: string): void;
  /** The content of an ack of all that came. */
  progress_(): string;
  /** Where a message has come in part, more of it must come soon from what carries the session. */
  awaitGrowth_(): void;
  /** What a ping holds that proves a leg. */
  padding_(): string;
  /** What a WebSocket that opens offers beside the protocol's version (PROTOCOL §5.1). */
  offer_(generation: number): string[];
  openContent_(generation: number, onlySends?: boolean): string;
  attachContent_(generation: number, holdMs?: number): string;
  handleOpened_(content: string): Opened;
  /** A message, or a part of one, at a place that moves behind it. */
  handleMessage_(place: Place, letter: string, content: string | Uint8Array): void;
  /** Of what is acknowledged, the server counts no more than was carried. */
  handleAck_(place: Place, carried: number): void;
  /** Anything came from the server. */
  handleHeard_(): void;
  handleClose_(close: Close): void;
  /** The server refuses the session with a code that is not for retrying. */
  handleRefusal_(code: number, message: string): void;
  /** Anything that a WebSocket sends. */
  send_(data: unknown): void;
  close_(code: number, reason: string): void;
  /** End because nothing has carried the session for too long. */
  expire_(): void;
  abort_(code: number, reason: string): void;
  /** End once. The server is told if it does not know. */
  end_(code: number, reason: string, wasClean?: boolean, isToBeTold?: boolean): void;
}

/** One encoding of payloads, and how XMLHttpRequest carries it. */
interface Encoding {
  contentType_: string;
  pack_(packets: Packet[]): any;
  unpack_(body: any): ReceivedPacket[];
  /** The body of an answer that is no payload. */
  toText_(body: any): string;
}

/** The transports that the negotiation knows. What carries down in place of polls is the business of polling. */
type TransportName = 'websocket' | 'poll';

/** What happens, with what it happens to. Their meaning is told in negotiation.rs. */
type Input =
  | ['start' | 'turn' | 'connected' | 'held' | 'heard' | 'stalled' | 'leave' | 'timeout']
  | ['proven' | 'attached', TransportName]
  | ['lost', TransportName, outcome: string, detail?: string | number, retryAfterMs?: number]
  | ['returned', '', hasNewNetwork: boolean]
  | ['allow', TransportName, isAllowed: boolean];

type Feed = (...input: Input) => void;
/** The same for what passes an input on: it need not know which belongs to what. */
type PassedInput = [
  input: Input[0], transport?: TransportName | '', a?: string | boolean, b?: string | number, c?: number,
];

interface Inputs {
  start(): void;
  turn(): void;
  connected(): void;
  proven(leg: LegState): void;
  attached(leg: LegState): void;
  stalled(): void;
  heard(): void;
  held(): void;
  lost(leg: LegState, outcome: string, detail?: string | number, retryAfterMs?: number): void;
  returned(_: LegState, hasNewNetwork: boolean): void;
  leave(): void;
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
  | ['missing', status: string]
  | ['forget' | 'give up'];

/** Does what was decided, to that object. */
type Deed = (object: never, generation: number) => void;

/**
 * A leg that was lost has dropped itself, and feeds nothing after that. What a decision asks of it has the decision's
 * name, so no letter, and takes what the decision has: its own transport first.
 */
interface Leg {
  start_(): void;
  /** Send what the session has, as far as the leg can. */
  transmit_(): void;
  /** Say what renews the grant. */
  renew_(): void;
  /** Tell the server that the page goes, with the content of a leave and the generation that it is behind. */
  leave_(content: string, generation: number): void;
  /** Send the ping that proves the leg, after what waits. */
  prove(): void;
  /** End without a word, but for the content of a close that the server is to be told. */
  drop(transport?: string, code?: number, farewell?: string | false): void;
}

interface WebSocketLeg extends Leg {
  attach(transport: string, generation: number): void;
  /** Ask whether the peer is there. */
  check(): void;
  report_(trace: Trace): void;
}

interface LegMakers {
  websocket(generation: number, feed: Feed): WebSocketLeg;
  poll(generation: number, feed: Feed, trace: Trace): Leg;
}

/** How what comes down is carried while HTTP carries the session: by the best there is, or by a hold. */
type CarryDown = (isHold?: boolean) => void;

/** What may carry down uses this of its leg. */
interface HttpLeg {
  /** What attaches. */
  attachment_(): Packet[];
  take_(packets: ReceivedPacket[]): void;
  /** Something else than a hold carries down, which this stops. */
  carry_(stop: () => void): void;
  /** What carries down works: the next failure is a new one. */
  held_(): void;
  isStopped_(): boolean;
  /** More tabs are there than may hold something: no stream begins. */
  isCrowded_(): boolean;
  /** Send as soon as may be, with an ack of what came, and ask for padding. */
  ask_(asking: Asking): void;
}

/** Called when a question goes out; returns what to call when its exchange is answered. */
type Asking = () => () => void;

/** What a stream uses of its leg. */
interface StreamLeg extends Pick<HttpLeg, 'attachment_' | 'take_' | 'held_' | 'ask_'> {
  /** The stream is over: a hold follows, or else whatever there is. */
  next_(isHold: boolean): void;
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
  name_?: string;
  encoding_: Encoding;
  exchange_: Exchange;
  /** What may carry down in place of holds. */
  streams_?: Streams;
  /** Whether it begins without messages, because the path has refused some. */
  isBare_?: boolean;
  /** The engine has one connection: a hold would keep a send waiting. */
  isNarrow_?: boolean;
  holdMs_: number;
  batchBytes_: number;
}

interface Streams {
  /** None carries now. */
  left_(): void;
  /** Begins to carry down by the best stream that has not failed here. Returns what stops it. */
  open_(leg: StreamLeg, trace: Trace): (() => void) | undefined;
}

/** A transport that carries down and nothing else. */
interface DownTransport {
  name_: string;
  open_: OpenStream;
  memory_: OriginMemory;
  /** How long padding that was asked for may be late. */
  lateMs_: number;
  /** The leg in which it failed last: if something else carries in the same, the failure was its own. */
  suspect_: StreamLeg | null;
  /** Whether it was proven when it failed last, and when that was known to be its own failure. */
  wasProven_: boolean;
  failedAt_: number;
}

type OpenStream = (
  settings: Settings, url: string, attachment: Packet[],
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
  giveUp_?: number;
  grace_?: number;
  deadline_?: number;
  steady_?: number;
  /** The next start of a leg. */
  [leg: string]: number | undefined;
}

/** One leg as the negotiation sees it. */
interface LegState {
  transport_: TransportName;
  isAllowed_: boolean;
  /** '' while it is idle; then 'connect', 'probe', 'attach', 'proof', 'carry'. */
  phase_: string;
  /** What it attaches with, if that is known from the start; else 0. */
  generation_: number;
  hasStarted_: boolean;
  startedAt_: number;
  attachedAfter_: number;
  isProven_: boolean;
  isStalled_: boolean;
  /** In a row. */
  failures_: number;
}

interface Negotiation {
  /** What carries the session, or ''. */
  carrier_: TransportName | '';
  /** To be done in this order. */
  decisions_: Decision[];
  trace_: Trace;
  feed_(now: number, ...input: PassedInput): void;
  /** The page goes: what begins later has a higher generation than this. */
  gone_(): number;
  /** When to feed 'timeout'; may be `Infinity`. */
  timeout_(): number;
}

interface Trace {
  /** The newest last. */
  attempts_: Array<{ leg: string; phase: string; ms: number; result: string }>;
  note_(transport: string, phase: string, ms: number, outcome: string, detail?: string | number): void;
  /** What the server is to be told, if something did not go well. */
  reports_(): Packet[];
  /** The server was told of the attempts that are reported among these, and of those before them. */
  handleReported_(packets: Packet[]): void;
}

interface OriginMemory {
  /** How many ms a WebSocket took to attach, 'fails', another number, or ''. */
  recall_(): string;
  remember_(memory: string | number): void;
  forget_(): void;
}

/** The options, with the defaults of those that were not given. */
interface Settings extends Clock, NegotiationSettings {
  authorize?: any;
  reopen?: any;
  transports: string[];
  first: unknown[];
  WebSocket: any;
  XMLHttpRequest: any;
  EventSource: any;
  document: any;
  localStorage?: any;
  /** Calls `pump` in turns, see turns.js, until it returns false. */
  turns(pump: () => boolean): void;
  encoding: 'auto' | 'text' | 'binary';
  tabs?: TabsEngine | boolean;
  withCredentials: boolean;
  /** Whether the server is told that the page goes. */
  leave?: boolean;
  /** Sends a request that outlives the page; false if the engine does not take it. */
  beacon(url: string, body: any, withCredentials: boolean): boolean;
}

/** What a page has that makes it known to other tabs. */
interface TabsEngine {
  locks?: {
    request(name: string, granted: () => Promise<void> | undefined): Promise<unknown>;
    query(): { then(done: (state: { held: Array<{ name: string }> }) => void, failed: () => void): void };
  };
  /** A BroadcastChannel. */
  Channel?: any;
  /** Tells of the page's end, and has the storage. */
  window: any;
  /** What is not hidden is seen. */
  document: { hidden?: boolean };
  performance: { getEntriesByName?(name: string): any[] };
  /** The date when the page was seen last. */
  seenAt?: number;
}

interface Tabs {
  /** Whether this session may hold an exchange, or a stream. */
  hasTurn_(): boolean | undefined;
  /** More sessions live than may hold something. */
  isCrowded_(): boolean;
  /** HTTP carries the session. False if nothing is to be waited for; else `turned` follows. */
  enter_(): boolean;
  /** One that is not held: it waits for others. */
  exchange_: Exchange;
  /** The leg or the page has ended. */
  leave_(): void;
}

interface Negotiator {
  negotiation_: Negotiation;
  feed_: Feed;
  /** The session has something to send. */
  transmit_(): void;
  /** The session has what renews its grant. */
  renew_(): void;
  /** The session ends after so long, unless something carries it. */
  expire_(ms: number): void;
  /** The rest of a message is missing for too long. */
  stall_(): void;
  /** The page goes, with the content of a leave. */
  leave_(content: string): void;
  /** Stop for good, with what the legs' `drop` takes. */
  stop_(code: number, farewell?: string | false): void;
}

interface Endpoints {
  /** What the application asked for, absolute, with a WebSocket's scheme. */
  url: string;
  origin: string;
  websocket: string;
  poll: string;
  [name: string]: string;
}

interface Credentials {
  /** Feeds the input when the session has what it opens with, at once where that is no question. */
  open_(why: string, input: 'start' | 'turn'): void;
  stop_(): void;
}

/** What an application names that wants a new session to follow one that has ended. */
type Reopen = (
  settings: Settings,
  /** Makes the session, which begins with these messages; returns what opens it. */
  begin: (messages: unknown[]) => Negotiator,
  /** It is a turn: what waits for one goes on. */
  open: (why: string, input: 'turn') => void,
) => Reopening;

interface Reopening {
  /** Something carries the session, or nothing does. Returns what is to be told of the session before it, if this is new. */
  carried_(isCarried: boolean): ReopenMembers | undefined | false;
  /** A session has ended, with 0 if that is final. Returns whether another follows, which has begun then. */
  follows_(ended: Session, code: number, reason: string): unknown;
}

/** What the event tells. */
interface ReopenMembers {
  code: number;
  reason: string;
  previous: string;
  unacknowledged: unknown[];
  resent: boolean;
}

interface Client {
  send_(data: unknown): void;
  close_(code: number, reason: string): void;
  /** Allow or forbid a transport, which is dropped then. */
  allow_(transport: string, isAllowed: boolean): void;
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
  trace: Trace['attempts_'];
  dispatchEvent(event: any): boolean;
  _listeners: { [name: string]: Array<{ listener: Listener | null; once?: boolean }> };
  _client: Client;
  [name: string]: any;
}
