// A document with script tags and forms, for a client that can use nothing else.


/**
 * `fate` says what becomes of scripts: 'ok', 'nothing' (they do not come, and nobody tells), 'error',
 * or 'readystatechange' (they do not come, and the engine says that they have loaded).
 */
function createPage() {
  const page = { scripts: [], forms: [], elements: [], fate: 'ok' };

  /** The document, whose requests go over a scene's network. */
  page.connect = ({ XMLHttpRequest }) => {
    const post = (body, answered) => {
      const request = new XMLHttpRequest();
      request.open('POST', 'poll');
      request.setRequestHeader('Content-Type', 'text/plain');
      request.onreadystatechange = () => request.readyState === 4 && answered(request);
      request.send(body);
    };
    const load = (script) => {
      page.scripts.push(script);
      if (page.fate === 'error') {
        queue(script, () => script.onerror?.());
      } else if (page.fate === 'readystatechange') {
        queue(script, () => {
          script.readyState = 'loaded';
          script.onreadystatechange?.();
        });
      } else if (page.fate === 'ok') {
        const [, number, body] = /[?&]anywire\.c=(\d+)&anywire\.(b=.*)$/.exec(script.src);
        post(body, ({ status, responseText }) => (responseText ? globalThis.anywire_jsonp(
          +number, status === 200 ? responseText : JSON.parse(responseText)) : script.onerror?.()));
      }
    };
    // A request that is answered late enough stands for the time that a load takes.
    const queue = (script, callback) => post('b=', callback);
    const submit = (form) => {
      page.forms.push(form);
      post(form.firstChild.value, () => form.frame.onload?.());
    };
    const remove = (element) => {
      page.elements.splice(page.elements.indexOf(element), 1);
      delete element.parentNode;
    };
    const body = {
      appendChild: (element) => {
        page.elements.push(element);
        element.parentNode = { removeChild: remove };
        if (element.tag === 'script') {
          load(element);
        }
      },
    };
    return {
      body,
      createElement: (tag) => ({
        tag, style: {},
        set innerHTML(html) {
          this.firstChild = {};
          this.lastChild = {
            html, frame: this.firstChild, firstChild: {}, submit() { submit(this); },
          };
        },
      }),
    };
  };
  return page;
}

export { createPage };
