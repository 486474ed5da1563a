// Everything on the board but the pictures. It changes elements that are there, and makes none.

import { clock, count, day, duration, lasting, reason, say, share, words } from "./words.js";

const KEPT = 12;
const FAULT_MS = 6000;
const HOLD_MS = 400;
const RANK = { OK: 0, REVIEW: 1, INVALID: 2, NG: 3 };
const STATE_SIGN = { READY: "ok", RUNNING: "run", HELD: "pause", SUSPENDED: "pause", ERROR: "ng" };
const find = (selector) => document.querySelector(selector);

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function sign(svg, name) {
  const use = svg.firstElementChild;
  if (use.getAttribute("href") !== `#${name}`) use.setAttribute("href", `#${name}`);
}

function number(element, text) {
  put(element, text);
  element.classList.toggle("long", text.length > 8);
}

function tell(id, text) {
  const banner = document.getElementById(id);
  banner.hidden = text === "";
  put(banner.lastElementChild, text);
}

export class Board {
  constructor() {
    this.status = null;
    this.link = "connecting";
    this.detail = {};
    this.since = performance.now(); // of what `link` says
    this.offset = 0; // the station's clock less this browser's, in ms
    this.part = null; // the one whose verdict is shown
    this.next = null; // the worst that came while it must stand
    this.shownAt = -HOLD_MS;
    this.latest = null; // the one that came last
    this.recent = []; // [{ sequence, result }], the oldest first
    this.card = find("#verdict");
    this.word = find("#verdict strong");
    this.shape = find("#verdict .sign svg");
    this.ruler = document.createElement("canvas").getContext("2d");
    this.pop = this.shape.animate([{ transform: "scale(0.9)" }, { transform: "none" }], { duration: 140 });
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    for (let n = 0; n < KEPT; n += 1) {
      const item = document.createElement("li");
      item.innerHTML = '<svg aria-hidden="true"><use href="#idle"/></svg>';
      find("#history").append(item);
    }
    for (const name of Object.keys(RANK)) put(find(`[data-count=${name.toLowerCase()}] dt span`), words[name]);
    for (const name of ["yield", "rate", "triggers", "flight", "p50", "p99"]) {
      put(find(`[data-figure=${name}] dt`), words[name]);
    }
    new ResizeObserver(() => this.fit()).observe(this.card);
    this.show();
  }

  // --- what came --------------------------------------------------------------------------------

  setLink(link, detail) {
    if (link !== this.link && !(link === "gone" && this.link === "silent")) this.since = performance.now();
    if (link === "silent") this.since = performance.now() - 1000;
    this.link = link;
    this.detail = detail;
    this.show();
  }

  setStatus(status) {
    this.status = status;
    this.offset = Date.parse(status.time) - Date.now();
    this.show();
  }

  /** A part with its verdict. told: by a record, of before; else by an event, now. */
  take(part, told = false) {
    if (this.recent.some((one) => one.sequence === part.sequence)) return;
    this.recent.push({ sequence: part.sequence, result: part.result });
    this.recent.sort((a, b) => a.sequence - b.sequence);
    this.recent.splice(0, this.recent.length - KEPT);
    this.showRecent();
    if (told && this.latest !== null && part.sequence < this.latest.sequence) return;
    this.latest = part;
    // What changes faster than people can see it may hurt them; so a verdict stands for a while, and what comes
    // meanwhile takes its place by its weight: a reject is never passed over for a good part.
    if (this.next === null || RANK[part.result] >= RANK[this.next.result]) this.next = part;
    this.advance(performance.now());
  }

  /** Another station, or another run of the numbers: nothing of it is known yet. */
  forget() {
    this.recent = [];
    this.part = this.next = this.latest = null;
    this.showRecent();
    this.show();
  }

  /** Each tenth of a second. */
  tick(now) {
    this.advance(now);
    const here = new Date(Date.now() + this.offset);
    put(find("#clock"), clock(here));
    put(find("#day"), day(here));
    if (this.link !== "live") this.showLink();
  }

  // --- what is seen -----------------------------------------------------------------------------

  advance(now) {
    if (this.next === null || now - this.shownAt < HOLD_MS) return;
    this.part = this.next;
    this.next = this.part === this.latest ? null : this.latest;
    this.shownAt = now;
    this.showVerdict();
    if (!this.calm.matches) this.pop.play();
  }

  show() {
    document.body.dataset.link = this.link;
    this.showLink();
    this.showVerdict();
    const { status } = this;
    if (status === null) return;
    this.showModes(status);
    this.showHead(status);
    this.showNumbers(status);
    this.showFaults(status.faults);
  }

  showLink() {
    const since = lasting((performance.now() - this.since) / 1000);
    const texts = {
      connecting: this.detail.why ? say(words.refused, { why: this.detail.why }) : words.connecting,
      silent: say(words.silent, { since }),
      gone: say(words.gone, { since }),
      version: say(words.version, this.detail),
    };
    tell("banner-link", texts[this.link] || "");
  }

