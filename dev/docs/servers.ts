/** The task `docs:servers`: writes `docs/servers.md` from what the servers of the matrix do. */
import { join } from "node:path";
import { observe } from "../../tests/events/observe.ts";
import { serversDocument } from "../../tests/events/servers_document.ts";
import { matrix } from "../../tests/servers/mod.ts";
import { ROOT } from "../project.ts";

const observed = [];
for (const binary of await matrix({ progress: (message) => console.error(message) })) {
  observed.push(await observe(binary));
}
await Deno.writeTextFile(join(ROOT, "docs", "servers.md"), await serversDocument(observed));
