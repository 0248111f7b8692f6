// Owns the page's address: which view it names, and what in it differs from how that view begins, so that a link shows
// what somebody saw.
(function (Compare) {
  'use strict';

  var VIEWS = ['news', 'questions', 'phone'];
  var named = location.pathname.split('/').pop();
  var values = parse(location.search.substr(1));

  function parse(query) {
    var found = {};
    query.split('&').forEach(function (pair) {
      var at = pair.indexOf('=');
      if (at < 1) {
        return;
      }
      var value = pair.substr(at + 1);
      found[pair.substr(0, at)] = /^\d{1,9}$/.test(value) ? parseInt(value, 10) :
        value === 'true' || value === 'false' ? value === 'true' : value;
    });
    return found;
  }

  // Engines that cannot change an address keep the one that they came with.
  function write() {
    var query = Object.keys(values).map(function (name) { return name + '=' + encodeURIComponent(values[name]); });
    if (window.history && history.replaceState) {
      history.replaceState(null, '', location.pathname + (query.length ? '?' + query.join('&') : ''));
    }
  }

  Compare.address = {
    view: VIEWS.indexOf(named) < 0 ? VIEWS[0] : named,

    // What the address named when the page came, by name.
    values: function () {
      return values;
    },

    // What the address names for this, if it is one of these.
    get: function (name, choices) {
      return choices.indexOf(values[name]) < 0 ? choices[0] : values[name];
    },

    // Names the values that are not as the view begins, and no others of these names.
    show: function (chosen, beginning) {
      Object.keys(chosen).forEach(function (name) {
        delete values[name];
        if (chosen[name] !== beginning[name]) {
          values[name] = chosen[name];
        }
      });
      write();
    }
  };
})(window.Compare);
