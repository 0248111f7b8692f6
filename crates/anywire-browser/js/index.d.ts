// Types of the public object. What differs from a WebSocket is told in README.md.

declare class Anywire {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;

  /** In scripts and with `require`: gives what the option `reopen` takes. In a module it throws: import `reopen` there. */
  static reopen(options?: Anywire.ReopenOptions | true): Anywire.Reopen;

  /**
   * Opens a session.
   *
   * @param url Where the server mounts Anywire, such as `/anywire`: relative to the page, or
   *   absolute with ws:, wss:, http: or https:. A query is sent with every request.
   *   A fragment throws a SyntaxError, as with a WebSocket.
   * @param protocols Sub-protocols of the application, the preferred one first.
   */
  constructor(url: string | Anywire.Address, protocols?: string | string[], options?: Anywire.Options);

  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  /** The absolute URL, with a WebSocket's scheme. */
  readonly url: string;
  readonly readyState: 0 | 1 | 2 | 3;
  /** The sub-protocol that the server chose, or ''. */
  readonly protocol: string;
  /** Always ''. */
  readonly extensions: string;
  /** UTF-8 bytes of the messages that the server has not acknowledged yet. */
  readonly bufferedAmount: number;
  /** How binary messages come. Default: 'blob', or 'arraybuffer' where no Blob can be made. */
  binaryType: 'blob' | 'arraybuffer';
  /** What carries the session now. */
  readonly transport: Anywire.Transport;
  /** The session's public id, for logs; '' before it is open. It gives no access. After a `reopen` it is the new session's. */
  readonly id: string;
  /** The latest attempts to connect and what became of them, at most 64, the newest last. */
  readonly trace: ReadonlyArray<Anywire.Attempt>;

  // `this` is the Anywire. It is not typed as one, since a WebSocket's handler takes a WebSocket.
  onopen: ((this: any, event: Anywire.Event) => any) | null;
  onmessage: ((this: any, event: Anywire.MessageEvent) => any) | null;
  onerror: ((this: any, event: Anywire.Event) => any) | null;
  onclose: ((this: any, event: Anywire.CloseEvent) => any) | null;
  ontransport: ((this: any, event: Anywire.TransportEvent) => any) | null;
  onreopen: ((this: any, event: Anywire.ReopenEvent) => any) | null;

  /**
   * Sends a message. Once it returns, the message arrives, once and in order, as long as the
   * session lives. When the session is closing or closed, it is only counted in `bufferedAmount`.
   *
   * A message over the server's limit, or beyond 64 MiB that are not acknowledged, ends the session
   * with 4964 or 4932, and nothing follows it.
   *
   * Throws an InvalidStateError while the session is connecting, also between two sessions.
   */
  send(data: Anywire.Data): void;

  /**
   * Closes the session, after everything that was sent.
   *
   * @param code 1000, which is the default, or 3000 to 4899; others throw an InvalidAccessError.
   * @param reason At most 123 bytes of UTF-8; a longer one throws a SyntaxError.
   */
  close(code?: number, reason?: string): void;

  /**
   * For demonstrations and tests: drops a transport now, and leaves it alone until it is unblocked.
   * While both are blocked the session waits, for as long as its resume window lasts. A session that follows it
   * (`reopen`) knows nothing of that.
   */
  block(transport: 'websocket' | 'poll'): void;
  unblock(transport: 'websocket' | 'poll'): void;

  addEventListener<K extends keyof Anywire.EventMap>(
    type: K, listener: Anywire.Listener<Anywire.EventMap[K]> | null, options?: boolean | Anywire.ListenerOptions,
  ): void;
  addEventListener(
    type: string, listener: Anywire.Listener<any> | null, options?: boolean | Anywire.ListenerOptions,
  ): void;
  removeEventListener<K extends keyof Anywire.EventMap>(
    type: K, listener: Anywire.Listener<Anywire.EventMap[K]> | null, options?: boolean | { capture?: boolean },
  ): void;
  removeEventListener(
    type: string, listener: Anywire.Listener<any> | null, options?: boolean | { capture?: boolean },
  ): void;
  dispatchEvent(event: { type: string }): boolean;
}

