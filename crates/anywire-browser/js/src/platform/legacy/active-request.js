/**
 * Owns the request of engines that have it only as an object of the system's, which takes no members
 * but its own, and throws while it has no answer. Only in the full build.
 */

import root from '../../root.js';
import { ignore } from '../../transport.js';

var ActiveX = root.ActiveXObject;

/**
 * Gives the settings what the engine has in place of a XMLHttpRequest.
 * @param {Settings} settings
 */
export function findRequest(settings) {
  if (!settings.XMLHttpRequest && ActiveX) {
    settings.XMLHttpRequest = /** @type {any} */ (ActiveRequest);
  }
}

/**
 * @constructor
 * @this {any}
 */
function ActiveRequest() {
  var self = this;
  var request = new ActiveX('Microsoft.XMLHTTP');

  self.onreadystatechange = ignore;
  self.open = function (/** @type {string} */ method, /** @type {string} */ url) {
    request.open(method, url, true);
    // Set before, it would be forgotten; some call it at once.
    request.onreadystatechange = function () {
      self.readyState = request.readyState;
      if (self.readyState > 3) {
        try {
          self.status = request.status;
          self.responseText = request.responseText;
        } catch (error) {
          // There is no answer.
        }
      }
      self.onreadystatechange();
    };
  };
  self.setRequestHeader = function (/** @type {string} */ name, /** @type {string} */ value) {
    request.setRequestHeader(name, value);
  };
  self.getResponseHeader = function (/** @type {string} */ name) {
    return request.getResponseHeader(name);
  };
  self.send = function (/** @type {string} */ body) {
    request.send(body);
  };
  self.abort = function () {
    request.abort();
  };
}
