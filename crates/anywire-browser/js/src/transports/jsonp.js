/**
 * Owns one exchange by a script tag, for engines whose requests cannot cross origins (PROTOCOL §15). Only in the full
 * build.
 * Leaves what is too long for an address to form.js, and what is in an exchange to poll.js.
 */

import { exec, has, indexOf, replace, substring, unescape } from '../language.js';
import { insert } from '../platform/legacy/insert.js';
import root from '../root.js';
import { createTimer, soon } from '../timers.js';
import { ignore } from '../transport.js';
import { decodeText } from '../wire/text.js';
import { postForm } from './form.js';

/** Addresses that are longer are cut on some paths. */
var MAX_ADDRESS = 1900;
/** In an address no credential may stand. What else looks like one goes by a form too. */
var CREDENTIAL = /credential%22%3A|\d%3Ak/;
/** How often a page is looked at that is loading. */
var LOOK_MS = 50;
/** A script that has loaded and not called by then will not. */
var LOADED_MS = 500;

var JSONP = 'anywire_jsonp';
var lastCall = 0;
/** @type {{ [number: string]: (argument: any) => void }} */
var calls = {};

/** @type {Exchange} */
export function startScriptExchange(settings, endpoints, encoding, body, patienceMs, answered, failed) {
  /** @type {() => void} */
  var stop = ignore;
  var address = endpoints.jsonp + (indexOf(endpoints.jsonp, '?') < 0 ? '?' : '&');

  /** @param {string} escaped */
  function call(escaped) {
    stop = callScript(settings, address, escaped, patienceMs, function (argument) {
      if (typeof argument === 'string') {
        answered(argument);
      } else {
        failed('refused', 'jsonp', argument);
      }
    }, failed);
  }

  function post() {
    stop = postForm(settings, endpoints.form, JSONP + (++lastCall), body, function () {
      // Nothing can be read of its answer: an exchange that sends nothing asks how far it came.
      var first = /** @type {Packet} */ (decodeText(unescape(substring(body, 2, body.length)))[0]);
      first.content_ = replace(/** @type {string} */ (first.content_), /,"credential":.*"/, '');
      call(encoding.pack_([first]));
    });
  }

  function begin() {
    try {
      if (exec(/loading|interactive/, settings.document.readyState)) {
        // A script that is on its way keeps the page from having loaded.
        wait.set_(LOOK_MS);
      } else if (exec(CREDENTIAL, body) || address.length + body.length > MAX_ADDRESS) {
        post();
      } else {
        call(body);
      }
    } catch (error) {
      // What guards a page may forbid scripts and forms that are made.
      soon(settings, function () {
        failed('failed', '' + error);
      });
    }
  }

  var wait = createTimer(settings, begin);
  begin();
  return function () {
    wait.stop_();
    stop();
    answered = failed = ignore;
  };
}

/**
 * @param {Settings} settings
 * @param {string} address
 * @param {string} escaped
 * @param {number} patienceMs
 * @param {(argument: any) => void} answered
 * @param {(outcome: string, detail: string) => void} failed
 */
function callScript(settings, address, escaped, patienceMs, answered, failed) {
  var number = ++lastCall;
  /** @type {any} */
  var script = settings.document.createElement('script');
  // Of a script that cannot be had, some engines tell nothing.
  var timer = createTimer(settings, function () {
    fail('silent');
  });

  function finish() {
    timer.stop_();
    delete calls[number];
    script.onerror = script.onload = script.onreadystatechange = null;
    if (script.parentNode) {
      script.parentNode.removeChild(script);
    }
  }

  /** @param {string} outcome */
  function fail(outcome) {
    if (calls[number]) {
      finish();
      failed(outcome, 'no script');
    }
  }

  calls[number] = function (argument) {
    finish();
    answered(argument);
  };
  root[JSONP] = function (/** @type {number} */ number, /** @type {any} */ argument) {
    if (has(calls, '' + number)) {
      calls[number](argument);
    }
  };
  script.onerror = script.onload = function () {
    // One that has run has called.
    fail('closed');
  };
  script.onreadystatechange = function () {
    // Old engines tell it so, before or after they run it.
    if (exec(/loaded|complete/, script.readyState)) {
      timer.by_(settings.now() + LOADED_MS);
    }
  };
  script.async = true;
  // It begins `b=`.
  script.src = address + 'anywire.c=' + number + '&anywire.' + escaped;
  timer.set_(patienceMs);
  insert(settings, script);
  return finish;
}
