"use strict";
{
  const filter = document.getElementById("filter");
  const all = document.getElementById("all");
  const count = document.getElementById("count");
  const plain = (text) => text.normalize().toLowerCase();
  const namesOf = (element) => plain(Array.from(element.querySelectorAll("bdi"), (name) => name.textContent).join("\n"));
  const entries = (place) => Array.from(document.querySelectorAll(`#${place} [data-entry]`), (element) => [element, namesOf(element)]);
  const cards = entries("images");
  const failures = entries("failures");
  const sliders = document.querySelectorAll(".compare input");

  function narrow(listed, wanted) {
    let left = 0;
    for (const [element, text] of listed) {
      element.hidden = !text.includes(wanted);
      left += !element.hidden;
    }
    return `${left.toLocaleString("en")} of ${listed.length.toLocaleString("en")}`;
  }

  function showMatches() {
    const wanted = plain(filter.value.trim());
    const told = [`${narrow(cards, wanted)} images`];
    if (failures.length) told.push(`${narrow(failures, wanted)} failures`);
    count.textContent = told.join(", ");
  }

  function compare(slider) {
    slider.parentElement.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % before`);
  }

  function compareAll() {
    all.setAttribute("aria-valuetext", `${all.value} % before`);
    for (const slider of sliders) {
      slider.value = all.value;
      compare(slider);
    }
  }

  document.addEventListener("input", ({ target }) => {
    if (target === filter) showMatches();
    else if (target === all) compareAll();
    else if (target.type === "range") compare(target);
  });
  showMatches();
}
