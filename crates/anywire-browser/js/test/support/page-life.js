// A page around the client: what it listens to, and a way to fire it.

/** Runs with a window, a document and a network that a test can fire events on. */
export function withPage(work) {
  const listeners = {};
  const target = (more) => ({
    addEventListener: (type, listener) => {
      (listeners[type] = listeners[type] || []).push(listener);
    },
    removeEventListener: (type, listener) => {
      listeners[type] = listeners[type].filter((other) => other !== listener);
    },
    ...more,
  });
  const page = target({ hidden: false, createElement: () => ({}) });
  const navigator = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  const connection = target({ type: 'wifi' });
  Object.assign(globalThis, target(), { document: page });
  Object.defineProperty(globalThis, 'navigator', { value: { connection }, configurable: true });
  try {
    work({
      page, connection, listeners,
      fire: (type, event) =>
        (listeners[type] || []).forEach((listener) => listener({ type, ...event })),
    });
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
    delete globalThis.document;
    delete globalThis.navigator;
    if (navigator) {
      Object.defineProperty(globalThis, 'navigator', navigator);
    }
  }
}
