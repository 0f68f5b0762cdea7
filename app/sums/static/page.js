// Sends what is in the field to the service, and shows the answer. The service decides what a number is: this page only
// cuts the text into elements. Numbers travel and stay as text, since a JavaScript number would round them.
"use strict";

const TYPING_PAUSE = 300; // milliseconds: with a shorter one, "1e" would be an error on the way to "1e3"
const TIME_LIMIT = 30_000; // milliseconds
const RETRY_SECONDS = 2;
const LONGEST_RETRY_SECONDS = 60;
const LONGEST_LINE = 100_000; // characters: Linux refuses an argument of 128 KiB
const BUSY = [429, 502, 503, 504];
const KEPT = "Your numbers stay here, and are sent again.";
const SUM = /^-?[0-9]+(\.[0-9]+)?$/;

const HINTS = [
  [
    /,/,
    "A comma is not guessed: 1,500 is 1500 for some and 1.5 for others, and 1,2 may be two numbers. " +
      "Write a point for decimals, nothing for thousands, and a space between numbers.",
  ],
  [
    /[\u00a0\u2000-\u200a\u202f\u205f\u3000]/,
    "The space in it is a special one, which may group thousands, so it is not guessed. " +
      "Delete it, or put an ordinary space between numbers.",
  ],
  [/[\u2010-\u2015\u2212]/, "Its sign is a typographic one. Write the minus of the keyboard: -"],
];

const byId = (id) => document.getElementById(id);
const form = document.querySelector("form");
const field = byId("numbers");
const sum = byId("sum");

let timer;
let sending = false;
let wrong; // the element that the service refused: {index, text}

// The ordinary white space of text and spreadsheets only: a no-break space may group the thousands of one number.
const split = (text) => [...text.matchAll(/[^ \t\n\r\f\v;]+/g)];

function setText(element, text) {
  // A screen reader reads a live region out again whenever it is written.
  if (element.textContent !== text) element.textContent = text;
}

function wrongElement() {
  const match = wrong && split(field.value)[wrong.index];
  return match && match[0] === wrong.text ? match : undefined;
}

// A copy of the text lies behind the field. It gives the field its height, and bears the mark.
function mirror() {
  const text = field.value;
  const match = wrongElement();
  const start = match ? match.index : text.length;
  const mark = document.createElement("mark");
  mark.textContent = match ? match[0] : "";
  byId("mirror").replaceChildren(text.slice(0, start), mark, text.slice(start + mark.textContent.length) + "\n");
}

function show({message = "", answer = "", status = "–", requestId = "–", refused}) {
  wrong = refused;
  mirror();
  field.setAttribute("aria-invalid", String(Boolean(refused)));
  byId("show").hidden = !refused;
  form.classList.toggle("failed", Boolean(message) && !answer);
  setText(byId("message"), message);
  setText(sum, answer);
  sum.classList.toggle("long", answer.length > 60);
  sum.removeAttribute("aria-busy");
  byId("copy-sum").disabled = !answer;
  setText(byId("status"), status);
  setText(byId("request-id"), requestId);
}

function showCurl(elements) {
  const body = elements.map((element) => JSON.stringify(element)).join(", ");
  const line = `curl -d '{"data": [${body.replaceAll("'", "'\\''")}]}' ${form.action}`;
  setText(byId("curl"), line.length > LONGEST_LINE ? `curl -d @numbers.json ${form.action}` : line);
}

async function ask(elements) {
  const body = JSON.stringify({data: elements});
  const headers = {"Content-Type": "application/json"};
  try {
    const signal = AbortSignal.timeout(TIME_LIMIT);
    const response = await fetch(form.action, {method: "POST", body, headers, signal});
    return {response, text: (await response.text()).trim()};
  } catch {
    return {};
  }
}

// What stands before the service may answer something else.
function problemIn(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function outcome(elements, {response, text}) {
  if (!response) return {message: `The service does not answer.\n${KEPT}`, retrySeconds: RETRY_SECONDS};
  const requestId = response.headers.get("X-Request-ID") ?? undefined;
  if (response.ok && SUM.test(text)) {
    const message = elements.length === 1 ? "1 number" : `${elements.length} numbers`;
    return {message, answer: text, status: `${response.status} ${response.statusText}`, requestId};
  }
  const {title = response.statusText, detail = `unexpected answer: ${response.status}`} = problemIn(text);
  const status = `${response.status} ${title}`;
  if (BUSY.includes(response.status)) {
    const wanted = parseInt(response.headers.get("Retry-After"), 10) || RETRY_SECONDS;
    const retrySeconds = Math.min(wanted, LONGEST_RETRY_SECONDS);
    return {message: `${detail}\n${KEPT}`, status, requestId, retrySeconds};
  }
  const [, index] = /^data\[(\d+)\]/.exec(detail) ?? [];
  if (index === undefined || !(index in elements)) return {message: detail, status, requestId};
  const refused = {index, text: elements[index]};
  const hint = HINTS.find(([pattern]) => pattern.test(refused.text))?.[1];
  return {message: hint ? `${detail}\n${hint}` : detail, status, requestId, refused};
}

// One request at a time: what is typed in the meantime is sent when the answer has come.
async function send() {
  clearTimeout(timer);
  if (sending) return;
  const text = field.value;
  const elements = split(text).map(([element]) => element);
  showCurl(elements.length ? elements : ["0.1", "0.2"]);
  if (!elements.length) return show({});
  sending = true;
  const result = outcome(elements, await ask(elements));
  sending = false;
  if (field.value !== text) return send();
  show(result);
  if (result.retrySeconds) timer = setTimeout(send, 1000 * result.retrySeconds);
}

async function copy(button, source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Browsers offer the clipboard to pages from https and from localhost only; the older way works everywhere.
    getSelection().selectAllChildren(source);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  byId("announcement").textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
    byId("announcement").textContent = "";
  }, 1500);
}

field.addEventListener("input", () => {
  mirror();
  sum.setAttribute("aria-busy", "true");
  clearTimeout(timer);
  timer = setTimeout(send, TYPING_PAUSE);
});
byId("show").addEventListener("click", () => {
  const match = wrongElement();
  field.focus();
  if (!match) return;
  field.setSelectionRange(match.index, match.index + match[0].length);
  document.querySelector("mark").scrollIntoView({block: "nearest"});
});
for (const id of ["sum", "curl"]) {
  byId(`copy-${id}`).addEventListener("click", (event) => copy(event.currentTarget, byId(id)));
}
addEventListener("online", send);
mirror(); // A browser that goes back to the page keeps the text.
send();
