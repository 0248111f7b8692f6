// Time that stands still until a test moves it.

class Clock {
  constructor() {
    this.time = 1_000_000;
    // By how much the wall clock is ahead.
    this.jump = 0;
    this.count = 0;
    this.due = [];
    this.now = () => this.time;
    this.setTimeout = (callback, ms) => {
      const entry = { at: this.time + Math.max(0, ms || 0), order: this.count++, callback };
      this.due.push(entry);
      return entry;
    };
    /** A turn is a task that comes at once. */
    this.turns = (pump) => {
      this.setTimeout(() => pump() && this.turns(pump), 0);
    };
    this.clearTimeout = (entry) => {
      this.due = this.due.filter((other) => other !== entry);
    };
  }

  /** Runs what is due within the next `ms`, in order. */
  advance(ms) {
    const until = this.time + ms;
    for (;;) {
      const next = this.due.reduce(
        (first, entry) =>
          entry.at <= until &&
          (!first || entry.at < first.at || (entry.at === first.at && entry.order < first.order))
            ? entry : first, null);
      if (!next) {
        break;
      }
      this.due = this.due.filter((entry) => entry !== next);
      this.time = Math.max(this.time, next.at);
      next.callback();
    }
    this.time = until;
  }
}

export { Clock };
