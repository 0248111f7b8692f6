// The tabs of one profile, on one clock and with one server: locks, channels and a storage that all of them see.

import { Clock } from './clock.js';
import { decodePayload } from './packets.js';
import { createScene } from './scene.js';
import { Server } from './server.js';

const STEP_MS = 5;

/**
 * `how` says what the engine has: 'locks', 'storage' or 'nothing'; or locks that are 'mute' (they never answer) or
 * 'refused'. `protocol` is what resources tell of their connection.
 */
class Profile {
  constructor({ how = 'locks', protocol = '' } = {}) {
    Object.assign(this, {
      how, protocol, clock: new Clock(), tabs: [], locks: [], channels: [], seen: null, maxHeld: 0, maxShort: 0,
    });
    this.server = new Server(this.clock);
    this.storage = {};
  }

  /** A tab that has one session, or is of the page of another tab. */
  open({ page = this.createPage(), ...options } = {}) {
    const tab = createScene({
      clock: this.clock, server: this.server, transports: ['poll'], tabs: page,
      localStorage: this.how === 'storage' || this.how === 'nothing' ? page.storage : {},
      setTimeout: (callback, ms) => this.clock.setTimeout(() => page.isAlive && callback(), ms),
      ...options,
    });
    tab.page = page;
    this.tabs.push(tab);
    return tab;
  }

  /** Opened at once, or each after a while; the last is the one that is seen. */
  openMany(count, options) {
    return Array.from({ length: count }, () => this.open(options));
  }

  createPage() {
    const listeners = {};
    const profile = this;
    const page = {
      listeners, isAlive: true, seenAt: 0,
      document: { hidden: false },
      performance: { getEntriesByName: () => (this.protocol ? [{ nextHopProtocol: this.protocol }] : []) },
      window: {
        addEventListener: (type, listener) => (listeners[type] ??= []).push(listener),
        removeEventListener: (type, listener) => {
          listeners[type] = (listeners[type] ?? []).filter((other) => other !== listener);
        },
      },
      fire: (type, event) => listeners[type]?.forEach((listener) => listener({ type, ...event })),
    };
    page.storage = new Proxy(this.storage, {
      set: (_, key, value) => this.how !== 'nothing' && this.store(page, key, `${value}`),
      deleteProperty: (_, key) => this.store(page, key),
    });
    if (this.how !== 'nothing' && this.how !== 'storage') {
      page.locks = this.createLocks(page);
      page.Channel = class {
        constructor(name) {
          Object.assign(this, { name, page });
          profile.channels.push(this);
        }

        postMessage() {
          const others = profile.channels.filter((other) => other !== this && other.name === this.name);
          others.forEach((other) => profile.later(other.page, () => {
            if (profile.channels.includes(other)) {
              other.onmessage({ type: 'message' });
            }
          }));
        }

        close() {
          profile.channels = profile.channels.filter((other) => other !== this);
        }
      };
    }
    return page;
  }

  /** What comes from outside comes to a page as long as it lives. */
  later(page, callback) {
    this.clock.setTimeout(() => page.isAlive && callback(), 1);
  }

  store(page, key, newValue) {
    const oldValue = this.storage[key] ?? null;
    delete this.storage[key];
    if (newValue !== undefined) {
      this.storage[key] = newValue;
    }
    this.tabs.filter((tab) => tab.page !== page).forEach((tab) => this.later(
      tab.page, () => tab.page.fire('storage', { key, oldValue, newValue: newValue ?? null })));
    return true;
  }

  createLocks(page) {
    const answer = () => new Promise((resolve, reject) => {
      if (this.how === 'refused') {
        reject(new Error('SecurityError'));
      } else if (this.how !== 'mute') {
        this.later(page, resolve);
      }
    });
    return {
      request: async (name, granted) => {
        const lock = { name, page, granted };
        await answer();
        this.locks.push(lock);
        this.grant();
      },
      query: async () => {
        await answer();
        return { held: this.locks.filter((lock) => lock.isHeld).map(({ name }) => ({ name })), pending: [] };
      },
    };
  }

  grant() {
    for (const lock of this.locks) {
      if (this.locks.find(({ name }) => name === lock.name) === lock && !lock.isHeld) {
        lock.isHeld = true;
        this.later(lock.page, () => Promise.resolve(lock.granted()).then(() => this.release(lock)));
      }
    }
  }

  release(lock) {
    this.locks = this.locks.filter((other) => other !== lock);
    this.grant();
  }

  /** Shows a tab in place of the one that is seen. */
  show(tab) {
    this.tabs.forEach(({ page }) => Object.assign(page.document, { hidden: true }));
    tab.page.document.hidden = false;
  }

  /** The tab ends without a word. */
  kill(tab) {
    tab.page.isAlive = false;
    tab.network.requests.forEach((request) => Object.assign(request, { isAborted: true }));
    this.locks.filter(({ page }) => page === tab.page).forEach((lock) => this.release(lock));
    this.channels = this.channels.filter(({ page }) => page !== tab.page);
  }

  /** Runs on, with what promises bring in between. */
  async advance(ms) {
    for (let past = 0; past < ms; past += STEP_MS) {
      this.clock.advance(STEP_MS);
      await new Promise(setImmediate);
      this.maxHeld = Math.max(this.maxHeld, this.holders().length);
      this.maxShort = Math.max(this.maxShort, this.tabs.flatMap(short).length);
    }
  }

  /** The tabs that hold an exchange. */
  holders() {
    return this.tabs.filter((tab) => underWay(tab).some(isHeld));
  }
}

const underWay = (tab) => tab.network.requests.filter((request) => request.readyState < 4 && !request.isAborted);
const isHeld = ({ body }) => / 25000$/.test(decodePayload(body)[0].content);
const short = (tab) => underWay(tab).filter((request) => !isHeld(request));

export { Profile, isHeld };
