/**
 * Owns what the platform gives the public object: to be a target of events, its events and errors.
 * The modern build's; legacy/target.js has the same names for engines where nothing can inherit.
 */

import root from '../../root.js';
import { EVENT_TYPES } from '../../surface.js';

var construct = Reflect.construct;
var assign = Object.assign;
var Target = root.EventTarget;
var PageEvent = root.Event;
var PageError = root.DOMException;

/**
 * @param {AnywireObject} self
 * @returns {AnywireObject} with a handler for each type, which is called before listeners
 */
export function newTarget(self) {
  /** @type {AnywireObject} */
  var target = construct(Target, [], self.constructor);
  for (var i = 0; i < EVENT_TYPES.length; i++) {
    addHandler(target, EVENT_TYPES[i]);
  }
  return target;
}

/**
 * @param {AnywireObject} target
 * @param {string} type
 */
function addHandler(target, type) {
  target['on' + type] = null;
  target.addEventListener(type, function (/** @type {any} */ event) {
    if (target['on' + type]) {
      target['on' + type](event);
    }
  });
}

/** @param {any} members of the public object */
export function newPrototype(members) {
  // Both, as a class would.
  Object.setPrototypeOf(members.constructor, Target);
  return Object.setPrototypeOf(members, Target.prototype);
}

/**
 * @param {AnywireObject} target
 * @param {string} type
 * @param {any} members what its kind tells
 */
export function fire(target, type, members) {
  target.dispatchEvent(assign(new PageEvent(type), members));
}

/**
 * @param {string} name
 * @param {string} message
 */
export function newError(name, message) {
  return new PageError(message, name);
}
