// This browser as a witness of the store's journal, and as a second copy of what
// it told the store. It remembers the newest head that it was shown and sends it
// with every request; a store that has less was put back, and hears of it. It
// keeps what it did itself until head office has it, and sends it again, with
// its ids, to a store that has lost it. It never keeps a PIN: a handover that is
// sent again has happened, and needs none.

const KEPT = 200; // requests
const TRIES = 30; // of one request
const EVERY = 60_000, PAUSE = 5_000, PATIENCE = 10_000; // ms

const of = new URL(import.meta.url).searchParams.get("of"); // which store, of which retailer
const HEAD = `holdfast ${of} head`, ENTRY = `holdfast ${of} kept `;
const plain = window.fetch.bind(window);

// A browser that keeps nothing is no witness, and works all the same.
const read = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
const write = (key, value) => { try { value === null ? localStorage.removeItem(key) : localStorage.setItem(key, value); } catch { /* full, or forbidden */ } };

const epochOf = (head) => head.split("/")[0];
const numbers = (head) => /^\d+\.\d+\/\d+\/[0-9a-f]+$/.test(head ?? "") ? head.split(/[./]/, 3).map(Number) : null;
const order = (a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];

function entries() {
  const all = [];
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(ENTRY)) all.push([key, JSON.parse(localStorage.getItem(key))]);
  } catch { return []; }
  return all.sort(([, a], [, b]) => a.at - b.at);
}
const due = () => entries().filter(([, entry]) => entry.epoch !== epochOf(read(HEAD) ?? "/"));

// learn takes in what an answer says of the journal. back means that the store
// is older than what this browser had seen.
function learn(answer, seen) {
  const head = answer.headers.get("Holdfast-Head"), now = numbers(head), was = numbers(read(HEAD)), told = numbers(seen);
  if (!now) return {};
  const resend = answer.headers.get("Holdfast-Resend") === "true";
  const back = resend && Boolean(told) && order([told[0], told[1], 0], [now[0], now[1], 0]) >= 0;
  if (back) for (const [key, entry] of entries()) write(key, JSON.stringify({ ...entry, epoch: "" }));
  if (back || !was || order(now, was) > 0) write(HEAD, head);
  const acked = Number(answer.headers.get("Holdfast-Acked"));
  for (const [key, entry] of entries()) if (entry.epoch === epochOf(head) && entry.seq <= acked) write(key, null);
  return { resend, back, head };
}

// keep takes a request into the second copy, as the store says that it is sent
// again; the code of a handover is what the shopper showed.
function keep(answer, id, fields, head) {
  const told = answer.headers.get("Holdfast-Keep");
  if (!told) return;
  const { path, body } = JSON.parse(decodeURIComponent(told));
  if (path.endsWith(":collect")) body.code = fields.get("code") ?? fields.get("scan");
  const epoch = epochOf(head);
  write(ENTRY + id, JSON.stringify({ path, body, epoch, first: epoch, seq: numbers(head)[2], at: Date.now(), tries: 0 }));
  for (const [key] of entries().slice(0, -KEPT)) write(key, null);
}

let resending = null;
const resend = () => resending ??= sendAll().finally(() => { resending = null; });
async function sendAll() {
  for (const [key, entry] of due()) {
    const body = { ...entry.body, resentEpoch: entry.first };
    const seen = read(HEAD);
    let answer;
    try {
      answer = await plain(entry.path, { method: "POST", body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE),
        headers: { "Content-Type": "application/json", "Holdfast-Seen": seen } });
    } catch { return; } // no answer: the next look tries again
    const { head } = learn(answer, seen);
    if (answer.ok && head) write(key, JSON.stringify({ ...entry, epoch: epochOf(head), seq: numbers(head)[2] }));
    else write(key, entry.tries + 1 < TRIES ? JSON.stringify({ ...entry, epoch: "", tries: entry.tries + 1 }) : null);
  }
}

// The id under which the store books what a form asks for: the answer to a
// question is about the scan that raised it.
const idOf = (fields) => fields.get("decision") === "sell" ? fields.get("question") : fields.get("request_id");

async function ask(url, init, id) {
  const headers = new Headers(init.headers), seen = read(HEAD);
  if (seen) headers.set("Holdfast-Seen", seen);
  if (id) headers.set("Holdfast-Request", id);
  const answer = await plain(url, { ...init, headers });
  return { answer, ...learn(answer, seen) };
}

// Every fetch of the page goes through here. One that a store refuses because it
// was put back is sent once more when the store knows again what it had lost.
window.fetch = async (url, init = {}) => {
  if (new URL(url, location.href).origin !== location.origin) return plain(url, init);
  const fields = init.body instanceof URLSearchParams ? init.body : null, id = fields && idOf(fields);
  let said = await ask(url, init, id);
  if (said.resend) {
    await resend();
    if (said.back && said.answer.status === 409) said = await ask(url, init, id);
  }
  if (said.head && id) keep(said.answer, id, fields, said.head);
  return said.answer;
};

// Scans of the station's own scanner pass this browser by: so it looks now and
// then, and soon after something moved.
let looked = 0;
async function look() {
  looked = Date.now();
  try { await window.fetch("/head"); } catch { return; }
  if (due().length) await resend();
}
addEventListener("look:swap", () => { if (Date.now() - looked > PAUSE) look(); });
setInterval(look, EVERY);
look();
