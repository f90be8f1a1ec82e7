"use strict";
// The one global of this page. Data files call receive(); the other scripts add their parts.
// Text from the data reaches the page as text nodes and attributes only, never as markup.
window.visualSearchReport = {
  data: {},

  receive(name, value) {
    this.data[name] = value;
  },

  // An element with properties, classes and children; strings among the children become text.
  element(tag, { attributes = {}, ...properties } = {}, ...children) {
    const made = document.createElement(tag);
    Object.assign(made, properties);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  },
};
