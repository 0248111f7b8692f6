// The browser's WebSocket and XMLHttpRequest, on a network that does what a test says.

const LATENCY_MS = 20;

/**
 * `plan.websocket()` says what becomes of the next WebSocket: 'ok', 'throws', 'refused', 'hangs',
 * 'silent' (it opens, and then carries nothing), a number of ms after which it dies, or 'stalls'
 * and a number of ms after which it carries nothing and does not close.
 * `plan.poll(body)` says what becomes of the next request: 'ok', 'lost' (on the way up), 'unanswered'
 * (lost on the way down), 'twice' (the server sees it again), 'html', 'hangs', or a status.
 * `plan.stream()` says what becomes of the next stream: 'ok', 'throws', 'html', 'hangs', a status,
 * 'dies' and a number of ms after which it is cut, 'stalls' and a number of ms after which it shows
 * nothing more, or 'buffers' and in how many characters at once it comes.
 */
function createNetwork(clock, server, plan = {}) {
  const network = {
    websockets: [],
    requests: [],
    plan: { websocket: () => 'ok', poll: () => 'ok', stream: () => 'ok', latency: () => LATENCY_MS, ...plan },
  };

  /** Calls later, never before an earlier call on the same line. */
  function createLine() {
    let last = 0;
    return (callback) => {
      last = Math.max(last, clock.now() + network.plan.latency());
      clock.setTimeout(callback, last - clock.now());
    };
  }

  class WebSocket {
    constructor(url, protocols) {
      this.fate = network.plan.websocket();
      if (this.fate === 'throws') {
        throw new Error('not here');
      }
      // A list may be of the page's realm.
      const offered = Array.from(protocols);
      Object.assign(this, { url, protocols: offered, readyState: 0, sent: [], bufferedAmount: 0 });
      network.websockets.push(this);
      this.up = createLine();
      this.down = createLine();
      if (this.fate === 'refused') {
        this.down(() => this.die(1006));
      } else if (this.fate !== 'hangs') {
        this.up(() => this.connect());
      }
    }

    connect() {
      if (this.readyState > 1) {
        return;
      }
      this.down(() => {
        if (this.readyState === 0) {
          this.readyState = 1;
          this.onopen?.({});
        }
      });
      if (this.fate !== 'silent') {
        this.link = server.websocket(this.protocols, {
          send: (frame) => this.down(() => {
            if (this.readyState === 1) {
              this.onmessage?.({ data: copy(frame) });
            }
          }),
          close: (code) => this.down(() => this.die(code)),
        });
      }
      if (typeof this.fate === 'number') {
        clock.setTimeout(() => this.die(1006), this.fate);
      }
      if (/^stalls/.test(this.fate)) {
        clock.setTimeout(() => this.stall(), +this.fate.split(' ')[1]);
      }
    }

    send(frame) {
      if (this.readyState === 0) {
        throw new Error('InvalidStateError');
      }
      this.sent.push(frame);
      const data = typeof frame === 'string' ? frame.toWellFormed() : copy(frame);
      this.up(() => {
        if (this.readyState < 3 && this.link && !this.isCut) {
          this.link.onframe(data);
        }
      });
    }

    close(code = 1005) {
      if (code !== 1005 && code !== 1000 && !(code >= 3000 && code <= 4999)) {
        throw new Error('InvalidAccessError');
      }
      if (this.readyState < 2) {
        this.readyState = 2;
        this.code = code;
        this.up(() => this.die(code));
      }
    }

    /** The connection ends; both sides hear of it. */
    die(code) {
      if (this.readyState < 3) {
        this.readyState = 3;
        this.isCut = true;
        this.link?.onclose();
        this.onclose?.({ code });
      }
    }

    /** The connection carries nothing any more; neither side hears of it. */
    stall() {
      this.isCut = true;
      this.down = () => {};
    }
  }
  WebSocket.CLOSING = 2;

  class XMLHttpRequest {
    constructor() {
      Object.assign(this, { responseType: '', readyState: 0, status: 0, headers: {}, upload: {} });
      this.withCredentials = false;
      this.onprogress = null;
    }

    open(method, url) {
      Object.assign(this, { method, url, readyState: 1 });
    }

    setRequestHeader(name, value) {
      this.headers[name.toLowerCase()] = value;
    }

    getResponseHeader(name) {
      return this.answerHeaders?.[name.toLowerCase()] ?? null;
    }

    send(body) {
      if (/\/stream(\?|$)/.test(this.url)) {
        this.stream(body);
        return;
      }
      this.fate = network.plan.poll(body);
      if (this.fate === 'throws') {
        throw new Error('not here');
      }
      this.body = body;
      network.requests.push(this);
      const later = (callback) => clock.setTimeout(callback, network.plan.latency());
      const reply = (status, answer, headers) => later(() => this.finish(status, answer, headers));
      const arrive = (answer) => server.poll(this.headers['content-type'], copy(body), answer);
      const fates = {
        ok: () => arrive(reply),
        lost: () => reply(0, ''),
        unanswered: () => arrive(() => reply(0, '')),
        twice: () => {
          arrive(reply);
          later(() => arrive(() => {}));
        },
        html: () => reply(200, '<html><p>Please log in.</p></html>'),
        hangs: () => {},
      };
      later(fates[this.fate] || (() => reply(this.fate, '<html>An error.</html>')));
    }

    stream(body) {
      this.fate = network.plan.stream();
      if (this.fate === 'throws') {
        throw new Error('not here');
      }
      const [word, count] = `${this.fate}`.split(' ');
      const up = createLine();
      const down = createLine();
      const refuse = (status, text = '') => down(() => this.finish(status, text));
      let waiting = '';
      let size = 0;
      const flush = () => {
        const text = waiting;
        waiting = '';
        down(() => this.grow(text));
      };
      const line = {
        write: (text) => {
          waiting += text;
          size += text.length;
          if (word !== 'buffers' || size >= +count) {
            size = 0;
            flush();
          }
        },
        end: () => {
          flush();
          down(() => this.finish(200, this.responseText));
        },
        refuse,
      };
      if (word === 'html') {
        refuse(200, '<html><p>Please log in.</p></html>');
      } else if (typeof this.fate === 'number') {
        refuse(this.fate);
      } else if (word !== 'hangs') {
        up(() => {
          this.link = this.isAborted ? null : server.stream(body, line);
        });
      }
      if (word === 'dies') {
        clock.setTimeout(() => {
          this.link?.onclose();
          this.finish(0, '');
        }, +count);
      }
      if (word === 'stalls') {
        clock.setTimeout(() => {
          this.isStalled = true;
        }, +count);
      }
    }

    /** More of an answer comes. */
    grow(text) {
      if (!this.isAborted && !this.isStalled && this.readyState < 4) {
        Object.assign(this, { readyState: 3, status: 200 });
        this.responseText = (this.responseText || '') + text;
        this.onreadystatechange?.();
      }
    }

    finish(status, answer, headers) {
      if (this.isAborted || this.isStalled || this.readyState === 4) {
        return;
      }
      Object.assign(this, { readyState: 4, status, answerHeaders: headers });
      if (this.responseType === 'arraybuffer') {
        this.response = typeof answer === 'string' ?
          new TextEncoder().encode(answer).buffer : copy(answer);
      } else {
        this.responseText = answer;
      }
      this.onreadystatechange?.();
      this.onloadend?.();
    }

    abort() {
      this.isAborted = true;
      // The other side may not hear of it.
      if (!this.isStalled) {
        this.link?.onclose();
      }
      this.onreadystatechange?.();
      this.onprogress?.({});
      this.onloadend?.({});
    }
  }

  return Object.assign(network, { WebSocket, XMLHttpRequest });
}

/** What leaves is a copy: later changes by the sender must not show. */
function copy(data) {
  return typeof data === 'string' ? data : new Uint8Array(data).slice().buffer;
}

export { createNetwork };
