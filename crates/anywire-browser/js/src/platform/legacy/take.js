/**
 * Owns taking a method of the language from its prototype. The full build's; modern/take.js has the same name.
 */

// Of a function, since a page may have replaced Function itself.
/** @type {Function} */
var call = take.call;
/** @type {Function} */
var bind = take.bind;

/**
 * A method as a function of its object. Where functions can be bound, it looks nothing up when it is called.
 * @param {Function} method
 * @returns {any}
 */
export function take(method) {
  return bind ? bind.call(call, method) : function (/** @type {any} */ self, /** @type {any} */ a, /** @type {any} */ b) {
    return arguments.length > 2 ? method.call(self, a, b) : method.call(self, a);
  };
}
