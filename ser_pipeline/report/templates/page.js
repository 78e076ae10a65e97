"use strict";
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const column = head.cellIndex;
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.value ?? "";
    const compare = (a, b) => {
      const [left, right] = [key(a), key(b)];
      if (left === "" || right === "") return (left === "") - (right === "");
      const order = head.dataset.kind === "number" ? left - right : left.localeCompare(right, "en", { numeric: true });
      return descending ? -order : order;
    };
    for (const body of head.closest("table").tBodies) {
      const rows = [...body.rows].filter((row) => !row.matches(".group, .total"));
      const total = body.querySelector("tr.total");
      for (const row of rows.sort(compare)) body.insertBefore(row, total);
    }
  });
}

const folds = (element) => {
  for (let fold = element; fold; fold = fold.parentElement) if (fold.matches("details")) fold.open = true;
};
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  folds(target);
  const own = target.matches("section") && target.querySelector(":scope > details");
  if (own) own.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
reveal();
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const fold of closed) fold.open = true;
});
addEventListener("afterprint", () => {
  for (const fold of closed) fold.open = false;
});