declare namespace Anywire {
  /** '' before the session is open and after it has closed; 'reconnecting' when cut off. */
  type Transport = '' | 'websocket' | Http | 'reconnecting';

  /** How HTTP carries: by what carries down. The modern build knows 'poll' alone. */
  type Http = 'stream' | 'events' | 'poll' | 'jsonp';

  interface Options {
    /**
     * What may be used. Default: all. Over HTTP a session begins with an exchange, and where 'stream' and 'events' do
     * not get through it is held polls that follow, listed or not. 'jsonp' is used only where the engine's requests
     * cannot reach the server, or nothing else over HTTP is listed; the server must allow it.
     */
    transports?: Array<'websocket' | Http>;
    /**
     * Messages to send with the open: over polling a first answer may then come with it, one round trip earlier.
     * For applications that begin with a question; without an answer within a second the session opens without one.
     */
    first?: Data[];
    /**
     * How long polling lets the WebSocket go ahead where nothing is remembered of the origin, in ms. Default: 300.
     */
    httpDelayMs?: number;
    /** How long opening may take, all attempts together, in ms. Default: 20000. */
    connectTimeoutMs?: number;
    /** Between these the pauses between attempts grow, in ms. Default: 500 and 30000. */
    backoff?: { minMs: number; maxMs: number };
    /**
     * How HTTP bodies are encoded. Default: 'auto', which is binary wherever the browser can. The modern build knows
     * no 'text'.
     */
    encoding?: 'auto' | 'text' | 'binary';
    /** Whether cross-origin requests carry cookies, as a WebSocket always does. Default: true. */
    withCredentials?: boolean;
    /**
     * Whether the server is told that the page goes, so that the session ends soon after unless the page comes back.
     * Default: true. Without it the session lives as long as after any lost connection.
     */
    leave?: boolean;

    /**
     * Whether the sessions of all tabs share the connections that a browser has to an origin over HTTP/1.1. Default: true.
     * `false`: this one holds a connection whatever the others do.
     */
    tabs?: boolean;

    /**
     * Says who the client is: a text, or what gives one. It is never in an address, nor in `trace`.
     *
     * A function is called before anything is sent, and again later; `why` says for what:
     * - 'open': the first session;
     * - 'reopen': one that follows another, see `reopen`;
     * - 'expiring': what the server has granted runs out;
     * - 'expired': it has run out, or the server did not accept what was given last.
     *
     * It returns the text, or a promise of one; or nothing, and calls `done` later. An empty text says nothing of the client. What throws, or is
     * rejected, is tried again after a pause: for `connectTimeoutMs` while the first session opens. `null` gives up: the session
     * ends with 4966.
     */
    authorize?: string | Authorize;

    /**
     * Opens a new session by itself when one has ended in a way that says to start anew: with 4930 to 4959, 1012 or
     * 1013. Then no `close` comes; `reopen` comes, once the new one is open. Default: none.
     *
     * `true` and an object are for scripts and `require`. A module imports it, so that a bundle may be without:
     * `import Anywire, { reopen } from 'anywire'`, and `{ reopen: reopen() }`.
     */
    reopen?: boolean | ReopenOptions | Reopen;

    /** Stand-ins, for tests and for other run-times. */
    WebSocket?: unknown;
    XMLHttpRequest?: unknown;
    EventSource?: unknown;
    document?: unknown;
    localStorage?: unknown;
    /** Sends a request that outlives its page; false if the engine does not take it. */
    beacon?: (url: string, body: string | Uint8Array, withCredentials: boolean) => boolean;
    random?: () => number;
    /** Milliseconds that never go backwards. */
    now?: () => number;
    /** Milliseconds of the wall clock. */
    date?: () => number;
    setTimeout?: (callback: () => void, ms: number) => unknown;
    clearTimeout?: (id: any) => void;
  }

