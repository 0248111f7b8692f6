/**
 * Owns the words of the public object: its states, and the types of its events.
 * Leaves the object to anywire.js, and to client.js when it changes its state.
 */

export var CONNECTING = 0;
export var OPEN = 1;
export var CLOSING = 2;
export var CLOSED = 3;

export var EVENT_TYPES = ['open', 'message', 'error', 'close', 'transport', 'reopen'];
