// The page's part in a soak: sends numbered messages without end, and checks those that come.
window.soak = (() => {
  const soak = { isOver: false, sent: 0, received: 0, wrong: null, end: null };
  const text = (letter, index) => `${index % 5 ? '' : '\x10'}${letter}${index} é🦀`;

  soak.start = ({ every, ms }) => {
    const socket = new Anywire('/anywire');
    soak.socket = socket;
    socket.onopen = async () => {
      while (!soak.isOver) {
        // As an app does that looks at `bufferedAmount`.
        if (socket.bufferedAmount < 65536) {
          socket.send(text('u', soak.sent));
          soak.sent += 1;
          if ((soak.sent - 1) % every) continue;
        }
        await new Promise((resume) => setTimeout(resume, ms));
      }
    };
    socket.onmessage = ({ data }) => {
      if (data === text('d', soak.received)) soak.received += 1;
      else soak.wrong = soak.wrong || `in place ${soak.received} came ${data}`;
    };
    socket.onclose = ({ code, reason }) => { soak.end = `${code} ${reason}`; };
  };

  // The wall clock is an hour further.
  soak.jump = () => {
    const now = Date.now;
    Date.now = () => now() + 3600000;
  };

  soak.read = () => {
    const { sent, received, wrong, end } = soak;
    return { sent, received, wrong, end };
  };

  return soak;
})();
