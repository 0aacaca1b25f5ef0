// Node-RED without its editor (which is most of its size, and nobody looks at it here): its runtime, its core nodes and flow.json.
// usage: node run.mjs FOLDER MQTT_PORT. FOLDER is for what it writes. Says "started"; ends when it is killed.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import runtime from "@node-red/runtime";
import util from "@node-red/util";

const [userDir, port] = process.argv.slice(2);
process.env.MQTT_PORT = port; // flow.json names it
const settings = {
  userDir,
  flowFile: fileURLToPath(new URL("flow.json", import.meta.url)),
  coreNodesDir: dirname(createRequire(import.meta.url).resolve("@node-red/nodes")),
  readOnly: true, // the flow stays as it is
  httpAdminRoot: false,
  httpNodeRoot: false,
  credentialSecret: false,
  telemetry: { enabled: false },
  logging: { console: { level: "info" } },
};
util.init(settings);
runtime.init(settings);
await runtime.start();
console.log("started");
