// Looks at the template anew while it is typed. Without it the preview of what is saved stays.
"use strict";

(() => {
  const AFTER = 400; // milliseconds without a key

  const look = document.getElementById("etelecom-look");
  const form = look.closest("form");
  const part = (name) => look.querySelector(`[data-shows="${name}"]`);
  let timer;
  let asked; // The last question; the answer to an earlier one is of no use.

  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }

  function list(name, sentences) {
    const items = part(name);
    while (items.children.length > sentences.length) items.lastElementChild.remove();
    sentences.forEach((sentence, index) => {
      if (index === items.children.length) {
        items.appendChild(document.createElement("li")).append(element("bdi", ""));
      }
      const shown = items.children[index].firstElementChild;
      // What is written again is read out again.
      if (shown.textContent !== sentence) shown.textContent = sentence;
    });
  }

  function show(seen) {
    part("pieces").replaceChildren(
      ...seen.pieces.map(([text, isValue]) => (isValue ? element("mark", text) : text)),
    );
    list("differences", seen.differences);
    list("advertising", seen.advertising);
    list("sms", seen.sms);
    look.hidden = !seen.pieces.length;
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    const typed = new FormData(form);
    typed.delete("sample"); // It may hold secrets, and changes nothing of the text.
    try {
      // A login that has expired answers with a redirect.
      const answer = await fetch(look.dataset.url, {
        method: "POST",
        body: new URLSearchParams(typed),
        redirect: "error",
        signal,
      });
      if (!answer.ok) throw new Error(`The answer is ${answer.status}.`);
      show(await answer.json());
      part("stale").hidden = true;
    } catch {
      if (!signal.aborted) part("stale").hidden = false;
    }
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(ask, AFTER);
  }

  form.addEventListener("input", (event) => {
    if (event.target.name !== "sample") soon();
  });
  document.addEventListener("formset:removed", soon);
})();
