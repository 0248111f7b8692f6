// PhantomJS opens one page, and prints what it says and throws. Run by ../run.sh, which ends it.
var system = require('system');
var page = require('webpage').create();

page.onConsoleMessage = function (message) {
  console.log(message);
};
page.onError = function (message, stack) {
  console.log(message + (stack && stack[0] ? ' at ' + stack[0].file + ':' + stack[0].line : ''));
};
page.open(system.args[1], function (status) {
  if (status !== 'success') {
    console.log('the page did not load');
    phantom.exit(1);
  }
});
