/**
 * Owns what the platform gives the public object: to be a target of events, its events and errors.
 * The modern build's; legacy/target.js has the same names for engines where nothing can inherit.
 */

import { EVENT_TYPES } from '../../surface.js';

/**
 * @param {AnywireObject} self
 * @returns {AnywireObject} with a handler for each type, which is called before listeners
 */
export function newTarget(self) {
  /** @type {AnywireObject} */
  var target = Reflect.construct(EventTarget, [], self.constructor);
  EVENT_TYPES.forEach(function (type) {
    target['on' + type] = null;
    target.addEventListener(type, function (/** @type {any} */ event) {
      if (target['on' + type]) {
        target['on' + type](event);
      }
    });
  });
  return target;
}

/** @param {any} members of the public object */
export function newPrototype(members) {
  // Both, as a class would.
  Object.setPrototypeOf(members.constructor, EventTarget);
  return Object.setPrototypeOf(members, EventTarget.prototype);
}

/**
 * @param {AnywireObject} target
 * @param {string} type
 * @param {any} members what its kind tells
 */
export function fire(target, type, members) {
  target.dispatchEvent(Object.assign(new Event(type), members));
}

/**
 * @param {string} name
 * @param {string} message
 */
export function newError(name, message) {
  return new DOMException(message, name);
}
