// Run the script of the page, which is deflated so that a photograph has more room. The content security policy has the hashes of both.

import { inflated } from "./packed.js";

const script = document.createElement("script");
script.type = "module";
script.textContent = new TextDecoder().decode(await inflated(document.getElementById("script").textContent));
document.body.append(script);
