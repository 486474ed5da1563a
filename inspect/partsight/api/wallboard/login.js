// A login where the station asks for one: a viewer's, kept for this tab only. Nobody looks after what hangs on a wall.

import { say, words } from "./words.js";

const KEY = "partsight-viewer";
const LOOK_AGAIN_MS = 5000;
const SOONEST_MS = 20_000;

async function ask(path, token, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const options = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await fetch(`api/v1/${path}`, options);
  const told = answer.status === 204 ? null : await answer.json();
  return { status: answer.status, told, wait: answer.headers.get("Retry-After") };
}

export class Login {
  /** entered: called when there is something to try. stationNow: the station's time in ms. */
  constructor(entered, stationNow) {
    this.entered = entered;
    this.stationNow = stationNow;
    this.form = document.getElementById("login");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.form.querySelector("h2").textContent = words.login;
    this.form.querySelector(".hint").textContent = words.hint;
    this.form.querySelector("button").textContent = words.enter;
    for (const label of this.form.querySelectorAll("[data-word]")) label.textContent = words[label.dataset.word];
    this.timer = 0;
    const kept = this.session();
    if (kept !== null) this.renewLater(kept);
  }

  session() {
    try {
      return JSON.parse(sessionStorage.getItem(KEY));
    } catch {
      return null;
    }
  }

  get token() {
    const kept = this.session();
    return kept === null ? "" : kept.token;
  }

  /** Ask for a login. had: there was one, which has ended. */
  open(had) {
    clearTimeout(this.timer);
    sessionStorage.removeItem(KEY);
    this.form.hidden = false;
    this.wrong(had ? words.over : "");
    this.form.elements.user.focus();
    this.timer = setInterval(() => this.look(), LOOK_AGAIN_MS);
  }

  close() {
    if (this.form.hidden) return;
    clearInterval(this.timer);
    this.form.hidden = true;
    this.form.reset();
    const kept = this.session();
    if (kept !== null) this.renewLater(kept);
  }

  /** The site may have opened the station to everybody meanwhile. */
  async look() {
    const { told } = await ask("about", "").catch(() => ({ told: null }));
    if (!this.form.hidden && told !== null && told.anonymous === "viewer") this.entered();
  }

  async submit() {
    const { user, password, button } = this.form.elements;
    const given = { user: user.value.trim(), password: password.value };
    password.value = "";
    try {
      const { status, told, wait } = await ask("login", "", given);
      if (status === 200) await this.let(told);
      else if (status === 401 || status === 422) this.wrong(words.wrong);
      else if (status === 429) this.wrong(say(words.wait, { n: wait }));
      else this.wrong(told.detail);
    } catch {
      this.wrong(words.noAnswer);
    }
  }

  async let(session) {
    if (session.role !== "viewer") {
      await ask("logout", session.token, {});
      this.wrong(say(words.tooMuch, { user: session.user }));
      return;
    }
    sessionStorage.setItem(KEY, JSON.stringify(session));
    this.entered();
  }

  wrong(text) {
    this.form.querySelector(".wrong").textContent = text;
  }

  renewLater(session) {
    const left = Date.parse(session.expires) - this.stationNow();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew(), Math.max(SOONEST_MS, left / 2));
  }

  async renew() {
    const { status, told } = await ask("renew", this.token, {}).catch(() => ({ status: 0 }));
    if (status === 200) sessionStorage.setItem(KEY, JSON.stringify(told));
    const kept = this.session();
    if (kept !== null && status !== 401) this.renewLater(kept);
  }
}
