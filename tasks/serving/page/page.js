// Rows and the time line move the player; the row that is heard is marked.
(() => {
  let resume = 0;
  const player = () => document.getElementById("mcgurk-player");

  document.addEventListener("click", (event) => {
    const place = event.target.closest?.("#mcgurk-result [data-start]");
    const media = player();
    if (!place || !media || window.getSelection()?.toString()) return;
    media.currentTime = Number(place.dataset.start);
    media.play().catch(() => {});
  });

  const mark = (event) => {
    if (event.target !== player()) return;
    const now = (resume = event.target.currentTime);
    for (const row of document.querySelectorAll("#mcgurk-result tr[data-start]")) {
      const heard = Number(row.dataset.start) <= now && now < Number(row.dataset.end);
      if (heard) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  };
  // Events of a player do not rise, but they can be caught on their way down.
  document.addEventListener("timeupdate", mark, true);
  document.addEventListener("seeked", mark, true);

  // The drawn video takes the place of the file itself: go on where that was.
  document.addEventListener("loadedmetadata", (event) => {
    if (event.target !== player()) return;
    if (resume > 0 && resume < event.target.duration) event.target.currentTime = resume;
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#mcgurk-run")) resume = 0;
  }, true);
})();
