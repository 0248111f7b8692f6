/**
 * Owns stand-ins for what old engines lack of engine.js. Only in the full build.
 */

if (!root.performance || !performance.now) {
  engine.now = function () {
    return new Date().getTime();
  };
}

if (!root.crypto || !crypto.getRandomValues) {
  engine.randomBytes = function (count) {
    /** @type {any} */
    var bytes = [];
    while (bytes.length < count) {
      bytes.push(Math.floor(Math.random() * 256));
    }
    return bytes;
  };
}

if (root.document) {
  // The way that every browser has.
  engine.absolute = function (url) {
    var anchor = document.createElement('a');
    anchor.href = url;
    return anchor.href;
  };
}

if (!root.TextEncoder) {
  engine.utf8Length = function (text) {
    var length = text.length;
    for (var i = 0; i < text.length; i++) {
      var unit = text.charCodeAt(i);
      // A surrogate stands for half of a character of four bytes.
      length += unit < 0x80 ? 0 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
    }
    return length;
  };
}

engine.copy = function (view) {
  var bytes = new Uint8Array(view.length);
  // Asked for a copy of a view, KHTML gives one of what its buffer begins with.
  for (var i = 0; i < view.length; i++) {
    bytes[i] = view[i];
  }
  return bytes;
};

engine.readBlob = function (blob, done, failed) {
  var reader = new FileReader();
  reader.onload = function () {
    done(/** @type {ArrayBuffer} */ (reader.result));
  };
  reader.onerror = failed;
  reader.readAsArrayBuffer(blob);
};

engine.binaryType = function () {
  try {
    return new Blob([]) && 'blob';
  } catch (error) {
    // Some have a Blob that cannot be made.
    return 'arraybuffer';
  }
};
