/**
 * Owns what the page is told by its address, and how it tells the test what it found.
 * Leaves what there is to find to acceptance.js.
 *
 * Everything here is ECMAScript 3, and asks for nothing that a browser of 2001 did not have.
 */

var query = readQuery();
var lastNumber = 0;

function readQuery() {
  var found = {};
  // KHTML leaves the question mark out.
  var pairs = location.search.replace(/^\?/, '').split('&');
  for (var i = 0; i < pairs.length; i++) {
    var pair = pairs[i].split('=');
    found[pair[0]] = decodeURIComponent(pair[1] || '');
  }
  return found;
}

function now() {
  return new Date().getTime();
}

function newRequest() {
  return window.XMLHttpRequest ? new XMLHttpRequest() : new ActiveXObject('Microsoft.XMLHTTP');
}

/**
 * Asks the page's own server, and waits. A request that is cut is repeated; by its number the server
 * does once what it is asked for.
 */
function ask(path, body) {
  var number = ++lastNumber;
  for (var i = 0; i < 5; i++) {
    try {
      var request = newRequest();
      request.open('POST', location.protocol + '//' + location.host + path + '?number=' + number,
        false);
      request.setRequestHeader('Content-Type', 'text/plain');
      request.send(body);
      // KHTML knows no status of a request that it waited for.
      if (request.responseText === 'done') {
        return;
      }
    } catch (error) {
      // Cut: once more.
    }
  }
}

/** Tells the test, and whoever looks at the page. */
function report(fields) {
  for (var i = 0; i < fields.length; i++) {
    fields[i] = toAscii('' + fields[i]);
  }
  show(fields.join('  '));
  ask('/report', fields.join('\t'));
}

function show(line) {
  var log = document.getElementById('log');
  if (log) {
    log.appendChild(document.createTextNode(line + '\n'));
  }
}

/** Browsers that change texts on the way must not change what is said of them. */
function toAscii(text) {
  return text.replace(/[^ -~]/g, function (unit) {
    return '\\u' + hex(unit.charCodeAt(0));
  });
}

function hex(number) {
  return (number + 0x10000).toString(16).substr(1);
}

window.onerror = function (message, source, line) {
  report(['error', message + ' at ' + source + ':' + line]);
};
