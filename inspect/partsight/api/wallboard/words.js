// What the board says, in three languages. Words that screens share are the same as theirs (gui/translations).

const EN = {
  OK: "OK", NG: "NG", REVIEW: "REVIEW", INVALID: "INVALID",
  PREOPERATIONAL: "Starting up", INITIALIZED: "Stopped", READY: "Ready", RUNNING: "Running", HELD: "Held",
  SUSPENDED: "Suspended", HALTED: "Halted", ERROR: "Error",
  ready: "READY", notReady: "NOT READY", unknown: "Unknown",
  waiting: "Waiting", noPart: "No part yet.", part: "Part {id}", last: "Last part: {id}, {word}",
  noVerdict: "Verdicts are not known here.", stuck: "Does not answer",
  link: { connecting: "Connecting", silent: "No answer", gone: "No connection", login: "Log in", version: "Other version" },
  connecting: "Connecting to the station …",
  gone: "NO CONNECTION for {since}. What you see is old.",
  silent: "NO ANSWER for {since}. What you see is old.",
  version: "The station speaks version {theirs} of the API, this board version {ours}. Load the page again.",
  refused: "The station does not let this board in: {why}",
  bypass: "BYPASS: parts are inspected, nothing is rejected.",
  bypassSince: "BYPASS: parts are inspected, nothing is rejected. For {since}.",
  challenge: "CHALLENGE TEST: the parts are test parts.",
  simulation: "SIMULATION: pictures and parts are not real.",
  stop: "The line is asked to stop.",
  yield: "Yield", rate: "Parts / min", triggers: "Triggers", flight: "In flight",
  p50: "Latency p50", p99: "Latency p99", ms: "ms",
  old: "OLD PICTURE", noPicture: "No picture yet", recipe: "Recipe {name}",
  cure: "Since {at}. What to do: {cure}",
  camera: {
    opening: "Opening", streaming: "Streaming", armed: "Armed", stalled: "No pictures", backoff: "Reconnecting",
    ended: "Ended", fault: "Fault", stopped: "Stopped",
  },
  s: "{n} s", min: "{n} min", h: "{h} h {m} min", days: "{n} days",
  login: "Log in to see this station", hint: "Use a viewer’s login: everybody can see this board.",
  user: "User", password: "Password", enter: "Log in",
  wrong: "User and password do not fit.", wait: "Too many tries. Wait {n} s.",
  tooMuch: "{user} may do more than see. A board on a wall takes a viewer’s login only.",
  over: "The login has ended. Log in again.", noAnswer: "The station does not answer.",
  reasons: {},
};

