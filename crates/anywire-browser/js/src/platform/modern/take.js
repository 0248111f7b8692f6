/**
 * Owns taking a method of the language from its prototype. The modern build's; legacy/take.js has the same name.
 */

// Of a function, since a page may have replaced Function itself.
/** @type {Function} */
var call = isNaN.call;

/**
 * A method as a function of its object, which looks nothing up when it is called.
 * @type {(method: Function) => any}
 */
export var take = /*#__PURE__*/ call.bind(call.bind, call);
