/**
 * Owns finding out which header a server on another origin lacks. Browsers do not tell a page, but
 * what works without the header and not with it says as much.
 * Leaves when to ask to acceptance.js.
 */

/**
 * Tries from what needs least to what needs most, and tells the first that fails.
 * @param {string} mount absolute, without a slash at its end
 * @param {boolean} withCredentials
 * @param {(text: string) => void} tell
 */
function diagnose(mount, withCredentials, tell) {
  var isCrossOrigin = mount.indexOf(location.protocol + '//' + location.host + '/') !== 0;
  if (isCrossOrigin && !('withCredentials' in newRequest())) {
    tell('the XMLHttpRequest of this browser cannot cross origins');
    return;
  }
  var trials = [
    // Anything but the right headers makes the answer unreadable; that it is a refusal does not.
    ['Access-Control-Allow-Origin', 'text/plain', false],
    ['Access-Control-Allow-Headers: content-type, in the answer to OPTIONS', 'application/octet-stream', false],
    ['Access-Control-Allow-Credentials: true', 'text/plain', true]
  ];

  function next(index) {
    if (index === trials.length || (trials[index][2] && !withCredentials)) {
      tell('no header is missing');
      return;
    }
    attemptPost(mount + '/poll', trials[index][1], trials[index][2], function (isReadable) {
      if (isReadable) {
        next(index + 1);
      } else {
        tell('missing or wrong header: ' + trials[index][0]);
      }
    });
  }

  // A script needs no header: does the server answer at all?
  attemptScript(mount + '/client.js', function (isThere) {
    if (isThere) {
      next(0);
    } else {
      tell('the server does not answer');
    }
  });
}

function attemptPost(url, type, withCredentials, done) {
  var request = newRequest();
  request.open('POST', url, true);
  if (withCredentials) {
    request.withCredentials = true;
  }
  request.setRequestHeader('Content-Type', type);
  request.onreadystatechange = function () {
    if (request.readyState === 4) {
      request.onreadystatechange = function () {};
      var status = 0;
      try {
        status = request.status;
      } catch (error) {
        // Old browsers throw where there is no answer.
      }
      done(status > 0);
    }
  };
  try {
    request.send('');
  } catch (error) {
    request.onreadystatechange = function () {};
    done(false);
  }
}

function attemptScript(url, done) {
  var script = document.createElement('script');
  var isDone = false;

  function finish(isThere) {
    if (!isDone) {
      isDone = true;
      done(isThere);
    }
  }

  script.onload = script.onreadystatechange = function () {
    if (!script.readyState || /loaded|complete/.test(script.readyState)) {
      finish(true);
    }
  };
  script.onerror = function () {
    finish(false);
  };
  setTimeout(function () {
    finish(false);
  }, 5000);
  script.src = url;
  document.getElementsByTagName('head')[0].appendChild(script);
}