  type Authorize = (
    why: 'open' | 'reopen' | 'expiring' | 'expired', done: (credential: string | null) => void,
  ) => string | null | void | PromiseLike<string | null | void>;

  interface ReopenOptions {
    /**
     * Clients that lose a server together open again within so long of its return, evenly, in ms. Default: 5000. Shorter
     * is harder for the server, which opens all of them in that time.
     */
    maxMs?: number;
    /**
     * How many opens in a row may fail, one every `maxMs`, before the last end is told by `close`. Default: Infinity.
     */
    tries?: number;
    /**
     * Whether what the server has not acknowledged is sent again, first of all. Some of it may have arrived: then the
     * server gets it twice, once in each session. Default: false.
     */
    resend?: boolean;
  }

  /** What `reopen()` gives; `reopen` itself is none. */
  interface Reopen {
    (...parts: never[]): { readonly opensAnew: unknown };
  }

  /** What became of a leg: noted when it attaches, when it is proven, and when it is lost or dropped. */
  interface Attempt {
    leg: 'websocket' | 'poll' | 'stream' | 'events';
    /**
     * What it was about: reaching the server, proving the path before the attach, waiting for the attach, proving the
     * path after it, carrying the session.
     */
    phase: 'connect' | 'probe' | 'attach' | 'proof' | 'carry';
    /** Since the leg was started. */
    ms: number;
    /**
     * 'ok', 'refused', 'closed', 'silent', 'stalled', 'superseded', 'dropped' or 'failed'; after a space there may be
     * more, for people.
     */
    result: string;
  }

  /** What a message may be. */
  type Data = string | ArrayBuffer | ArrayBufferView | BlobLike;

  /** A `Blob`, in programs whose types know it and in others. */
  interface BlobLike {
    readonly size: number;
    readonly type: string;
    slice(start?: number, end?: number): BlobLike;
  }

  /** A `URL`, likewise. */
  interface Address {
    readonly href: string;
    toString(): string;
  }

  /** In the full build only `once` counts. */
  interface ListenerOptions {
    once?: boolean;
    capture?: boolean;
    passive?: boolean;
    signal?: any;
  }

  /** The members that every event has, whatever the program's types know. */
  interface PlainEvent {
    readonly type: string;
    readonly target: any;
    readonly currentTarget: any;
  }

  interface PlainMessageEvent extends PlainEvent {
    readonly data: any;
    readonly origin: string;
    readonly lastEventId: string;
  }

  interface PlainCloseEvent extends PlainEvent {
    readonly code: number;
    readonly reason: string;
    readonly wasClean: boolean;
  }

  // Where the program's types have the events of the web (`lib` "dom" or "webworker"), they are those, so that what takes a
  // WebSocket takes an Anywire. README.md says which members are there.
  type Event = typeof globalThis extends { Event: { prototype: infer E } } ? E : PlainEvent;
  type MessageEvent = typeof globalThis extends { MessageEvent: { prototype: infer E } } ? E : PlainMessageEvent;
  type CloseEvent = typeof globalThis extends { CloseEvent: { prototype: infer E } } ? E : PlainCloseEvent;

  type TransportEvent = Event & {
    readonly transport: Transport;
    readonly previous: Transport;
  };

  type ReopenEvent = Event & {
    /** How the session before ended. */
    readonly code: number;
    readonly reason: string;
    /** The id that it had. */
    readonly previous: string;
    /**
     * What `send` took for it and the server did not acknowledge, in order. Some of it may have arrived. A Blob is the one
     * that was sent, other binary messages are copies.
     */
    readonly unacknowledged: ReadonlyArray<any>;
    /** Whether these have been sent again. */
    readonly resent: boolean;
  };

  interface EventMap {
    open: Event;
    message: MessageEvent;
    error: Event;
    close: CloseEvent;
    transport: TransportEvent;
    reopen: ReopenEvent;
  }

  type Listener<E> = ((this: any, event: E) => any) | { handleEvent(event: E): any };
}

export = Anywire;
export as namespace Anywire;
