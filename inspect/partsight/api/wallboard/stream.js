// The WebSocket, for months: connects again by itself, and says within a second when what it has told is old.

export const API = 1;
const SILENT_MS = 850; // two statuses (0.4 s) that did not come
const HALF_OPEN_MS = 5000; // a connection over which nothing comes is no connection
const TICK_MS = 100;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 2000;
const DECODER = new TextDecoder();

/**
 * `link` is one of: connecting (never yet heard), live, silent (connected, but the station says nothing), gone,
 * login, version. It is live only after a status that was sent while we listened: the first message may hold an old one.
 */
export class Stream {
  /** ear: { link(name, detail), welcome(message), status(note), event(note), gap(), picture(header, jpeg), tick(now) } */
  constructor(url, token, ear) {
    this.url = url;
    this.token = token; // () => text, "" without a login
    this.ear = ear;
    this.link = "connecting";
    this.heardAt = performance.now();
    this.everLive = false;
    this.socket = null;
    this.welcomed = false;
    this.delay = FIRST_DELAY_MS;
    this.timer = 0;
    this.watch = "";
    this.problem = null;
    this.tick = this.tick.bind(this);
    setInterval(this.tick, TICK_MS);
  }

  /** Connect now; what was there before is dropped. */
  open() {
    clearTimeout(this.timer);
    this.drop();
    const socket = new WebSocket(this.url);
    const token = this.token();
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.welcomed = false;
    this.problem = null;
    this.openedAt = performance.now();
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token }));
    socket.onmessage = (message) => this.take(message.data);
    socket.onclose = (event) => this.closed(event.code, token);
  }

  /** Which pictures are wanted, now and after each new connection. */
  want(wish) {
    this.watch = JSON.stringify(wish);
    if (this.welcomed) this.socket.send(this.watch);
  }

  /** No connection until `open`. */
  drop() {
    const socket = this.socket;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.socket = null;
    this.welcomed = false;
  }

  take(data) {
    if (typeof data !== "string") {
      this.takePicture(data);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "status") {
      this.ear.status(message.status);
      this.heard();
    } else if (message.type === "event") this.ear.event(message);
    else if (message.type === "welcome") this.takeWelcome(message);
    else if (message.type === "gap") this.ear.gap();
    else if (message.type === "problem") this.problem = message;
  }

  takeWelcome(message) {
    if (message.api !== API) {
      this.drop();
      this.say("version", { theirs: message.api, ours: API });
      this.again(LONGEST_DELAY_MS);
      return;
    }
    this.ear.welcome(message);
    if (this.watch) this.socket.send(this.watch);
    this.welcomed = true;
  }

  takePicture(data) {
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(DECODER.decode(new Uint8Array(data, 4, length)));
    this.ear.picture(header, new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
  }

  heard() {
    this.heardAt = performance.now();
    this.everLive = true;
    this.delay = FIRST_DELAY_MS;
    this.say("live");
  }

  closed(code, token) {
    this.socket = null;
    this.welcomed = false;
    const problem = this.problem;
    const renewed = token !== this.token();
    if (code === 4401 && problem !== null && problem.status === 401 && !renewed) {
      this.say("login", { had: token !== "" });
      return;
    }
    this.say(this.everLive || problem === null ? "gone" : "connecting", { why: problem === null ? "" : problem.text });
    this.again(this.delay);
    this.delay = Math.min(LONGEST_DELAY_MS, this.delay * 1.6);
  }

  again(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), delay);
  }

  tick() {
    const now = performance.now();
    const silence = now - this.heardAt;
    if (this.link === "live" && silence > SILENT_MS) this.say("silent");
    const waited = this.socket === null ? 0 : Math.min(silence, now - this.openedAt);
    if (waited > HALF_OPEN_MS) {
      this.drop();
      this.say("gone", { why: "" });
      this.again(this.delay);
    }
    this.ear.tick(now);
  }

  say(link, detail) {
    const changed = this.link !== link;
    this.link = link;
    if (changed || detail !== undefined) this.ear.link(link, detail || {});
  }
}
