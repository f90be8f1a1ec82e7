"use strict";
// Numbers, times and days as people read them.
visualSearchReport.format = (() => {
  const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const whole = new Intl.NumberFormat("en-GB");
  const percents = new Intl.NumberFormat("en-GB", { style: "percent", maximumFractionDigits: 1 });

  function seconds(value) {
    if (value === null) return "";
    const tenths = Math.round(value * 10);
    const total = Math.floor(tenths / 10);
    const fraction = tenths % 10 ? `.${tenths % 10}` : "";
    const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
    const padded = String(rest).padStart(2, "0") + fraction;
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${padded}` : `${minutes}:${padded}`;
  }

  function range(start, end) {
    if (start === null) return "whole video";
    return end === null || end <= start ? seconds(start) : `${seconds(start)}–${seconds(end)}`;
  }

  function usd(value) {
    if (value === 0) return "$0";
    if (value < 0.0001) return "< $0.0001";
    return `$${value.toLocaleString("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: value < 1 ? 4 : 2 })}`;
  }

  const kinds = {
    text: "text",
    image: "image",
    image_in_video: "image within a video",
    transcript: "spoken phrase",
    text_in_images: "text in images",
    public_text: "text in public videos",
    public_image: "image in public videos",
    public_transcript: "spoken phrase in public videos",
  };
  const platforms = { tiktok: "TikTok", youtube: "YouTube", instagram: "Instagram" };

  return {
    seconds,
    range,
    usd,
    day: (iso) => days.format(new Date(`${iso}T00:00:00Z`)),
    count: (value) => whole.format(value),
    plural: (value, one, many) => `${whole.format(value)} ${value === 1 ? one : many}`,
    percent: (part, total) => (total ? percents.format(Math.floor((1000 * part) / total) / 1000) : "–"),
    score: (value) => (value === null ? "" : value.toFixed(2)),
    kind: (kind) => kinds[kind] ?? kind.replaceAll("_", " "),
    platform: (name) => platforms[name] ?? name,
  };
})();
