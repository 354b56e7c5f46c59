// daemon.js - the real daemon for a test: started on a free port, stopped with SIGINT.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { createInterface } from "node:readline";

const READY_MS = 30_000;

// Resolves to {url, stop} once the daemon says where it listens and /readyz answers 200.
export async function startDaemon(binary, models, logFile) {
  const child = spawn(binary, ["serve", "--models", models, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", openSync(logFile, "w")] });
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, "line"), once(child, "exit").then(([code]) => { throw new Error(`the daemon ended with ${code}`); })]);
  const url = line.replace("listening on ", "");
  await untilReady(url);
  const stop = async () => {
    const ended = once(child, "exit");
    child.kill("SIGINT"); // as SIGTERM, without the delay for load balancers
    const [code] = await ended;
    return code;
  };
  return { url, stop };
}

async function untilReady(url) {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const response = await fetch(`${url}/readyz`);
    await response.arrayBuffer();
    if (response.ok) return;
    if (Date.now() > deadline) throw new Error(`not ready after ${READY_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
