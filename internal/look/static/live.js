// Live pages: shows what the server pushes and sends forms without loading a
// page. Every page works without this, only less smoothly.

import { sound } from "./sound.js";

const fieldIn = (root, field) => {
  const by = field.id ? `#${CSS.escape(field.id)}` : `[name="${CSS.escape(field.name ?? "")}"]`;
  return root.matches(by) ? root : root.querySelector(by);
};

// replace puts fresh in the place of old and keeps focus and scroll. With keep,
// what somebody is typing stays too: a push must not eat half a word.
function replace(old, fresh, keep) {
  if (keep && old.isEqualNode(fresh)) return;
  const typed = keep ? [...old.querySelectorAll("input:not([type=hidden]), textarea, select")] : [];
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  const range = active && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null;
  const scrolled = [old, ...old.querySelectorAll("[id]")].filter((e) => e.id && (e.scrollTop || e.scrollLeft))
    .map((e) => [e.id, e.scrollTop, e.scrollLeft]);
  const [x, y] = [scrollX, scrollY];
  old.replaceWith(fresh);
  for (const was of typed) {
    const now = fieldIn(fresh, was);
    if (now && was.type !== "checkbox" && was.type !== "radio" && was.value !== was.defaultValue) now.value = was.value;
  }
  const next = fresh.querySelector("[autofocus]") ?? (active && (active.id || active.name) ? fieldIn(fresh, active) : null);
  if (next && (active || !keep)) next.focus({ preventScroll: true });
  if (next && range && keep && range[0] !== null) next.setSelectionRange(...range);
  for (const [id, top, left] of scrolled) document.getElementById(id)?.scrollTo(left, top);
  scrollTo({ left: x, top: y, behavior: "instant" });
  settle(fresh);
}

function settle(root) {
  for (const e of [root, ...root.querySelectorAll("[data-sound]")]) if (e.dataset?.sound) sound(e.dataset.sound);
  for (const e of [root, ...root.querySelectorAll("[data-live]")]) if (e.dataset?.live) follow(e);
  root.dispatchEvent(new CustomEvent("look:swap", { bubbles: true }));
}

// swap shows html: in target if one is named, else wherever its elements' ids
// already stand. html may be a whole page. False means there was no place for it.
export function swap(html, target, keep = false) {
  if (!html.trim()) return false;
  const page = document.createElement("template");
  page.innerHTML = html;
  const whole = /^\s*<!doctype/i.test(html);
  const pieces = target ? [...page.content.querySelectorAll(target)] : [...page.content.children];
  let placed = 0;
  for (const fresh of pieces) {
    const old = fresh.id && document.getElementById(fresh.id);
    if (old) { replace(old, fresh, keep); placed++; }
  }
  const place = target && !placed && !whole && document.querySelector(target);
  if (place) { place.replaceChildren(...page.content.childNodes); settle(place); }
  return placed > 0 || Boolean(place);
}

// follow listens to the pushes of one element's data-live address for as long
// as the element stands on the page.
const followed = new WeakSet();
function follow(e) {
  if (followed.has(e)) return;
  followed.add(e);
  let tries = 0, source, retry, silence;
  const heard = () => { clearTimeout(silence); silence = setTimeout(lost, 35_000); };
  const lost = () => {
    source.close(); clearTimeout(silence); clearTimeout(retry);
    if (!e.isConnected) return;
    if (++tries > 1) e.dataset.liveState = "lost";
    retry = setTimeout(open, Math.min(15_000, 400 * 2 ** tries) * (0.5 + Math.random() / 2));
  };
  const open = () => {
    if (!tries) e.dataset.liveState = "connecting";
    source = new EventSource(e.dataset.live);
    source.onopen = () => { tries = 0; e.dataset.liveState = "open"; };
    source.onerror = lost;
    source.addEventListener("beat", heard); // a server that beats is missed when it stops
    source.addEventListener("html", (event) => {
      if (!e.isConnected) return lost();
      const { id, html } = JSON.parse(event.data);
      swap(html, `#${CSS.escape(id)}`, true);
    });
  };
  addEventListener("online", () => { if (tries) { clearTimeout(retry); source.close(); open(); } });
  // A page kept for the back button must not keep its stream: a server serves few at once.
  addEventListener("pagehide", () => { clearTimeout(retry); source.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
}

export const newID = () => crypto.randomUUID?.() ?? // not on plain http beyond loopback
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) => (c ^ crypto.getRandomValues(new Uint8Array(1))[0] & 15 >> c / 4).toString(16));

// settled tells whether the server has decided: only then may the next try carry another id.
export const settled = (status) => status < 500 && ![408, 425, 429].includes(status);

// page is the HTML of an answer, and nothing of an answer in another form.
export const page = async (answer) => /^text\/html/.test(answer.headers.get("Content-Type")) ? answer.text() : "";

function note(form, text) {
  form.querySelector("[data-note]")?.remove();
  if (!text) return;
  const p = Object.assign(document.createElement("p"), { className: "alert alert-warn", textContent: text });
  p.setAttribute("role", "alert");
  p.dataset.note = "";
  form.append(p);
}

const running = new WeakMap();
async function send(form, button) {
  const get = (button?.getAttribute("formmethod") ?? form.method).toLowerCase() === "get";
  if (running.has(form) && !get) return;
  running.get(form)?.abort();
  const stop = new AbortController();
  running.set(form, stop);
  let id = form.querySelector("input[name=request_id]");
  if (!get && !id) form.append(id = Object.assign(document.createElement("input"), { type: "hidden", name: "request_id" }));
  if (id && !id.value) id.value = newID();
  const url = new URL(button?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href, location.href);
  const fields = new FormData(form, button);
  const body = form.enctype === "multipart/form-data" ? fields : new URLSearchParams(fields);
  if (get) url.search = body;
  note(form, "");
  form.setAttribute("aria-busy", "true");
  if (button && !get) { button.disabled = true; button.dataset.waiting = ""; }
  try {
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]);
    const answer = await fetch(url, { method: get ? "GET" : "POST", body: get ? null : body, headers: { Accept: "text/html", "X-Fragment": "true" }, signal });
    const html = await page(answer);
    if (settled(answer.status) && id) id.value = newID();
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return void location.assign(answer.url);
    if (!swap(html, form.dataset.target) && !(answer.ok && !html)) note(form, document.body.dataset.noAnswer);
  } catch {
    if (!stop.signal.aborted) note(form, document.body.dataset.noAnswer);
  } finally {
    if (running.get(form) === stop) { running.delete(form); form.removeAttribute("aria-busy"); }
    if (button) { button.disabled = false; delete button.dataset.waiting; }
  }
}

addEventListener("submit", (e) => {
  if (!e.target.matches("form[data-ajax]") || e.submitter?.formMethod === "dialog") return;
  e.preventDefault();
  send(e.target, e.submitter);
});

for (const e of document.querySelectorAll("[data-live]")) follow(e);
