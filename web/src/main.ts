import "./styles/page.css";

import { listen } from "./api/live";
import { overview } from "./views/overview";

const place = document.getElementById("app");
if (place) {
  const page = overview();
  place.replaceChildren(page.root);
  listen(page);
}
