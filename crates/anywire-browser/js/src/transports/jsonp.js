/**
 * Owns one exchange by a script tag, and by a form before it where an address is too short
 * (PROTOCOL §15), for engines whose requests cannot cross origins. Only in the full build.
 * Leaves what is in them to poll-leg.js.
 */

/** Addresses that are longer are cut on some paths. */
var MAX_ADDRESS = 1900;
/** A form whose answer nobody tells of has arrived, or the next exchange shows that it did not. */
var FORM_MS = 5000;

var JSONP = 'anywire_jsonp';
var lastCall = 0;
/** @type {{ [number: string]: (argument: any) => void }} */
var calls = {};

/** @type {Exchange} */
function startScriptExchange(settings, endpoints, encoding, body, patienceMs, answered, failed) {
  /** @type {() => void} */
  var stop = ignore;
  var address = endpoints.jsonp + (endpoints.jsonp.indexOf('?') < 0 ? '?' : '&');

  /** @param {string} escaped */
  function call(escaped) {
    stop = callScript(settings, address, escaped, patienceMs, function (argument) {
      if (typeof argument === 'string') {
        answered(argument);
      } else {
        failed('refused', 'jsonp', JSON.stringify(argument));
      }
    }, failed);
  }

  if (address.length + body.length > MAX_ADDRESS) {
    stop = postForm(settings, endpoints.form, body, function () {
      // Nothing can be read of its answer: an exchange that sends nothing asks how far it came.
      var first = decodeText(decodeURIComponent(body.substr(2)))[0];
      call(encoding.pack([first]));
    });
  } else {
    call(body);
  }
  return function () {
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
    timer.stop();
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
    if (calls.hasOwnProperty(number)) {
      calls[number](argument);
    }
  };
  script.onerror = script.onload = function () {
    // One that has run has called.
    fail('closed');
  };
  script.onreadystatechange = function () {
    // Old engines tell it so, before or after they run it.
    if (/loaded|complete/.test(script.readyState)) {
      timer.by(settings.now() + SHORT_RUNG_MS);
    }
  };
  script.async = true;
  script.src = address + 'c=' + number + '&' + escaped;
  timer.set(patienceMs);
  insert(settings, script);
  return finish;
}

/**
 * @param {Settings} settings
 * @param {string} url
 * @param {string} body
 * @param {() => void} posted
 */
function postForm(settings, url, body, posted) {
  var name = JSONP + (++lastCall);
  /** @type {any} */
  var box = settings.document.createElement('div');
  box.style.display = 'none';
  // The name of a frame that is made otherwise is not heeded by old engines.
  box.innerHTML = '<iframe name="' + name + '"></iframe><form method="post" target="' + name +
    '" accept-charset="utf-8"><textarea name="b"></textarea></form>';
  var timer = createTimer(settings, done);

  function stop() {
    timer.stop();
    frame.onload = frame.onreadystatechange = null;
    box.parentNode.removeChild(box);
  }

  function done() {
    stop();
    posted();
  }

  var frame = box.firstChild;
  var form = box.lastChild;
  form.action = url;
  form.firstChild.value = body;
  insert(settings, box);
  // Its first page has been loaded by now, or comes before the answer.
  form.submit();
  frame.onload = done;
  timer.set(FORM_MS);
  return stop;
}

/**
 * @param {Settings} settings
 * @param {any} element
 */
function insert(settings, element) {
  var page = settings.document;
  (page.body || page.getElementsByTagName('head')[0]).appendChild(element);
}
