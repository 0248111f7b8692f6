/**
 * Owns what makes the public object a target of events where engines let nothing inherit from
 * theirs, its events and errors. The full build's; modern/target.js has the same names.
 */

import { append, later, own, splice } from '../../language.js';
import { EVENT_TYPES } from '../../surface.js';
import { take } from './take.js';

/** @type {(listener: Function, target: object, event: any) => void} */
var call = take(take.call);

/**
 * @param {AnywireObject} self
 * @returns {AnywireObject} with a handler for each type, which is called before listeners
 */
export function newTarget(self) {
  self._listeners = {};
  for (var i = 0; i < EVENT_TYPES.length; i++) {
    self['on' + EVENT_TYPES[i]] = null;
  }
  return self;
}

/** @param {any} members of the public object */
export function newPrototype(members) {
  /**
   * @this {AnywireObject}
   * @param {string} type
   * @param {Listener | null} listener
   * @param {any} [options]
   */
  members.addEventListener = function (type, listener, options) {
    var listeners = this._listeners['on' + type] = this._listeners['on' + type] || [];
    for (var i = 0; i < listeners.length; i++) {
      if (listeners[i].listener === listener) {
        return;
      }
    }
    listeners[listeners.length] = { listener: listener, once: options && own(options, 'once') };
  };

  /**
   * @this {AnywireObject}
   * @param {string} type
   * @param {Listener | null} listener
   */
  members.removeEventListener = function (type, listener) {
    var listeners = this._listeners['on' + type] || [];
    for (var i = listeners.length; i--;) {
      if (listeners[i].listener === listener) {
        // Where it is about to be called, it must not be.
        splice(listeners, i, 1)[0].listener = null;
      }
    }
  };

  /**
   * @this {AnywireObject}
   * @param {any} event
   */
  members.dispatchEvent = function (event) {
    /** @type {AnywireObject['_listeners']['']} */
    var listeners = append([{ listener: this['on' + event.type] }], this._listeners['on' + event.type] || []);
    try {
      event.target = event.currentTarget = this;
    } catch (error) {
      // The browser's own events do not let it be set.
    }
    for (var i = 0; i < listeners.length; i++) {
      var listener = listeners[i].listener;
      if (listeners[i].once) {
        this.removeEventListener(event.type, listener);
      }
      callListener(this, listener, event);
    }
    return true;
  };
  return members;
}

/**
 * A listener that throws must not stop the session, nor vanish: its error is thrown a turn later.
 * @param {AnywireObject} target
 * @param {any} listener
 * @param {any} event
 */
function callListener(target, listener, event) {
  try {
    if (typeof listener === 'function') {
      call(listener, target, event);
    } else if (listener && listener.handleEvent) {
      listener.handleEvent(event);
    }
  } catch (error) {
    later(function () {
      throw error;
    }, 0);
  }
}

/**
 * @param {AnywireObject} target
 * @param {string} type
 * @param {any} members what its kind tells
 */
export function fire(target, type, members) {
  members.type = type;
  target.dispatchEvent(members);
}

/**
 * An error that looks like the one WebSocket throws.
 * @param {string} name
 * @param {string} message
 */
export function newError(name, message) {
  var error = new Error(message);
  error.name = name;
  return error;
}
