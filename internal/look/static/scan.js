// A keyboard-wedge scanner types like a very fast person. This collects such
// bursts whatever has the focus, leaves slow typing alone, and posts each scan
// to the address in data-scan-post, in order, once, until it is answered.

import { newID, page, settled, swap } from "./live.js";
import { sound } from "./sound.js";

const GAP = 50, PAUSE = 120, LONGEST = 512, SHORTEST = 4, SHORTEST_BARE = 8, QUEUE = 200; // ms, ms, characters, scans
const WRITABLE = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea";

let burst = "", last = 0, field = null, before = null, timer = 0;

const forget = () => { clearTimeout(timer); burst = ""; field = before = null; };

// character is what a key means to a scanner: printable ASCII, GS, or nothing.
function character(e) {
  if (e.key === "\x1d" || (e.ctrlKey && !e.altKey && e.key === "]")) return "\x1d";
  if (e.metaKey || (e.ctrlKey && !e.altKey)) return "";
  return e.key.length === 1 && e.key >= " " && e.key <= "~" ? e.key : "";
}

// finish takes the burst as a scan and gives back what it typed into a field.
function finish(shortest) {
  const text = burst, enough = text.length >= shortest && text.length <= LONGEST;
  if (enough && field?.isConnected && before !== null) {
    field.value = before;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  forget();
  if (enough) take(text);
  return enough;
}

addEventListener("keydown", (e) => {
  if (e.repeat) return forget(); // a held key is as fast as a scanner
  if (["Shift", "CapsLock", "Control", "Alt", "AltGraph"].includes(e.key)) return;
  const ends = e.key === "Enter" || e.key === "Tab", c = ends ? "" : character(e);
  const quick = burst && e.timeStamp - last <= (ends ? 2 * GAP : GAP);
  if (ends && quick && finish(SHORTEST)) {
    e.preventDefault();
    e.stopImmediatePropagation();
    return;
  }
  if (!c) return forget();
  if (!quick) {
    forget();
    field = e.target.matches?.(WRITABLE) ? e.target : null;
    before = field ? field.value : null;
  }
  if (burst.length <= LONGEST) burst += c;
  last = e.timeStamp;
  clearTimeout(timer);
  timer = setTimeout(finish, PAUSE, SHORTEST_BARE);
  if (c === "\x1d" || (!field && burst.length > 1)) e.preventDefault();
}, true);

const waiting = [];
let posting = false;

function take(text) {
  const at = document.querySelector("[data-scan-post]");
  if (!document.dispatchEvent(new CustomEvent("look:scan", { detail: text, cancelable: true })) || !at) return;
  if (waiting.length >= QUEUE) return sound("no");
  waiting.push({ text, id: newID() });
  if (!posting) post(at);
}

async function post(at) {
  posting = true;
  for (let tries = 0; waiting.length;) {
    const { text, id } = waiting[0];
    try {
      const answer = await fetch(at.dataset.scanPost, {
        method: "POST", signal: AbortSignal.timeout(10_000),
        headers: { Accept: "text/html", "X-Fragment": "true" },
        body: new URLSearchParams({ scan: text, request_id: id }),
      });
      if (!settled(answer.status)) throw new Error(String(answer.status));
      const html = await page(answer);
      waiting.shift();
      tries = 0;
      delete at.dataset.scanState;
      swap(html, at.dataset.target);
    } catch {
      at.dataset.scanState = "waiting";
      await new Promise((done) => setTimeout(done, Math.min(5000, 250 * 2 ** tries++)));
    }
  }
  posting = false;
}
