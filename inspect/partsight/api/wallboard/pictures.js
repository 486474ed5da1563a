// The cameras' pictures with their boxes. One canvas and at most two bitmaps a camera, however long the board runs.

import { count, words } from "./words.js";

const OLD_MS = 850;
const RATE = 10;
const WIDTHS = [320, 480, 640, 960, 1280, 1600, 1920]; // boards that ask alike share one encoding
const SHOWN_FROM = 0.25; // scores of boxes that decided nothing, but are worth a thin line
const MOST_BOXES = 100;
const GOOD = ["streaming", "armed"];
const COLOURS = { OK: "#35c77b", NG: "#ff5c5c", REVIEW: "#ffb833", INVALID: "#c792ff" };

/** A camera's place in the grid. */
class Tile {
  constructor(name, reshaped) {
    this.name = name;
    this.header = null;
    this.bitmap = null;
    this.waiting = null; // the newest picture that came while one was decoded
    this.decoding = false;
    this.newerSince = 0; // when a part was judged whose picture is not here; 0: none
    this.judged = 0; // the newest part's sequence
    this.state = "";
    this.reshaped = reshaped;
    this.box = document.createElement("figure");
    this.canvas = document.createElement("canvas");
    this.caption = document.createElement("figcaption");
    this.part = document.createElement("p");
    this.old = document.createElement("p");
    this.old.className = "old";
    this.part.className = "of";
    this.part.innerHTML = '<svg aria-hidden="true"><use/></svg><span></span>';
    this.box.dataset.camera = name;
    this.box.append(this.canvas, this.caption, this.part, this.old);
    this.setOld(false);
    this.show();
  }

  /** Decode, or remember it until the one before is decoded: latest only. */
  put(header, jpeg) {
    if (this.decoding) {
      this.waiting = { header, jpeg };
      return;
    }
    this.decoding = true;
    createImageBitmap(jpeg).then(
      (bitmap) => this.decoded(header, bitmap),
      () => this.decoded(header, null), // what is no picture leaves the old one there, which then is called old
    );
  }

  decoded(header, bitmap) {
    this.decoding = false;
    if (bitmap !== null) {
      if (this.bitmap !== null) this.bitmap.close();
      const shape = this.shape();
      this.bitmap = bitmap;
      this.header = header;
      const seen = header.sequence === null || header.sequence >= this.judged;
      this.newerSince = seen ? 0 : performance.now();
      this.draw();
      this.show();
      if (this.shape() !== shape) this.reshaped();
    }
    if (this.waiting !== null) {
      const { header: next, jpeg } = this.waiting;
      this.waiting = null;
      this.put(next, jpeg);
    }
  }

  /** Width to height. */
  shape() {
    return this.header === null || !this.header.height ? 4 / 3 : this.header.width / this.header.height;
  }

  /** The part of the picture, beside it: at a fast line it is another one than the verdict's. */
  show() {
    const { header } = this;
    const judged = header !== null && header.result !== null;
    this.part.hidden = !judged;
    if (judged) {
      this.part.querySelector("use").setAttribute("href", `#${header.result.toLowerCase()}`);
      this.part.dataset.result = header.result;
      const name = header.part_id || `#${header.sequence}`;
      const long = name.length > 10 && this.box.clientWidth < document.body.clientWidth / 3;
      this.part.lastChild.textContent = long ? `…${name.slice(-8)}` : name; // what differs stands at the end
    }
    this.box.dataset.sequence = judged ? String(header.sequence) : "";
    const good = this.state === "" || GOOD.includes(this.state);
    this.caption.textContent = good ? this.name : `${this.name}: ${words.camera[this.state] || this.state}`;
    this.caption.classList.toggle("bad", !good);
  }

  setOld(old) {
    this.old.hidden = !old && this.bitmap !== null;
    this.old.textContent = this.bitmap === null ? words.noPicture : words.old;
    this.box.classList.toggle("stale", old && this.bitmap !== null);
  }

  draw() {
    const { canvas, bitmap, header } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.box.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.box.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    if (bitmap === null) return;
    const scale = Math.min(width / header.width, height / header.height);
    const left = (width - header.width * scale) / 2;
    const top = (height - header.height * scale) / 2;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(bitmap, left, top, header.width * scale, header.height * scale);
    this.drawBoxes(pen, { left, top, scale, unit: Math.max(2, Math.min(width, height) / 240) });
  }

  drawBoxes(pen, place) {
    const { header } = this;
    const decided = header.findings.filter((f) => f.box !== null && (f.camera === "" || f.camera === this.name));
    const places = decided.map((finding) => finding.box.join());
    const others = header.boxes.filter((b) => b.score >= SHOWN_FROM && !places.includes(b.box.join()));
    for (const found of others.slice(0, MOST_BOXES)) outline(pen, place, found.box, "#ffffff", 1);
    const colour = COLOURS[header.result] || COLOURS.NG;
    for (const finding of decided.slice(0, MOST_BOXES)) outline(pen, place, finding.box, colour, 2.2);
    for (const finding of decided.slice(0, MOST_BOXES)) label(pen, place, finding, colour);
  }
}

