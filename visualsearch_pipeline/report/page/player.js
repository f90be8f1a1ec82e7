"use strict";
// A hit, large: the archived video at its second, or what there is of it.
visualSearchReport.picture = (hit, { lazy = false } = {}) => {
  const { data, element } = visualSearchReport;
  const name = data.hits.picture[hit];
  const drawn = () => {
    const placeholder = element("span", { className: "placeholder", attributes: { "aria-hidden": "true" } }, "▶");
    placeholder.style.setProperty("--hue", (data.hits.video[hit] * 47) % 360);
    return placeholder;
  };
  if (!name) return drawn();
  const image = element("img", { alt: "", decoding: "async", loading: lazy ? "lazy" : "eager" });
  image.addEventListener("error", () => image.replaceWith(drawn()), { once: true });
  image.src = `pictures/${name}`;
  return image;
};

visualSearchReport.createPlayer = (dialog, { gallery }) => {
  const { data, element, format } = visualSearchReport;
  const { hits, videos, overview } = data;
  const part = (selector) => dialog.querySelector(selector);
  let position = 0;

  function show(newPosition) {
    if (newPosition < 0 || newPosition >= gallery.length) return;
    position = newPosition;
    const hit = gallery.hitAt(position);
    const video = hits.video[hit];
    const query = overview.queries[hits.query[hit]];
    const score = format.score(hits.score[hit]);
    part("#player-name").textContent = videos.name[video];
    const facts = [
      format.range(hits.start[hit], hits.end[hit]),
      score && `score ${score}`,
      format.day(hits.day[hit]),
      `${query.set} / ${query.id}`,
      videos.camera[video],
      videos.video_no[video],
    ];
    part(".facts").textContent = facts.filter(Boolean).join(" · ");
    part(".words").textContent = hits.text[hit] ?? "";
    part('[data-do="previous"]').disabled = position === 0;
    part('[data-do="next"]').disabled = position === gallery.length - 1;
    part(".problem").hidden = true;
    showTrack(hit, video);
    showVideo(hit, video);
    if (!dialog.open) dialog.showModal();
  }

  // Where in the video the hit lies.
  function showTrack(hit, video) {
    const duration = videos.duration[video];
    const start = hits.start[hit];
    const track = part(".track");
    track.hidden = !duration || start === null;
    if (track.hidden) return;
    const end = Math.max(hits.end[hit] ?? start, start);
    const mark = track.firstElementChild;
    mark.style.left = `${Math.min(100, (100 * start) / duration)}%`;
    mark.style.width = `${Math.min(100, (100 * (end - start)) / duration)}%`;
  }

  function showVideo(hit, video) {
    const link = videos.link[video];
    const open = part('[data-do="open"]');
    open.hidden = part('[data-do="replay"]').hidden = !link;
    if (!link) {
      part(".screen").replaceChildren(visualSearchReport.picture(hit));
      complain(`This video is not in the archive. Its source: ${videos.uri[video] ?? "unknown"}`);
      return;
    }
    const source = `${link}#t=${hits.start[hit] ?? 0}`;
    open.href = source;
    const name = hits.picture[hit];
    const player = element("video", {
      controls: true,
      preload: "auto",
      playsInline: true,
      attributes: { "aria-label": videos.name[video], poster: name ? `pictures/${name}` : null },
    });
    player.addEventListener("error", () =>
      complain("This browser cannot play the file, or it is not there any more. Open it with another program."),
    );
    player.src = source;
    part(".screen").replaceChildren(player);
    player.play().catch(() => {}); // Where the browser wants another click first, the controls are there.
  }

  function complain(text) {
    part(".problem").textContent = text;
    part(".problem").hidden = false;
  }

  const actions = {
    close: () => dialog.close(),
    previous: () => show(position - 1),
    next: () => show(position + 1),
    replay: () => {
      const player = part("video");
      player.currentTime = hits.start[gallery.hitAt(position)] ?? 0;
      player.play().catch(() => {});
    },
  };
  dialog.addEventListener("click", (event) => {
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (actions[action]) actions[action]();
    else if (event.target === dialog) dialog.close(); // the backdrop
  });
  dialog.addEventListener("keydown", (event) => {
    // In the video, arrow keys seek.
    if (event.target.closest("video") || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowRight") show(position + 1);
    else if (event.key === "ArrowLeft") show(position - 1);
  });
  dialog.addEventListener("close", () => {
    part(".screen").replaceChildren(); // ends the playing, and lets go of the file
    gallery.focus(position);
  });
  return { open: show };
};
