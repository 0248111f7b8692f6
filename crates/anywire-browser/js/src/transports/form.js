/**
 * Owns one body up by a form, whose answer nobody can read (PROTOCOL §15). Only in the full build.
 * Leaves to jsonp.js to ask what the server has taken of it.
 */

import { insert } from '../platform/legacy/insert.js';
import { createTimer } from '../timers.js';

/** A form whose answer nobody tells of has arrived, or the next exchange shows that it did not. */
var FORM_MS = 5000;

/**
 * @param {Settings} settings
 * @param {string} url
 * @param {string} name that no other frame has
 * @param {string} body
 * @param {() => void} posted
 */
export function postForm(settings, url, name, body, posted) {
  /** @type {any} */
  var box = settings.document.createElement('div');
  box.style.display = 'none';
  // The name of a frame that is made otherwise is not heeded by old engines.
  box.innerHTML = '<iframe name="' + name + '"></iframe><form method="post" target="' + name +
    '" accept-charset="utf-8"><textarea name="b"></textarea></form>';
  var timer = createTimer(settings, done);

  function stop() {
    timer.stop_();
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
  timer.set_(FORM_MS);
  return stop;
}
