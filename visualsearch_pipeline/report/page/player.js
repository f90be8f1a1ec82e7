"use strict";
// A hit, large: the archived video at its second, the image, or what there is of it.
visualSearchReport.picture = (hit, { lazy = false } = {}) => {
  const { data, element, format } = visualSearchReport;
  const name = data.hits.picture[hit];
  const drawn = () => {
    const medium = data.hits.medium[hit];
    const { library, platform } = data.media;
    const sign = platform[medium] ? format.platform(platform[medium]) : library[medium] === "image" ? "▣" : "▶";
    const placeholder = element("span", { className: "placeholder", attributes: { "aria-hidden": "true" } }, sign);
    placeholder.style.setProperty("--hue", (medium * 47) % 360);
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
  const { hits, media, overview } = data;
  const part = (selector) => dialog.querySelector(selector);
  let position = 0;

  function show(newPosition) {
    if (newPosition < 0 || newPosition >= gallery.length) return;
    position = newPosition;
    const hit = gallery.hitAt(position);
    const medium = hits.medium[hit];
    const library = media.library[medium];
    const platform = media.platform[medium];
    const query = overview.queries[hits.query[hit]];
    const score = format.score(hits.score[hit]);
    part("#player-name").textContent = media.name[medium];
    const facts = [
      platform && format.platform(platform),
      media.creator[medium],
      library !== "image" && format.range(hits.start[hit], hits.end[hit]),
      score && `score ${score}`,
      (library === "public" ? "asked " : "") + format.day(hits.day[hit]),
      `${query.set} / ${query.id}`,
      media.camera[medium],
      media.number[medium],
    ];
    part(".facts").textContent = facts.filter(Boolean).join(" · ");
    part(".words").textContent = hits.text[hit] ?? "";
    part('[data-do="previous"]').disabled = position === 0;
    part('[data-do="next"]').disabled = position === gallery.length - 1;
    part(".problem").hidden = true;
    showTrack(hit, medium);
    offer(library === "public" ? media.post[medium] : media.link[medium], library);
    ({ video: showVideo, image: showImage, public: showPublic })[library](hit, medium);
    if (!dialog.open) dialog.showModal();
  }

  // Where in the video the hit lies.
  function showTrack(hit, medium) {
    const duration = media.duration[medium];
    const start = hits.start[hit];
    const track = part(".track");
    track.hidden = !duration || start === null;
    if (track.hidden) return;
    const end = Math.max(hits.end[hit] ?? start, start);
    const mark = track.firstElementChild;
    mark.style.left = `${Math.min(100, (100 * start) / duration)}%`;
    mark.style.width = `${Math.min(100, (100 * (end - start)) / duration)}%`;
  }

  // What can be done with it, by the buttons below.
  function offer(link, library) {
    const open = part('[data-do="open"]');
    open.hidden = !link;
    open.textContent = library === "public" ? "Open the post" : "Open the file";
    if (link) open.href = link;
    part('[data-do="replay"]').hidden = library !== "video" || !link;
  }

  function showPublic(hit, medium) {
    part(".screen").replaceChildren(visualSearchReport.picture(hit));
    if (!media.post[medium]) complain("The address of its post is not known.");
  }

  function showImage(hit, medium) {
    const small = visualSearchReport.picture(hit);
    const link = media.link[medium];
    if (!link) {
      part(".screen").replaceChildren(small);
      complain(`This image is not in a folder that this page can show. Its source: ${media.uri[medium] ?? "unknown"}`);
      return;
    }
    const image = element("img", { alt: media.name[medium] });
    image.addEventListener("error", () => {
      if (!image.isConnected) return; // another hit is shown by now
      image.replaceWith(small);
      complain("This browser cannot show the file, or it is not there any more. Open it with another program.");
    });
    image.src = link;
    part(".screen").replaceChildren(image);
  }

  function showVideo(hit, medium) {
    const link = media.link[medium];
    if (!link) {
      part(".screen").replaceChildren(visualSearchReport.picture(hit));
      complain(`This video is not in the archive. Its source: ${media.uri[medium] ?? "unknown"}`);
      return;
    }
    const source = `${link}#t=${hits.start[hit] ?? 0}`;
    part('[data-do="open"]').href = source;
    const name = hits.picture[hit];
    const player = element("video", {
      controls: true,
      preload: "auto",
      playsInline: true,
      attributes: { "aria-label": media.name[medium], poster: name ? `pictures/${name}` : null },
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
