// Buttons that move a parameter up or down. Without it the numbers of the positions are typed.
"use strict";

(() => {
  const PREFIX = "parameters";
  const moves = document.getElementById("etelecom-moves");
  const status = document.getElementById("etelecom-moved");
  const group = document.getElementById(`${PREFIX}-group`);

  const rows = () => [...(group?.querySelectorAll("tr.form-row:not(.empty-form)") ?? [])];
  const field = (row, name) => row.querySelector(`[name$="-${name}"]`);
  const nameOf = (row) => field(row, "name")?.value.trim() ?? "";
  // Of a row without a name a position alone would be a fault.
  const named = () => rows().filter(nameOf);
  const filled = (sentence, words) => sentence.replace(/\{(\w+)\}/g, (_, word) => words[word]);

  function refresh() {
    const ordered = named();
    for (const row of rows()) {
      const place = ordered.indexOf(row);
      for (const button of row.querySelectorAll("[data-by]")) {
        const target = place + Number(button.dataset.by);
        button.disabled = place < 0 || target < 0 || target >= ordered.length;
        button.setAttribute("aria-label", filled(button.dataset.label, { name: nameOf(row) }));
      }
    }
  }

  function move(row, button) {
    const ordered = named();
    const by = Number(button.dataset.by);
    const other = ordered[ordered.indexOf(row) + by];
    if (by < 0) withFaults(other)[0].before(...withFaults(row));
    else other.after(...withFaults(row));
    named().forEach((each, index) => {
      field(each, "position").value = index + 1;
    });
    refresh();
    // Where it can go no further, its button is off and cannot keep the focus.
    (button.disabled ? row.querySelector("[data-by]:enabled") : button)?.focus();
    const place = named().indexOf(row) + 1;
    const words = { name: nameOf(row), place, total: ordered.length };
    status.textContent = filled(moves.dataset.moved, words);
  }

  // What is wrong with a row as a whole stands in a row of its own above it.
  function withFaults(row) {
    const above = row.previousElementSibling;
    return above?.classList.contains("row-form-errors") ? [above, row] : [row];
  }

  function addButtons(row) {
    field(row, "position").after(moves.content.cloneNode(true));
    for (const button of row.querySelectorAll("[data-by]")) {
      button.addEventListener("click", () => move(row, button));
    }
  }

  // The admin numbers the rows as they stand when one is taken away. Those that are stored have to
  // keep the first numbers, wherever they were moved to.
  function renumber() {
    const stored = rows().filter((row) => row.classList.contains("has_original"));
    const added = rows().filter((row) => !row.classList.contains("has_original"));
    [...stored, ...added].forEach((row, index) => {
      row.id = `${PREFIX}-${index}`;
      for (const part of row.querySelectorAll("[name], [id], [for]")) {
        for (const attribute of ["name", "id", "for"]) {
          const value = part.getAttribute(attribute);
          if (value) {
            part.setAttribute(attribute, value.replace(/parameters-\d+/, `${PREFIX}-${index}`));
          }
        }
      }
    });
    refresh();
  }

  // Among rows that are only shown there is no telling where one that can be moved would be.
  if (rows().some((row) => !field(row, "position"))) return;
  rows().forEach(addButtons);
  refresh();
  group?.addEventListener("input", refresh);
  document.addEventListener("formset:added", (event) => {
    if (event.detail.formsetName !== PREFIX) return;
    addButtons(event.target);
    refresh();
  });
  // Once the admin has done its own numbering.
  document.addEventListener("formset:removed", () => setTimeout(renumber));
})();