const DE = {
  OK: "OK", NG: "NG", REVIEW: "PRÜFEN", INVALID: "UNGÜLTIG",
  PREOPERATIONAL: "Startet", INITIALIZED: "Gestoppt", READY: "Bereit", RUNNING: "Läuft", HELD: "Angehalten",
  SUSPENDED: "Unterbrochen", HALTED: "Stillgesetzt", ERROR: "Fehler",
  ready: "BEREIT", notReady: "NICHT BEREIT", unknown: "Unbekannt",
  waiting: "Wartet", noPart: "Noch kein Teil.", part: "Teil {id}", last: "Letztes Teil: {id}, {word}",
  noVerdict: "Urteile sind hier nicht bekannt.", stuck: "Antwortet nicht",
  link: {
    connecting: "Verbindet", silent: "Keine Antwort", gone: "Getrennt", login: "Anmelden", version: "Andere Version",
  },
  connecting: "Verbinde mit der Station …",
  gone: "KEINE VERBINDUNG seit {since}. Was Sie sehen, ist alt.",
  silent: "KEINE ANTWORT seit {since}. Was Sie sehen, ist alt.",
  version: "Die Station spricht Version {theirs} der API, diese Tafel Version {ours}. Bitte die Seite neu laden.",
  refused: "Die Station lässt diese Tafel nicht zu: {why}",
  bypass: "BYPASS: Teile werden geprüft, nichts wird ausgeworfen.",
  bypassSince: "BYPASS: Teile werden geprüft, nichts wird ausgeworfen. Seit {since}.",
  challenge: "PRÜFTEST: Die Teile sind Testteile.",
  simulation: "SIMULATION: Bilder und Teile sind nicht echt.",
  stop: "Die Linie soll anhalten.",
  yield: "Ausbeute", rate: "Teile / min", triggers: "Auslösungen", flight: "In Arbeit",
  p50: "Latenz p50", p99: "Latenz p99", ms: "ms",
  old: "ALTES BILD", noPicture: "Noch kein Bild", recipe: "Rezept {name}",
  cure: "Seit {at}. Was zu tun ist: {cure}",
  camera: {
    opening: "Öffnet", streaming: "Liefert Bilder", armed: "Wartet auf Auslöser", stalled: "Keine Bilder",
    backoff: "Verbindet neu", ended: "Beendet", fault: "Störung", stopped: "Gestoppt",
  },
  s: "{n} s", min: "{n} min", h: "{h} h {m} min", days: "{n} Tagen",
  login: "Anmelden, um diese Station zu sehen", hint: "Als Betrachter anmelden: Diese Tafel sehen alle.",
  user: "Benutzer", password: "Passwort", enter: "Anmelden",
  wrong: "Benutzer und Passwort passen nicht zusammen.", wait: "Zu viele Versuche. Bitte {n} s warten.",
  tooMuch: "{user} darf mehr als sehen. Eine Tafel an der Wand nimmt nur die Anmeldung eines Betrachters.",
  over: "Die Anmeldung ist abgelaufen. Bitte neu anmelden.", noAnswer: "Die Station antwortet nicht.",
  reasons: {
    1: "Bild ist schwarz", 2: "Bild ist überbelichtet", 3: "Bild ist unscharf", 4: "Bild ist gleich dem vorigen",
    5: "Bild hat die falsche Größe", 6: "Bild ist nicht lesbar", 7: "Bild ist zu dunkel oder zu hell",
    8: "zu viele gesättigte Pixel", 100: "kein Bild zur Auslösung", 101: "Kamera ist weg",
    102: "Bild ist unvollständig", 103: "die Ansicht einer Kamera fehlt", 200: "kein Urteil in der Zeit",
    201: "zu viele Teile auf einmal", 300: "Station wurde neu gestartet", 301: "Station lief nicht",
    302: "Aufzeichnung nicht möglich", 303: "innerer Fehler", 304: "Station wurde heruntergefahren",
    400: "Modell ist gescheitert", 401: "Modell hängt", 500: "kein Teil vorhanden", 501: "Teil liegt falsch",
    502: "Teil ist verdreht", 503: "falsches Teil", 504: "falsche Anzahl Merkmale",
    505: "kein Nachweis, dass das Teil gut ist", 600: "zweifelhaft",
  },
};

