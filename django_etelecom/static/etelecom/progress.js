// Keeps the page of a campaign up to date. Without it the page reloads by itself.
"use strict";

(() => {
  const EVERY = 2000; // milliseconds
  const AT_MOST = 60000;

  const page = document.getElementById("etelecom-progress");
  const part = (name) => page.querySelector(`[data-shows="${name}"]`);
  let wait = EVERY;

  function show(now) {
    for (const name of ["sentence", "pace", "announcement", "why"]) {
      const shown = part(name);
      // What is written again is read out again. Before the start there is no table.
      if (shown && shown.textContent !== now[name]) shown.textContent = now[name];
    }
    if (!now.is_loading) {
      part("bar").max = now.total;
      part("bar").value = now.ended;
    }
    for (const line of page.querySelectorAll("[data-line]")) {
      line.hidden = !(line.dataset.line in now.counts);
    }
    for (const count of page.querySelectorAll("[data-count]")) {
      count.textContent = now.counts[count.dataset.count] ?? "";
    }
  }

  async function ask() {
    if (document.hidden) {
      setTimeout(ask, EVERY);
      return;
    }
    try {
      // A login that has expired answers with a redirect.
      const answer = await fetch(page.dataset.url, { redirect: "error" });
      if (!answer.ok) throw new Error(`The answer is ${answer.status}.`);
      const now = await answer.json();
      if (now.state !== page.dataset.state) {
        location.reload(); // It has other buttons now.
        return;
      }
      show(now);
      wait = EVERY;
    } catch {
      wait = Math.min(wait * 2, AT_MOST);
    }
    part("stale").hidden = wait === EVERY;
    setTimeout(ask, wait);
  }

  setTimeout(ask, wait);
})();
