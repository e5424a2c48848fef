import { join } from "node:path";
import { until, within } from "../servers/mod.ts";
import { OwnedProcess, Watchdog } from "../servers/process.ts";

/** How long one answer of the browser may take, in ms; generous, it only ends what has failed. */
const LIMIT = 60_000;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
  "--remote-debugging-port=0",
];

/** How a page is to be shown. */
export interface Look {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
  /** Pixels of the picture for each of the page. Default 1. */
  readonly scale?: number;
}

interface Answer {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  // deno-lint-ignore no-explicit-any -- each command's own
  result?: any;
  error?: { message: string };
}

/** A page in a browser of its own, spoken to by the browser's DevTools protocol. */
export class Page implements AsyncDisposable {
  readonly #process: OwnedProcess;
  readonly #watchdog: Watchdog;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #session: string | undefined;
  #id = 0;
  /** What went wrong in the page: exceptions, and what it wrote to the console as errors. */
  readonly problems: string[] = [];

  private constructor(process: OwnedProcess, watchdog: Watchdog, folder: string, url: string) {
    this.#process = process;
    this.#watchdog = watchdog;
    this.#folder = folder;
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
  }

  /** @param chromium the browser's program */
  static async open(chromium: string): Promise<Page> {
    const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
    const watchdog = new Watchdog(folder);
    const process = OwnedProcess.spawn(chromium, [
      ...FLAGS,
      `--user-data-dir=${folder}`,
      "about:blank",
    ]);
    watchdog.watch(process.pid);
    // Besides its words, because those may be long before it is asked.
    const file = join(folder, "DevToolsActivePort");
    let url = "";
    try {
      await until("the browser listens", async () => {
        if (process.ended) throw new Error(`It has ended; it wrote:\n${process.output}`);
        const [port, path] = (await Deno.readTextFile(file)).split("\n");
        url = `ws://127.0.0.1:${port}${path}`;
        return path !== undefined;
      });
      const page = new Page(process, watchdog, folder, url);
      await page.#attach();
      return page;
    } catch (error) {
      await end(process, watchdog, folder);
      throw error;
    }
  }

  async #attach(): Promise<void> {
    await within(
      new Promise<void>((resolve, reject) => {
        this.#socket.onopen = () => resolve();
        this.#socket.onerror = () => reject(new Error("Cannot speak to the browser"));
      }),
      LIMIT,
      "the browser",
    );
    const { targetInfos } = await this.send("Target.getTargets");
    const { targetId } = targetInfos.find(({ type }: { type: string }) => type === "page");
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    this.#session = sessionId;
    await this.send("Emulation.setFocusEmulationEnabled", { enabled: true });
    for (const domain of ["Page", "Runtime", "Log"]) await this.send(`${domain}.enable`);
  }

  #take({ id, method, params, result, error }: Answer): void {
    if (method === "Runtime.exceptionThrown") this.problems.push(JSON.stringify(params));
    const entry = params?.["entry"] as { level?: string; text?: string; url?: string } | undefined;
    if (method === "Log.entryAdded" && entry?.level === "error") {
      this.problems.push(`${entry.text} ${entry.url}`);
    }
    const waiting = this.#waiting.get(id ?? -1);
    this.#waiting.delete(id ?? -1);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result);
  }

  /** Sends a command of the DevTools protocol. */
  // deno-lint-ignore no-explicit-any -- each command's own
  async send(method: string, params: Record<string, unknown> = {}): Promise<any> {
    const id = ++this.#id;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    return await within(answer.promise, LIMIT, method);
  }

  /** Sets how the page is to be shown. */
  async look({ width, height, scheme, scale = 1 }: Look): Promise<void> {
    const size = { width, height, deviceScaleFactor: scale, mobile: width < 600 };
    await this.send("Emulation.setDeviceMetricsOverride", size);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.send("Emulation.setEmulatedMedia", { features });
  }

  /** Goes to a page. */
  async goTo(url: string): Promise<void> {
    await this.send("Page.navigate", { url });
  }

  /** What an expression is in the page, as JSON can say it. */
  // deno-lint-ignore no-explicit-any -- the expression's
  async evaluate(expression: string): Promise<any> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  /** A picture of what is to be seen, as PNG. */
  async picture(): Promise<Uint8Array<ArrayBuffer>> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    await this.send("Browser.close").catch(() => {});
    this.#socket.close();
    await within(closed, LIMIT, "the browser's end");
    await end(this.#process, this.#watchdog, this.#folder);
  }
}

async function end(process: OwnedProcess, watchdog: Watchdog, folder: string): Promise<void> {
  await within(process.status, 10_000, "the browser's end").catch(() => process.kill("SIGKILL"));
  await process.status;
  await watchdog.dismiss();
  // Its helpers may still be writing there for a moment.
  await until(
    "its folder is removed",
    () => Deno.remove(folder, { recursive: true }).then(() => true),
  );
}
