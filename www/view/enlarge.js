// Figures that share a row can have it for themselves.

/** Gives every view a button that makes it as wide as its panel, and back. @param {Iterable<HTMLElement>} views */
export function letEnlarge(views) {
  for (const view of views) {
    const name = view.querySelector("figure")?.ariaLabel ?? "";
    const button = Object.assign(document.createElement("button"), { type: "button", className: "enlarge", textContent: "⤢", title: "Wide, and back", ariaPressed: "false" });
    button.ariaLabel = `Wide: ${name}`;
    button.onclick = () => {
      button.ariaPressed = String(view.classList.toggle("wide"));
      view.scrollIntoView({ block: "nearest" });
    };
    view.append(button);
  }
}
