// Enlarges a figure, and changes between the page's light and dark colours. The page reads well without.
const enlarged = document.getElementById("enlarged");
for (const frame of document.querySelectorAll(".frame")) {
  const open = () => {
    const copy = frame.cloneNode(true);
    copy.removeAttribute("tabindex");
    enlarged.replaceChildren(copy);
    enlarged.showModal();
  };
  frame.addEventListener("click", open);
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open();
    }
  });
}
enlarged.addEventListener("click", () => enlarged.close());
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
