// Wine's JScript runs the scripts of a page: a true engine of ECMAScript 3, with the XMLHTTP object of its time and no
// DOM. What the scripts need of a window is stood in for here. Run by ../run.sh, which ends it.
//
// It cannot sleep, but a synchronous request lets events happen: /pump answers after some milliseconds.
var window = this;
var self = this;
var PUMP_MS = 15;
var parts = /^(http:)\/\/(([^:\/]+)(?::(\d+))?)(\/[^?]*)(\?.*)?$/.exec(WScript.Arguments(0));
var location = {
  href: parts[0], protocol: parts[1], host: parts[2], hostname: parts[3], port: parts[4] || '',
  pathname: parts[5], search: parts[6] || ''
};
var navigator = { userAgent: 'Wine JScript' };
var document = {
  title: '',
  createElement: function (name) {
    return { tagName: name, style: {} };
  },
  getElementById: function () {
    return null;
  }
};
// Wine's takes a text to end at NUL, and throws at a surrogate pair. JScript's did neither; so it is given one that
// leaves to Wine's what that can do.
var encodeOfWine = encodeURIComponent;
var encodeURIComponent = function (text) {
  return ('' + text).replace(/\0|[\uD800-\uDBFF][\uDC00-\uDFFF]|[^\0\uD800-\uDBFF]+/g, function (part) {
    if (part === '\0') {
      return '%00';
    }
    if (!/^[\uD800-\uDBFF]/.test(part)) {
      return encodeOfWine(part);
    }
    var point = 0x10000 + ((part.charCodeAt(0) & 0x3ff) << 10 | part.charCodeAt(1) & 0x3ff);
    var bytes = [0xf0 | point >> 18, 0x80 | point >> 12 & 63, 0x80 | point >> 6 & 63, 0x80 | point & 63];
    return '%' + bytes[0].toString(16) + '%' + bytes[1].toString(16) + '%' + bytes[2].toString(16) +
      '%' + bytes[3].toString(16);
  });
};
var timers = [];
var lastTimer = 0;

function setTimeout(callback, ms) {
  timers.push({ id: ++lastTimer, callback: callback, at: new Date().getTime() + (ms || 0) });
  return lastTimer;
}

function clearTimeout(id) {
  for (var i = 0; i < timers.length; i++) {
    if (timers[i].id === id) {
      timers.splice(i, 1);
      return;
    }
  }
}

function get(path) {
  var request = new ActiveXObject('Microsoft.XMLHTTP');
  request.open('GET', location.protocol + '//' + location.host + path, false);
  request.send();
  return request.responseText;
}

function tell(what, error) {
  WScript.Echo(what + ' threw ' + (error.number >>> 0).toString(16) + ' ' + error.message);
}

/** Takes the timer that is due first out of the list, if there is one. */
function takeDue() {
  var now = new Date().getTime();
  var first = -1;
  for (var i = 0; i < timers.length; i++) {
    if (timers[i].at <= now && (first < 0 || timers[i].at < timers[first].at)) {
      first = i;
    }
  }
  return first < 0 ? null : timers.splice(first, 1)[0];
}

// The scripts, in the order in which the page names them.
var scripts = [];
get(location.pathname).replace(/<script src="([^"]+)"/g, function (tag, path) {
  scripts.push(path);
  return tag;
});
for (var s = 0; s < scripts.length; s++) {
  // Here and in no function: what is evaluated in one is not global.
  try {
    eval(get(scripts[s]));
  } catch (error) {
    tell(scripts[s], error);
  }
}
for (var turn = 0; ; turn++) {
  var timer = takeDue();
  if (timer) {
    try {
      timer.callback();
    } catch (error) {
      tell('a timer', error);
    }
  }
  get('/pump?ms=' + (timer ? 0 : PUMP_MS) + '&turn=' + turn);
}