  showModes(status) {
    const begun = status.bypass_since;
    const since = begun === null ? 0 : (Date.now() + this.offset - Date.parse(begun)) / 1000;
    const bypass = begun === null ? words.bypass : say(words.bypassSince, { since: lasting(since) });
    tell("banner-bypass", status.mode === "BYPASS" ? bypass : "");
    tell("banner-challenge", status.mode === "CHALLENGE" ? words.challenge : "");
    tell("banner-simulation", status.simulated || status.mode === "SIMULATION" ? words.simulation : "");
    tell("banner-stop", status.line_stop ? words.stop : "");
  }

  showHead(status) {
    const known = this.link === "live";
    put(find("#station"), status.name);
    document.title = `${status.name} · partsight`;
    put(find("#recipe"), say(words.recipe, { name: status.recipe }));
    const state = find("#state");
    sign(state.firstElementChild, known ? STATE_SIGN[status.state] || "idle" : "unknown");
    put(state.lastElementChild, known ? words[status.state] || status.state : words.link[this.link]);
    state.dataset.tone = !known || status.state === "ERROR" ? "bad" : "";
    const ready = find("#ready");
    sign(ready.firstElementChild, !known ? "unknown" : status.ready ? "ok" : "ng");
    put(ready.lastElementChild, !known ? words.unknown : status.ready ? words.ready : words.notReady);
    ready.dataset.tone = known && status.ready ? "good" : "bad";
  }

  showNumbers(status) {
    const { counters, latency_ms: latency } = status;
    for (const name of ["ok", "ng", "review", "invalid"]) number(find(`[data-count=${name}] dd`), count(counters[name]));
    const figures = {
      yield: share(status.yield_share),
      rate: count(status.rate_per_min),
      triggers: count(counters.triggers),
      flight: count(counters.in_flight),
      p50: duration(latency.p50),
      p99: duration(latency.p99),
    };
    for (const [name, text] of Object.entries(figures)) number(find(`[data-figure=${name}] dd`), text);
  }

  /** One at a time, each in its turn: so all of them are read, and the picture keeps its place. */
  showFaults(faults) {
    const place = find("#faults");
    place.hidden = faults.length === 0;
    if (faults.length === 0) return;
    const turn = Math.floor(performance.now() / FAULT_MS) % faults.length;
    const fault = faults[turn];
    place.dataset.fault = fault.key;
    put(find("#faults h2"), fault.text);
    put(find("#faults p"), say(words.cure, { at: clock(new Date(fault.since)), cure: fault.cure }));
    put(find("#faults strong"), faults.length > 1 ? `${turn + 1} / ${faults.length}` : "");
  }

  showRecent() {
    const items = find("#history").children;
    const first = KEPT - this.recent.length;
    for (let n = 0; n < KEPT; n += 1) {
      const one = n < first ? null : this.recent[n - first];
      items[n].dataset.result = one === null ? "" : one.result;
      items[n].title = one === null ? "" : words[one.result];
      sign(items[n].firstElementChild, one === null ? "idle" : one.result.toLowerCase());
    }
  }

  // --- the verdict ------------------------------------------------------------------------------

  /** A verdict only while the station judges and answers; else what it does instead. */
  showVerdict() {
    const { status, part } = this;
    const judging = this.link === "live" && status.state === "RUNNING" && status.alive;
    if (this.link !== "live") this.say("", "unknown", words.link[this.link], words.noVerdict, "");
    else if (!status.alive) this.say("", "invalid", words.stuck, words.noVerdict, this.lastPart());
    else if (!judging) {
      const why = status.error_text || status.why;
      this.say("", STATE_SIGN[status.state] || "idle", words[status.state] || status.state, why, this.lastPart());
    } else if (part === null) this.say("", "idle", words.waiting, words.noPart, "");
    else {
      const why = part.code === 0 ? "" : reason(part.code, part.reason);
      this.say(part.result, part.result.toLowerCase(), words[part.result], why, say(words.part, { id: name(part) }));
    }
    this.card.dataset.sequence = judging && part !== null ? String(part.sequence) : "";
  }

  say(result, shape, word, why, of) {
    const changed = this.word.textContent !== word;
    this.card.dataset.result = result;
    sign(this.shape, shape);
    put(this.word, word);
    put(find("#verdict .reason"), why);
    put(find("#verdict .part"), of);
    if (changed) this.fit();
  }

  lastPart() {
    return this.part === null ? "" : say(words.last, { id: name(this.part), word: words[this.part.result] });
  }

  /** The word as large as its place allows, with the shape over it or beside it. */
  fit() {
    const place = find("#verdict .sign");
    const wide = place.clientWidth;
    const high = place.clientHeight;
    this.ruler.font = `900 100px ${getComputedStyle(this.word).fontFamily}`;
    const letters = this.ruler.measureText(this.word.textContent).width / 100 + 0.1;
    const over = Math.min(high * 0.42, wide / letters);
    const beside = Math.min(high * 0.8, wide / (letters + 1.1));
    place.classList.toggle("row", beside > over);
    const size = Math.floor(Math.max(over, beside, 8));
    const shape = beside > over ? Math.min(size * 1.05, high) : Math.min(high - size * 1.2, wide);
    this.word.style.fontSize = `${size}px`;
    this.shape.style.width = this.shape.style.height = `${Math.floor(Math.max(8, shape))}px`;
  }
}

function name(part) {
  return part.part_id || String(part.id);
}
