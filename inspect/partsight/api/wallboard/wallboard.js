// A station on a television over the line. Reads only, and needs nobody.

import { Board } from "./board.js";
import { Login } from "./login.js";
import { Pictures } from "./pictures.js";
import { Stream } from "./stream.js";
import { language, locale } from "./words.js";

const RECENT = 12;

document.documentElement.lang = locale;
document.documentElement.dataset.language = language;

const board = new Board();
const pictures = new Pictures(document.getElementById("pictures"), (wish) => stream.want(wish));
const login = new Login(
  () => stream.open(),
  () => Date.now() + board.offset,
);
let software = "";
let run = "";

/** What was judged before this board came, or while it heard nothing. */
async function fetchRecent() {
  const headers = login.token ? { Authorization: `Bearer ${login.token}` } : {};
  const answer = await fetch(`api/v1/records?limit=${RECENT}`, { headers });
  if (!answer.ok) return;
  const { parts } = await answer.json();
  for (const part of parts.reverse()) board.take(part, true);
}

const recent = () => {
  fetchRecent().catch(() => {}); // the next connection, or the next part, brings what is missing here
};

const stream = new Stream(new URL("api/v1/stream", location.href).href.replace(/^http/, "ws"), () => login.token, {
  link(link, detail) {
    board.setLink(link, detail);
    if (link === "login") login.open(detail.had);
  },
  welcome(message) {
    if (software !== "" && software !== message.status.software) {
      location.reload(); // the station was updated, and its board with it
      return;
    }
    software = message.status.software;
    if (run !== "" && run !== message.run) board.forget();
    run = message.run;
    login.close();
    pictures.setCameras(message.status.cameras);
    recent();
  },
  status(note) {
    board.setStatus(note);
    pictures.setCameras(note.cameras);
  },
  event({ kind, data }) {
    if (kind !== "finished") return;
    board.take(data);
    pictures.judged(data.sequence);
  },
  gap: recent,
  picture: (header, jpeg) => pictures.put(header, jpeg),
  tick(now) {
    board.tick(now);
    pictures.tick(now, stream.link === "live");
  },
});
stream.open();
