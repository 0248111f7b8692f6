// A page's part in a trial: what `visitor.rs` is for the Rust client.
window.trial = (() => {
  const LAST_WORDS_MS = 60000;
  let lines = [];
  let isOver = false;
  let living = 0;

  function write(fact) {
    lines.push(`${Date.now()} ${fact}`);
  }

  function visit(url, name, number) {
    const life = `${name}.${number}`;
    let [sent, returned, timer, ends] = [0, 0, null, Date.now() + 10000 + Math.random() * 30000];
    let isOpen = false;
    let isClosing = false;
    living += 1;
    write(`opens ${life}`);
    const socket = new Anywire(`${url}?client=${name}`, [], { connectTimeoutMs: 30000 });
    function step() {
      if (isOver || Date.now() > ends) {
        if (returned === sent) {
          isClosing = true;
          socket.close(1000);
        } else if (Date.now() > ends + LAST_WORDS_MS && (ends = Infinity)) {
          write(`stuck ${life} ${returned} of ${sent}`);
          socket.close(1000);
        }
        if (isOver && ends > Date.now()) ends = Date.now();
      } else if (socket.readyState === 1) {
        write(`sent ${life} ${sent}`);
        socket.send(String(sent));
        sent += 1;
      }
    }
    socket.onopen = () => {
      isOpen = true;
      write(`opened ${life}`);
      socket.send(life);
      timer = setInterval(step, 100);
    };
    socket.onmessage = ({ data }) => {
      write(`got ${life} ${data}`);
      if (/^\d+$/.test(data)) returned += 1;
    };
    socket.onclose = ({ code }) => {
      clearInterval(timer);
      living -= 1;
      if (!isOpen) write(`refused ${life} ${code}`);
      else write(`${isClosing ? 'done' : 'ended'} ${life} ${code}`);
      if (!isOver) setTimeout(visit, Math.random() * 1000, url, name, number + 1);
    };
  }

  return {
    start(url, name) { visit(url, name, 0); },
    stop() { isOver = true; },
    take() {
      const taken = lines;
      lines = [];
      return { lines: taken, living };
    },
  };
})();