/** With a dark line under it, so that it is seen on any picture. */
function outline(pen, { left, top, scale, unit }, [x1, y1, x2, y2], colour, weight) {
  const at = [left + x1 * scale, top + y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale];
  pen.lineJoin = "round";
  pen.lineWidth = unit * weight + 2 * unit;
  pen.strokeStyle = "rgba(0, 0, 0, 0.65)";
  pen.strokeRect(...at);
  pen.lineWidth = unit * weight;
  pen.strokeStyle = colour;
  pen.strokeRect(...at);
}

function label(pen, { left, top, scale, unit }, finding, colour) {
  const text = finding.score === null ? finding.text : `${finding.text} ${count(finding.score * 100)} %`;
  const size = unit * 9;
  pen.font = `700 ${size}px system-ui, sans-serif`;
  const wide = pen.measureText(text).width + size * 0.6;
  const x = Math.max(0, Math.min(left + finding.box[0] * scale - unit, pen.canvas.width - wide));
  const above = top + finding.box[1] * scale - size * 1.5;
  const y = above >= 0 ? above : Math.min(top + finding.box[3] * scale + unit * 2, pen.canvas.height - size * 1.4);
  pen.fillStyle = colour;
  pen.fillRect(x, y, wide, size * 1.35);
  pen.fillStyle = "#0b0f14";
  pen.textBaseline = "middle";
  pen.fillText(text, x + size * 0.3, y + size * 0.7);
}

/** All cameras, as many columns as make the pictures largest. want: asks the station for pictures. */
export class Pictures {
  constructor(grid, want) {
    this.grid = grid;
    this.want = want;
    this.tiles = new Map();
    this.asked = "";
    this.settle = 0;
    this.arrange = this.arrange.bind(this);
    new ResizeObserver(() => this.later()).observe(grid);
    document.addEventListener("visibilitychange", () => this.later());
  }

  /** The cameras of a status. */
  setCameras(cameras) {
    const names = cameras.map((camera) => camera.name);
    if (names.join("\n") !== [...this.tiles.keys()].join("\n")) {
      for (const tile of this.tiles.values()) tile.box.remove();
      this.tiles = new Map(names.map((name) => [name, new Tile(name, this.arrange)]));
      for (const tile of this.tiles.values()) this.grid.append(tile.box);
      this.arrange();
    }
    for (const camera of cameras) {
      const tile = this.tiles.get(camera.name);
      if (tile.state !== camera.state) {
        tile.state = camera.state;
        tile.show();
      }
    }
  }

  put(header, jpeg) {
    const tile = this.tiles.get(header.camera);
    if (tile !== undefined) tile.put(header, jpeg);
  }

  /** A part was judged: from now on pictures of older ones are old. */
  judged(sequence) {
    for (const tile of this.tiles.values()) {
      if (sequence <= tile.judged) continue;
      tile.judged = sequence;
      const newer = tile.header === null || tile.header.sequence === null || tile.header.sequence < sequence;
      if (newer && tile.newerSince === 0) tile.newerSince = performance.now();
    }
  }

  /** Each tenth of a second. live: whether the station answers. */
  tick(now, live) {
    for (const tile of this.tiles.values()) {
      const late = tile.newerSince !== 0 && now - tile.newerSince > OLD_MS;
      tile.setOld(!live || late || (tile.state !== "" && !GOOD.includes(tile.state)));
    }
  }

  later() {
    clearTimeout(this.settle);
    this.settle = setTimeout(this.arrange, 150);
  }

  arrange() {
    const tiles = [...this.tiles.values()];
    if (tiles.length === 0) return;
    const shape = tiles.reduce((sum, tile) => sum + tile.shape(), 0) / tiles.length;
    let columns = 1;
    let highest = 0;
    for (let n = 1; n <= tiles.length; n += 1) {
      const high = Math.min(
        this.grid.clientHeight / Math.ceil(tiles.length / n),
        this.grid.clientWidth / n / shape,
      );
      if (high > highest) {
        highest = high;
        columns = n;
      }
    }
    this.grid.style.setProperty("--columns", columns);
    this.grid.style.setProperty("--rows", Math.ceil(tiles.length / columns));
    for (const tile of tiles) tile.draw();
    this.ask(highest * shape);
  }

  /** For pictures as wide as they are shown; for none while nobody can see them. */
  ask(shown) {
    const wide = shown * (window.devicePixelRatio || 1);
    const width = WIDTHS.find((one) => one >= wide) || WIDTHS[WIDTHS.length - 1];
    const cameras = document.hidden ? [] : ["*"];
    const wish = { type: "previews", cameras, width, rate: RATE, quality: 80 };
    if (JSON.stringify(wish) !== this.asked) {
      this.asked = JSON.stringify(wish);
      this.want(wish);
    }
  }
}