const ZH = {
  OK: "合格", NG: "不合格", REVIEW: "待复检", INVALID: "无效",
  PREOPERATIONAL: "启动中", INITIALIZED: "已停止", READY: "就绪", RUNNING: "运行中", HELD: "已暂停",
  SUSPENDED: "已中断", HALTED: "已停机", ERROR: "错误",
  ready: "就绪", notReady: "未就绪", unknown: "未知",
  waiting: "等待中", noPart: "尚无零件。", part: "零件 {id}", last: "上一个零件：{id}，{word}",
  noVerdict: "此处无法得知判定结果。", stuck: "无响应",
  link: { connecting: "连接中", silent: "无响应", gone: "未连接", login: "登录", version: "版本不同" },
  connecting: "正在连接检测站 ……",
  gone: "连接已断开 {since}。当前显示的是旧数据。",
  silent: "检测站已 {since} 无响应。当前显示的是旧数据。",
  version: "检测站使用 API 版本 {theirs}，此看板使用版本 {ours}。请重新加载页面。",
  refused: "检测站拒绝了此看板：{why}",
  bypass: "旁路：零件照常检测，但不剔除。",
  bypassSince: "旁路：零件照常检测，但不剔除。已持续 {since}。",
  challenge: "挑战测试：当前零件为测试件。",
  simulation: "模拟：图像和零件不是真实的。",
  stop: "已请求产线停止。",
  yield: "合格率", rate: "零件 / 分钟", triggers: "触发数", flight: "处理中",
  p50: "延迟 p50", p99: "延迟 p99", ms: "毫秒",
  old: "旧图像", noPicture: "尚无图像", recipe: "配方 {name}",
  cure: "自 {at} 起。处理方法：{cure}",
  camera: {
    opening: "打开中", streaming: "采集中", armed: "等待触发", stalled: "无图像", backoff: "重新连接", ended: "已结束",
    fault: "故障", stopped: "已停止",
  },
  s: "{n} 秒", min: "{n} 分钟", h: "{h} 小时 {m} 分钟", days: "{n} 天",
  login: "请登录以查看此检测站", hint: "请使用查看者账户登录：所有人都能看到此看板。",
  user: "用户", password: "密码", enter: "登录",
  wrong: "用户名与密码不匹配。", wait: "尝试次数过多，请等待 {n} 秒。",
  tooMuch: "{user} 的权限不止查看。墙上的看板只接受查看者账户。",
  over: "登录已失效，请重新登录。", noAnswer: "检测站无响应。",
  reasons: {
    1: "图像全黑", 2: "图像过曝", 3: "图像模糊", 4: "图像与上一张相同", 5: "图像尺寸错误", 6: "无法读取图像",
    7: "图像过暗或过亮", 8: "饱和像素过多", 100: "触发后没有图像", 101: "相机丢失", 102: "图像不完整",
    103: "缺少某台相机的视图", 200: "未及时得出判定", 201: "零件过多过密", 300: "检测站已重新启动", 301: "检测站未运行",
    302: "无法写入记录", 303: "内部故障", 304: "检测站正在关闭", 400: "模型失败", 401: "模型卡住", 500: "没有零件",
    501: "零件位置偏移", 502: "零件旋转", 503: "零件错误", 504: "特征数量错误", 505: "没有证据表明零件合格", 600: "存疑",
  },
};

const TABLES = { en: EN, de: DE, zh: ZH };
const LOCALES = { en: "en", de: "de", zh: "zh-CN" };

/** `?lang=` before what the browser prefers; English where neither is spoken here. */
function choose() {
  const asked = new URLSearchParams(location.search).get("lang");
  const wishes = [asked || "", ...navigator.languages];
  const found = wishes.map((wish) => wish.slice(0, 2).toLowerCase()).find((short) => short in TABLES);
  return found || "en";
}

export const language = choose();
export const locale = LOCALES[language];
export const words = TABLES[language];

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const hours = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const days = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short" });

/** A sentence with its gaps filled. */
export function say(text, gaps) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(gaps[name]));
}

/** A reason code in words; a defect keeps the station's own text. */
export function reason(code, text) {
  return words.reasons[code] || text;
}

export const count = (number) => (number === null ? "–" : whole.format(number));
/** Milliseconds in at most four figures. */
export function duration(ms) {
  if (ms === null) return "–";
  if (ms >= 1000) return say(words.s, { n: tenths.format(ms / 1000) });
  return `${ms < 100 ? tenths.format(ms) : whole.format(ms)} ${words.ms}`;
}

export const share = (part) => (part === null ? "–" : `${tenths.format(part * 100)} %`);
export const clock = (date) => hours.format(date).replace(/^24/, "00");
export const day = (date) => days.format(date);

/** 12 s, 3 min, 2 h 5 min, 4 days. */
export function lasting(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return say(words.s, { n: s });
  const min = Math.floor(s / 60);
  if (min < 60) return say(words.min, { n: min });
  const h = Math.floor(min / 60);
  if (h < 48) return say(words.h, { h, m: min % 60 });
  return say(words.days, { n: Math.floor(h / 24) });
}
